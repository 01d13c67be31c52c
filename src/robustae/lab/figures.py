"""Pictures of the experiments, by matplotlib without its global state."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robustae.datasets import Dataset
from robustae.lab.jobs import Plan, Row
from robustae.lab.ledger import read_csv
from robustae.lab.methods import OURS, fitted, methods
from robustae.lab.sets import PAIRS, DataSet, drawn_data
from robustae.utils.checks import NotFound, need
from robustae.utils.files import write_bytes

if TYPE_CHECKING:
    from robustae.estimators.autoencoder import RobustAutoencoder


__all__ = ["bars", "curves", "drawn", "films", "place", "saved", "worst_rows"]

SHOWN = 8  # rows or frames in a picture
ACROSS = 3  # panels side by side


def drawn(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, np.ndarray]:
    """Return a figure and its axes, shape (rows, columns)."""
    figure = need("plot", "matplotlib.figure", "drawing").Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def place(folder: Path, name: str, what: str) -> Path:
    """Where a picture goes: NAME_what.png, `what` in plain letters."""
    return folder / f"{name}_{re.sub(r'[^a-z0-9]+', '_', what.lower()).strip('_')}.png"


def saved(figure: Any, path: Path) -> Path:
    """Write a figure, whole or not at all."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    write_bytes(path, file.getvalue())
    return path


def panels(titles: Sequence[str], height: float) -> tuple[Any, list[Any]]:
    """Return a figure and one titled panel for each title."""
    down = -(-len(titles) // ACROSS)
    across = min(ACROSS, len(titles))
    figure, axes = drawn(down, across, (4.2 * across, height * down))
    for axis in axes.flat[len(titles) :]:
        axis.set_visible(False)
    for axis, title in zip(axes.flat, titles, strict=False):
        axis.set_title(title, fontsize=10)
    return figure, list(axes.flat[: len(titles)])


def bars(folder: Path, name: str, measure: str, ours: str = OURS, of: str = "") -> list[Path]:
    """Draw a measure by method, a panel for each set: mean, deviation, and chance as a broken line.

    `of` is what the titles of the sets to draw begin with.
    """
    rows = [row for row in read_csv(folder / f"{name}_summary.csv") if row["measure"] == measure]
    sets = [title for title in dict.fromkeys(row["set"] for row in rows) if title.startswith(of)]
    if not sets:
        return []
    figure, axes = panels(sets, 3.2)
    for axis, title in zip(axes, sets, strict=True):
        bar = [row for row in rows if row["set"] == title][::-1]
        colours = ["tab:red" if row["method"] == ours else "tab:gray" for row in bar]
        deviations = [row["deviation"] or 0.0 for row in bar]
        axis.barh(
            [row["method"] for row in bar], [row["mean"] for row in bar], xerr=deviations, color=colours
        )
        axis.axvline(bar[0]["chance"], color="black", linestyle="--", linewidth=1)
        axis.set(xlim=(0, 1), xlabel=measure.upper())
        axis.tick_params(labelsize=8)
    return [saved(figure, place(folder, name, measure))]


def curves(folder: Path, name: str) -> list[Path]:
    """Draw AUPRC over multiples of the automatic lam (broken lines: where it is automatic)."""
    rows = [row for row in read_csv(folder / f"{name}.csv") if row["auprc"] is not None]
    sets = list(dict.fromkeys(row["set"] for row in rows))
    if not sets:
        return []
    figure, axes = panels(sets, 2.8)
    for axis, title in zip(axes, sets, strict=True):
        for number, (method, of) in enumerate(_by_method(rows, title)):
            _curve(axis, of, method, f"C{number}")
        axis.set_xscale("log", base=2)
        axis.set(ylim=(0, 1), xlabel="lam / automatic lam (right end: no N)", ylabel="AUPRC")
    axes[0].legend(fontsize=8)
    return [saved(figure, place(folder, name, "curves"))]


def _by_method(rows: list[Row], title: str) -> Iterator[tuple[str, list[Row]]]:
    of_set = [row for row in rows if row["set"] == title]
    for method in dict.fromkeys(row["method"] for row in of_set):
        yield method, [row for row in of_set if row["method"] == method]


def _curve(axis: Any, rows: list[Row], method: str, colour: str) -> None:
    means = {
        setting: np.mean([row["auprc"] for row in rows if row["grid"] == "lam" and row["setting"] == setting])
        for setting in sorted({row["setting"] for row in rows if row["grid"] == "lam"})
    }
    finite = [setting for setting in means if np.isfinite(setting)]
    at = [setting if np.isfinite(setting) else 2 * max(finite, default=1) for setting in means]
    axis.plot(at, list(means.values()), marker=".", label=method, color=colour)
    automatic = [row["auprc"] for row in rows if row["grid"] == "auto"]
    if automatic:
        axis.axhline(np.mean(automatic), color=colour, linestyle="--", linewidth=1)


def worst_rows(folder: Path, name: str, sets: Iterable[DataSet], plan: Plan) -> list[Path]:
    """Draw original, reconstruction and N of the rows that RCAE finds worst, in the first draw of a set."""
    return [
        _drawn_once(place(folder, name, f"worst {source.name}"), source, plan, _worst)
        for source in _here(sets, plan)
        if source.name not in PAIRS
    ]


def films(folder: Path, name: str, sets: Iterable[DataSet], plan: Plan) -> list[Path]:
    """Draw frames, RCAE's background and people alone."""
    return [
        _drawn_once(place(folder, name, source.name), source, plan, _spread) for source in _here(sets, plan)
    ]


def _here(sets: Iterable[DataSet], plan: Plan) -> Iterator[DataSet]:
    """Those that the plan wants and whose data are here."""
    if plan.methods is not None and OURS not in plan.methods:
        return
    for source in sets:
        if plan.sets is None or source.name in plan.sets:
            try:
                drawn_data(source.draw, plan.seed_of(0))
            except NotFound:
                continue
            yield source


def _drawn_once(path: Path, source: DataSet, plan: Plan, pick: Any) -> Path:
    """Keep a picture that is there: the same settings would draw it again."""
    if path.exists():
        return path
    seed = plan.seed_of(0)
    data = drawn_data(source.draw, seed)
    model = fitted(methods(plan.quick)[OURS], data.X, data.image_shape, seed)
    rows = pick(model, data)
    parts = [data.X[rows], model.reconstruct(data.X[rows]), model.outliers(data.X[rows])]
    labels = None if data.y is None else data.y[rows]
    return saved(_strip(parts, data.image_shape, labels), path)


def _worst(model: "RobustAutoencoder", data: Dataset) -> np.ndarray:
    return np.argsort(model.score_samples(data.X))[:SHOWN]


def _spread(model: "RobustAutoencoder", data: Dataset) -> np.ndarray:
    return np.linspace(0, len(data.X) - 1, SHOWN // 2).astype(int)


def _strip(parts: list[np.ndarray], shape: Any, labels: np.ndarray | None) -> Any:
    count = len(parts[0])
    figure, axes = drawn(3, count, (1.3 * count, 4.2) if labels is not None else (2.6 * count, 6.0))
    for line, images in zip(axes, parts, strict=True):
        for axis, image in zip(line, images, strict=True):
            _show(axis, np.reshape(image, shape), outliers=images is parts[2])
            axis.set(xticks=[], yticks=[])
    names = ("frame", "background", "people alone") if labels is None else ("original", "reconstruction", "N")
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(name)
    for axis, label in zip(axes[0], [] if labels is None else labels, strict=False):
        axis.set_title("anomaly" if label else "normal", fontsize=9)
    return figure


def _show(axis: Any, image: np.ndarray, outliers: bool) -> None:
    if image.ndim == 3 and image.shape[2] == 3:
        axis.imshow(np.clip((image + 1) / 2 if outliers else image, 0, 1))
    elif outliers:
        axis.imshow(image.reshape(image.shape[:2]), cmap="RdBu_r", vmin=-0.6, vmax=0.6)
    else:
        axis.imshow(image.reshape(image.shape[:2]), cmap="gray", vmin=0, vmax=1)
