"""What finds wrong cells: columns by themselves, DetectDeviatingCells, and the robust autoencoder."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from robustae.fit.explain import FLAG_AT
from robustae.lab.methods import quick_settings
from robustae.stats.scales import mad_scale, mean_sd, median

__all__ = ["OURS", "CellsFound", "cell_methods"]

OURS = "RAE"
CELLWISE = 0.99  # DDC's own: cut at 2.58 deviations


@dataclass(frozen=True)
class CellsFound:
    """What a method finds in the cells it was fitted to.

    Attributes
    ----------
    deviations : array, shape (n, d)
        From what was expected, in noise deviations; 0 for missing cells.
    flags : array of bool, shape (n, d)
    """

    deviations: np.ndarray
    flags: np.ndarray


CellMethod = Callable[[np.ndarray, int], CellsFound]


def cell_methods(quick: bool = False) -> dict[str, CellMethod]:
    """Return the methods by name, in the order of tables: each is given rows (NaN: missing) and a seed."""
    return {
        "z-scores": _by_column,
        "DDC": partial(_ddc, CELLWISE),
        f"DDC, cut {FLAG_AT:g}": partial(_ddc, _coverage(FLAG_AT)),
        OURS: partial(_ours, quick_settings(quick)),
    }


def _coverage(cut: float) -> float:
    from scipy.stats import chi2

    return float(chi2.cdf(cut**2, 1))


def _by_column(X: np.ndarray, seed: int) -> CellsFound:
    """Median and median absolute deviation of each column by itself, at the cut of ours."""
    robust = mad_scale(X)
    scale = np.where(robust > 0, robust, np.maximum(mean_sd(X)[1], np.finfo(float).tiny))
    z = np.nan_to_num((X - median(X)) / scale)
    return CellsFound(z, np.abs(z) > FLAG_AT)


def _ddc(tol_prob: float, X: np.ndarray, seed: int) -> CellsFound:
    from robustae.baselines import DDC

    model = DDC(tol_prob=tol_prob).fit(X)
    return CellsFound(model.cell_scores(X), model.flags(X))


def _ours(settings: dict[str, Any], X: np.ndarray, seed: int) -> CellsFound:
    from robustae.estimators.autoencoder import RobustAutoencoder

    model = RobustAutoencoder(random_state=seed, **settings).fit(X)
    return CellsFound(np.nan_to_num(model.cell_scores(X)), model.flags(X))
