"""Draw docs/_static/table.png: the rows of a table with wrong cells, and what was expected in their place.

python docs/_table_picture.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from robustae import RobustAutoencoder
from robustae.datasets import load_breast_cancer_cells

TARGET = Path(__file__).parent / "_static" / "table.png"
ROWS, COLUMNS = 6, 6
PAPER, WRONG, INK, OURS = "#ffffff", "#fbd3a8", "#333333", "#b34700"


def main() -> None:
    """Fit the table, take its most anomalous rows, and draw their cells."""
    data = load_breast_cancer_cells()
    model = RobustAutoencoder(random_state=0).fit(data.X)
    flags, expected = model.flags(data.X), model.reconstruct(data.X)
    few = np.flatnonzero((flags.sum(1) > 0) & (flags.sum(1) <= 2))  # else hardly a column is not wrong
    rows = few[np.argsort(model.score_samples(data.X)[few])[:ROWS]]
    columns = np.sort(np.argsort(-flags[rows].sum(0), kind="stable")[:COLUMNS])
    _draw(data.X, expected, flags, rows, columns, data.columns)
    print(TARGET)


def _draw(X, expected, flags, rows, columns, names) -> None:
    figure, ax = plt.subplots(figsize=(10, 2.3), dpi=110)
    ax.axis("off")
    cells = [[_written(X, expected, flags, i, j) for j in columns] for i in rows]
    colours = [[WRONG if flags[i, j] else PAPER for j in columns] for i in rows]
    table = ax.table(
        cells,
        cellColours=colours,
        colLabels=[names[j].replace(" ", "\n", 1) for j in columns],
        rowLabels=[f"row {i}" for i in rows],
        loc="center",
        cellLoc="right",
    )
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("#dddddd")
        cell.set_height(0.19 if row == 0 else 0.125)
        cell.get_text().set_color(OURS if "\u2192" in cell.get_text().get_text() else INK)
    figure.savefig(TARGET, bbox_inches="tight", pad_inches=0.05)
    Image.open(TARGET).quantize(32).save(TARGET, optimize=True)


def _written(X, expected, flags, i, j) -> str:
    value = "" if np.isnan(X[i, j]) else _short(X[i, j])
    return f"{value} \u2192 {_short(expected[i, j])}" if flags[i, j] else value


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
