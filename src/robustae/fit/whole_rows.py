"""Fits of rows as wholes: each predicted from other rows, and judged as if it had been left out."""

import numpy as np

from robustae.fit.auto import Settings
from robustae.fit.closed import ClosedFit, closed_fit, closed_model, prepared_rows
from robustae.fit.ranking import NEAREST, RowsOfFit
from robustae.solvers.objective import Preprocessing
from robustae.stats.kernel import fit_kernel
from robustae.stats.scales import MAD_TO_SD, Weight, quantile, scale_of_rows

__all__ = ["fit_whole_rows"]


def fit_whole_rows(
    X: np.ndarray, weight: Weight, preprocessing: Preprocessing, floor: np.ndarray, settings: Settings
) -> ClosedFit:
    """Fit kernel components to the rows of X; parameters as of `fit.closed.fit_closed`.

    A missing cell counts as its column's location: rows are compared as wholes.
    """
    X, weight, Z, there = prepared_rows(X, weight, preprocessing)
    components = fit_kernel(Z, weight, settings.clean)
    Zhat = components.reconstructed(Z).astype(np.float64)
    R = np.where(there, Z - Zhat, 0.0)
    noise = _noise(R, weight, floor, settings.by_column)
    model = closed_model((components,), noise, preprocessing, settings).having(sources=settings.sources)
    cells = model.cells_as(R, np.where(there, Z, Zhat), there, 1.0)
    energies = components.energies(Z)
    nearest = energies <= quantile(energies, 1.0 if settings.clean else NEAREST, weight) * (1 + 1e-9)
    return closed_fit(model, RowsOfFit(X, weight, cells, nearest), settings)


def _noise(R: np.ndarray, weight: Weight, floor: np.ndarray, by_column: bool) -> np.ndarray:
    if by_column:
        return np.maximum(MAD_TO_SD * quantile(np.abs(R), 0.5, weight), floor)
    return np.full(R.shape[1], max(float(np.nan_to_num(scale_of_rows(R, weight))), float(np.median(floor))))
