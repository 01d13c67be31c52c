"""How small an anomaly does each method find, and how often does it call clean rows anomalous?

Anomalies of growing size are planted in 5 % of clean rows: a patch of random pixels blended into
digits, a person-sized patch of growing contrast in the frames of a film, whole rows of a table moved
out of its subspace. Size 0 is the other question: fitted to clean rows, thresholds are put at the
training scores' 5th percentile, and the false alarms counted among rows not in the fit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from robustae import datasets
from robustae.datasets.synthetic import moving_scene, planted_rows
from robustae.lab.jobs import Cannot, Job, Plan, Row
from robustae.lab.ledger import read_csv
from robustae.lab.lines import lines
from robustae.lab.methods import OURS, Method, fitted, methods
from robustae.lab.summaries import summarised
from robustae.metrics import auprc, auroc

__all__ = ["KEY", "NAME", "NOTE", "Planting", "jobs", "pictures", "plantings", "summary"]

NAME = "subtle"
KEY = ("set", "draw", "size", "method")
NOTE = (
    "`size`: strength of a blended patch or contrast of a person-sized one, in units of the grey range; "
    "deviations of the noise in tables. Size 0: false alarms on clean rows that were not in the fit, at a "
    "nominal rate of 5 %, and with each method's own automatic threshold; `beyond_chance` is the share of "
    "draws in which the first is off by more than 1.96 binomial deviations."
)
SHARE = NOMINAL = 0.05  # of rows hit, and of clean training rows below the threshold
TWO_SIDED = 1.96
SENSOR = 0.01  # noise of a film, in units of the grey range
FOUND = ("auprc", "auroc", "cell_auroc")
ALARMS = ("false_alarms", "auto_alarms", "beyond_chance")

Plant = Callable[[np.ndarray, Any, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Planting:
    """Clean rows, and what is planted in them.

    Attributes
    ----------
    name : str
    clean : callable
        ``clean(seed)``: rows, shape (n, d), of which the first `fit` are fitted.
    shape : tuple of int or None
        Of an image; None for tables.
    plant : callable
        ``plant(X, shape, size, rng)`` moves the rows X and returns them.
    sizes : tuple of float
        All above 0.
    fit, draws : int
    """

    name: str
    clean: Callable[[int], np.ndarray]
    shape: tuple[int, ...] | None
    plant: Plant
    sizes: tuple[float, ...]
    fit: int
    draws: int

    def planted(self, size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows with anomalies of that size, and the cells moved: the same ones for all sizes."""
        clean = self.clean(seed)[: self.fit]
        rng = np.random.default_rng((seed, 1))
        rows = rng.choice(self.fit, size=round(SHARE * self.fit), replace=False)
        X = clean.copy()
        X[rows] = self.plant(X[rows], self.shape, size, rng)
        return X, clean != X


def plantings(quick: bool) -> list[Planting]:
    """Return the sets."""
    strengths, contrasts, deviations = (
        (0.1, 0.2, 0.3, 0.5, 0.7, 1.0),
        (0.02, 0.05, 0.1, 0.2, 0.4),
        (0.5, 1, 1.5, 2, 3),
    )
    if quick:
        film = Planting("moving scene", partial(_scene, 40, 12, 16), (12, 16), _person, (0.2,), 20, 1)
        digits = Planting("digits, patch", partial(_ones, 182), (8, 8), _patch, (0.5,), 80, 1)
        return [digits, Planting("table", partial(_table, 120), None, _moved, (2.0,), 60, 1), film]
    return [
        Planting("digits, patch", partial(_ones, 182), (8, 8), _patch, strengths, 91, 10),
        Planting("USPS ones, patch", _usps_ones, (16, 16), _patch, strengths, 220, 10),
        Planting("table", partial(_table, 2000), None, _moved, deviations, 500, 10),
        Planting("moving scene", partial(_scene, 200, 48, 64), (48, 64), _person, contrasts, 100, 3),
        Planting("restaurant, empty", _restaurant, (120, 160), _person, contrasts, 100, 1),
    ]


def _ones(count: int, seed: int) -> np.ndarray:
    return datasets.load_digits_anomalies(n_anomalies=0, random_state=seed).X[:count]


def _usps_ones(seed: int) -> np.ndarray:
    return datasets.fetch_usps(1, 7, 1100, 0, random_state=seed).X


def _table(n: int, seed: int) -> np.ndarray:
    return planted_rows(n, 30, 3, share=0.0, random_state=seed).X


def _scene(n: int, height: int, width: int, seed: int) -> np.ndarray:
    """A composed film without its walkers, its frames in a random order: the light goes to and fro."""
    return _film(moving_scene(n, height, width, seed).background, n, seed)


def _restaurant(seed: int) -> np.ndarray:
    """The restaurant's background, estimated from all of the film, under light like the composed film's."""
    return _film(datasets.fetch_restaurant_background().X.ravel() / 255.0, 200, seed)


def _film(background: np.ndarray, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    light = 1 + 0.1 * np.sin(2 * np.pi * rng.random((n, 1)))
    return np.clip(light * background + SENSOR * rng.normal(size=(n, background.size)), 0, 1)


def _moved(X: np.ndarray, shape: Any, size: float, rng: np.random.Generator) -> np.ndarray:
    """Every cell by a Gaussian of `size` noise deviations (the noise has 1)."""
    return X + size * rng.normal(size=X.shape)


def _patch(X: np.ndarray, shape: Any, size: float, rng: np.random.Generator) -> np.ndarray:
    """A square of random pixels, a third of the image's side, blended in."""
    side = max(2, min(shape) // 3)
    images = X.reshape(-1, *shape).copy()
    for image in images:
        at = _corner(shape, (side, side), rng)
        image[at] = (1 - size) * image[at] + size * rng.random((side, side))
    return images.reshape(X.shape)


def _person(X: np.ndarray, shape: Any, size: float, rng: np.random.Generator) -> np.ndarray:
    """An upright patch, a quarter of the frame high, darker or (where it is dark) brighter by `size`."""
    tall = max(2, shape[0] // 4)
    images = X.reshape(-1, *shape).copy()
    for image in images:
        at = _corner(shape, (tall, max(1, tall // 2)), rng)
        image[at] += np.where(image[at] > 0.5, -size, size)
    return images.reshape(X.shape)


def _corner(shape: Any, sides: tuple[int, int], rng: np.random.Generator) -> tuple[slice, slice]:
    top, left = (int(rng.integers(full - side + 1)) for full, side in zip(shape, sides, strict=True))
    return slice(top, top + sides[0]), slice(left, left + sides[1])


# The experiment ------------------------------------------------------------------------------------


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each set, draw, size and method; size 0 is the false alarms'."""
    for source in plantings(plan.quick):
        for draw in plan.numbers(source.draws):
            seed = plan.seed_of(draw)
            for size in (0.0, *source.sizes):
                for method in methods(plan.quick).values():
                    key = {"set": source.name, "draw": draw, "size": float(size), "method": method.name}
                    measure = partial(_found, size=size) if size else _alarms
                    yield Job(key, partial(measure, source, method, seed))


@lru_cache(maxsize=1)
def _rows(source: Planting, size: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Kept for the methods that come next."""
    return source.planted(size, seed)


def _found(source: Planting, method: Method, seed: int, size: float) -> Row:
    X, cells = _rows(source, size, seed)
    y = cells.any(axis=1).astype(int)
    model = fitted(method, X, source.shape, seed)
    anomaly = -model.score_samples(X)
    row = {"chance": float(y.mean()), "auprc": auprc(y, anomaly), "auroc": auroc(y, anomaly)}
    if source.shape is None or not hasattr(model, "reconstruct"):
        return row
    hit = y == 1
    off = np.abs(X[hit] - np.asarray(model.reconstruct(X))[hit])
    return row | {"cell_auroc": auroc(cells[hit].ravel(), off.ravel())}


def _alarms(source: Planting, method: Method, seed: int) -> Row:
    if not method.inductive:
        raise Cannot("knows its training rows only")
    rows = source.clean(seed)
    fitting, unseen = rows[: source.fit], rows[source.fit :]
    model = fitted(method, fitting, source.shape, seed)
    threshold = np.quantile(model.score_samples(fitting), NOMINAL)
    rate = float((model.score_samples(unseen) < threshold).mean())
    automatic = getattr(model, "contamination", None) == "auto"
    return {
        "chance": NOMINAL,
        "false_alarms": rate,
        "beyond_chance": int(abs(rate - NOMINAL) > TWO_SIDED * _deviation(len(fitting), len(unseen))),
        "auto_alarms": float((model.predict(unseen) == -1).mean()) if automatic else None,
    }


def _deviation(fitting: int, unseen: int) -> float:
    """Of the rate: both the threshold and the count are drawn."""
    return float(np.sqrt(NOMINAL * (1 - NOMINAL) * (1 / fitting + 1 / unseen)))


def _chance(measure: str, rows: Sequence[Row]) -> float | None:
    levels = {"auroc": 0.5, "cell_auroc": 0.5, "auto_alarms": None, "beyond_chance": 0.05}
    return levels[measure] if measure in levels else float(np.mean([row["chance"] for row in rows]))


def summary(rows: list[Row]) -> list[Row]:
    """Mean, deviation, chance level and RCAE's paired difference by set, size, method and measure."""
    rows = [row for row in rows if row.get("chance") is not None]
    return [
        *summarised([row for row in rows if row["size"]], ("set", "size"), FOUND, _chance),
        *summarised([row for row in rows if not row["size"]], ("set", "size"), ALARMS, _chance),
    ]


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """AUPRC over the size of the anomalies, a panel for each set."""
    from robustae.lab.figures import place

    rows = [row for row in read_csv(folder / f"{NAME}_summary.csv") if row["measure"] == "auprc"]
    return [lines(place(folder, NAME, "auprc"), rows, "set", "size", ("size", "AUPRC"), OURS)] if rows else []
