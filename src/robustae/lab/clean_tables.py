"""Tables in which cells are made wrong: normal rows of real sets, and correlated Gaussians."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from robustae.datasets import fetch_adbench
from robustae.stats.scales import mad_scale

__all__ = ["CleanTable", "clean_tables"]

MOST_ROWS = 2000
NORMAL_ROWS = ("cardio", "magic.gamma", "pendigits", "satellite", "Waveform")  # of ADBench
FEWEST_VALUES = 10  # of a column that is measured rather than counted


@dataclass(frozen=True)
class CleanTable:
    """A table without planted cells.

    Attributes
    ----------
    name : str
    rows : callable
        ``rows(seed)``: array, shape (n, d), without missing cells.
    """

    name: str
    rows: Callable[[int], np.ndarray]


def clean_tables(quick: bool) -> list[CleanTable]:
    """Return the tables; with `quick` two that come along, the first of them small."""
    gaussians = CleanTable("Gaussian A09, 10 columns", partial(_gaussian, 200, 10))
    if quick:
        return [gaussians, CleanTable("wine (scikit-learn)", partial(_scikit, "wine"))]
    return [
        gaussians,
        CleanTable("Gaussian A09, 40 columns", partial(_gaussian, 1000, 40)),
        *(CleanTable(f"{name} (scikit-learn)", partial(_scikit, name)) for name in _SCIKIT),
        *(CleanTable(f"{name} (ADBench)", partial(_normal, name)) for name in NORMAL_ROWS),
    ]


_SCIKIT = ("breast_cancer", "wine", "diabetes")


def _gaussian(n: int, d: int, seed: int) -> np.ndarray:
    """Correlations (-.9)^|i - j|, called A09 by Agostinelli et al. (2015) and in the paper of DDC."""
    distance = np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    root = np.linalg.cholesky((-0.9) ** distance)
    return np.random.default_rng(seed).normal(size=(n, d)) @ root.T


def _scikit(name: str, seed: int) -> np.ndarray:
    from sklearn import datasets

    source: Any = getattr(datasets, f"load_{name}")()
    return _measured_columns(source.data, seed)


def _normal(name: str, seed: int) -> np.ndarray:
    data = fetch_adbench(name)
    return _measured_columns(data.X[data.y == 0].astype(np.float64), seed)


def _measured_columns(X: np.ndarray, seed: int) -> np.ndarray:
    """At most 2000 rows; columns of few values or without a robust scale go: no move shows there."""
    rows = np.random.default_rng(seed).permutation(len(X))[:MOST_ROWS]
    X = X[np.sort(rows)]
    values = np.array([len(np.unique(column)) for column in X.T])
    return X[:, (values >= FEWEST_VALUES) & (mad_scale(X) > 0)]
