"""Pictures of a measure against a size, a line for each method."""

from collections.abc import Iterable
from pathlib import Path

from robustae.lab.jobs import Row

__all__ = ["lines"]

PER_STYLE = 10  # colours there are
STYLES = ("-", "--", ":")


def lines(path: Path, rows: Iterable[Row], panel: str, x: str, labels: tuple[str, str], bold: str) -> Path:
    """Draw `mean` of summary rows against their column `x`, one panel for each value of the column `panel`.

    Parameters
    ----------
    path : Path
        Of the PNG.
    labels : (str, str)
        Of the axes.
    bold : str
        The method whose line is heavy.
    """
    from robustae.lab.figures import panels, saved

    rows = list(rows)
    titles = list(dict.fromkeys(str(row[panel]) for row in rows))
    figure, axes = panels(titles, 3.4)
    for axis, title in zip(axes, titles, strict=True):
        of = [row for row in rows if str(row[panel]) == title]
        for number, method in enumerate(dict.fromkeys(row["method"] for row in of)):
            at = [(row[x], row["mean"]) for row in of if row["method"] == method]
            style = {"linestyle": STYLES[number // PER_STYLE % len(STYLES)], "marker": ".", "label": method}
            heavy = {"color": "black", "linewidth": 2.5} if method == bold else {"linewidth": 1}
            axis.plot(*zip(*at, strict=True), **style, **heavy)
        axis.set(xlabel=labels[0], ylabel=labels[1])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return saved(figure, path)
