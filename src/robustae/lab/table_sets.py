"""Tables whose anomalous rows are known: ADBench's, and scikit-learn's where none is at hand."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from robustae.datasets import fetch_adbench
from robustae.datasets.adbench import STEMS
from robustae.datasets.places import homes
from robustae.lab.jobs import Cannot

__all__ = ["CLASSICAL", "EMBEDDINGS", "Split", "TableSet", "loaded", "split", "table_sets"]

MOST_ROWS = 10_000  # as in ADBench (Han et al. 2022), which cuts larger sets, too
CLASSICAL, EMBEDDINGS = "Classical", "MVTec_ResNet18"
SCIKIT = "scikit-learn"
LEAST_FITTED = 100  # normal rows in a fit whose share of anomalies is set


@dataclass(frozen=True)
class TableSet:
    """A table and where it comes from.

    Attributes
    ----------
    name : str
    group : str
        "Classical", "MVTec_ResNet18" (512 features of an image each) or "scikit-learn".
    load : callable
        Returns X, shape (n, d), and y, shape (n,), 1 = anomaly.
    cut : bool
        Whether it has more rows than are looked at.
    """

    name: str
    group: str
    load: Callable[[], tuple[np.ndarray, np.ndarray]]
    cut: bool = False


def table_sets(quick: bool) -> list[TableSet]:
    """Return the sets under ROBUSTAE_DATA/adbench, the known names where none is there; quick: two others."""
    if quick:
        return [TableSet("breast cancer", SCIKIT, _breast_cancer), TableSet("digits 1v7", SCIKIT, _digits)]
    here = [_file_set(file) for home in homes(None)[::-1] for file in (home / "adbench").glob("*/*.npz")]
    found = {one.name: one for one in here if one.group in (CLASSICAL, EMBEDDINGS)}
    return sorted(found.values(), key=lambda one: (one.group, one.name.lower())) or _absent()


def _file_set(file: Path) -> TableSet:
    with np.load(file) as stored:
        cut = len(stored["y"]) > MOST_ROWS
    return TableSet(_name(file), file.parent.name, partial(_read, file), cut)


def _name(file: Path) -> str:
    """ "wine" for 45_wine.npz."""
    number, _, rest = file.stem.partition("_")
    return rest if number.isdigit() else file.stem


def _read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(file) as stored:
        return stored["X"], stored["y"].astype(int)


def _absent() -> list[TableSet]:
    return [TableSet(name, STEMS[name].partition("/")[0], partial(_fetched, name)) for name in STEMS]


def _fetched(name: str) -> tuple[np.ndarray, np.ndarray]:
    data = fetch_adbench(name)  # the error names where it should be
    assert data.y is not None
    return data.X, data.y


def _breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    """All benign rows, and a tenth as many malignant ones."""
    from sklearn.datasets import load_breast_cancer

    source: Any = load_breast_cancer()
    normal, anomalous = (np.flatnonzero(source.target == kind) for kind in (1, 0))
    rows = np.sort(np.append(normal, anomalous[:: len(anomalous) // 70]))
    return source.data[rows], 1 - source.target[rows]


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from robustae.datasets import load_digits_anomalies

    data = load_digits_anomalies(n_anomalies=60)
    assert data.y is not None
    return data.X, data.y


@lru_cache(maxsize=1)
def loaded(source: TableSet, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X in float64 and y, at most 10 000 rows drawn by the seed; kept for the next method."""
    X, y = source.load()
    if len(X) > MOST_ROWS:
        rows = np.random.default_rng(seed).choice(len(X), MOST_ROWS, replace=False)
        X, y = X[rows], y[rows]
    return X.astype(np.float64), y


@dataclass(frozen=True)
class Split:
    """Rows to fit, among them a share of anomalies, and others to score.

    Attributes
    ----------
    fitted : array, shape (m, d)
    fitted_y : array of int, shape (m,)
    unseen : array, shape (k, d)
    y : array of int, shape (k,)
    """

    fitted: np.ndarray
    fitted_y: np.ndarray
    unseen: np.ndarray
    y: np.ndarray


def split(source: TableSet, share: float, most: float, seed: int) -> Split:
    """Draw rows to fit with `share` anomalies, out of half of either kind.

    The other half of the normal rows and of the anomalies is to be scored: the same rows for every share,
    as are the normal rows of the fit, of which there are as many as the anomalies suffice for at the share
    `most`, at most half.

    Raises
    ------
    Cannot
        If that leaves fewer than 100 normal rows to fit.
    """
    X, y = loaded(source, seed)
    rng = np.random.default_rng((seed, 1))
    normal, anomalies = (rng.permutation(np.flatnonzero(y == kind)) for kind in (0, 1))
    half, spare = len(normal) // 2, len(anomalies) // 2
    fitted = min(half, int(spare * (1 - most) / most))
    if fitted < LEAST_FITTED:
        raise Cannot(
            f"{len(anomalies)} anomalies are too few: {fitted} normal rows to fit at a share of {most}"
        )
    rows = np.concatenate([normal[:fitted], anomalies[: round(fitted * share / (1 - share))]])
    unseen = np.concatenate([normal[half:], anomalies[spare:]])
    return Split(X[rows], y[rows], X[unseen], y[unseen])
