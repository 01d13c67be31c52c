"""The five worst numbers of TopGear (297 cars, R package robustHD), as `robustae split` finds them."""

import os
from pathlib import Path
from typing import Any

from benchmarks.measuring import write
from robustae import RobustAutoencoder
from robustae.data import read_table

WORST = 5


def _short(value: Any) -> str:
    return f"{float(value):g}" if float(value) < 1e5 else f"{float(value):.0f}"


def _number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def run(runs: int) -> None:
    """Write cells.csv (`runs` is not used)."""
    table = read_table(Path(os.environ["ROBUSTAE_DATA"]) / "cellwise" / "TopGear.csv")
    found = RobustAutoencoder(random_state=0).fit(table.values).explain(table.values)
    rows = []
    numbers = [at for at, value in enumerate(found["observed"]) if _number(value)]
    for at in numbers[:WORST]:
        cell = {name: values[at] for name, values in found.items()}
        rows.append(
            {
                "row": cell["row"],
                "column": cell["column"],
                "observed": _short(cell["observed"]),
                "expected": _short(round(float(cell["expected"]))),
                "deviations": f"{cell['deviations']:.1f}",
            }
        )
    write("cells", rows)
