"""The five worst cells of TopGear (297 cars, R package robustHD), as `robustae split` finds them."""

import os
from pathlib import Path

from benchmarks.measuring import write
from robustae import RobustAutoencoder
from robustae.sources import read_table

WORST = 5


def run(runs: int) -> None:
    """Write cells.csv (`runs` is not used)."""
    table = read_table(Path(os.environ["ROBUSTAE_DATA"]) / "cellwise" / "TopGear.csv")
    found = RobustAutoencoder(random_state=0).fit(table.values).explain(table.values)
    rows = []
    for at in range(WORST):
        cell = {name: values[at] for name, values in found.items()}
        rows.append(
            {
                "row": cell["row"],
                "column": table.columns[cell["column"]],
                "observed": f"{cell['observed']:g}" if cell["observed"] < 1e5 else f"{cell['observed']:.0f}",
                "expected": f"{cell['expected']:.0f}",
                "deviations": f"{cell['deviations']:.1f}",
            }
        )
    write("cells", rows)
