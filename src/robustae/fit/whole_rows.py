"""Fits of rows as wholes: each predicted from other rows, and judged as if it had been left out."""

import numpy as np

from robustae.fit.auto import Settings
from robustae.fit.closed import Prepared, closed_model
from robustae.fit.energies import Fit, OfWholeRows, dependence
from robustae.fit.model import Model
from robustae.fit.ranking import NEAREST, RowsOfFit
from robustae.stats.kernel import fit_kernel
from robustae.stats.neighbourhood import neighbourhood
from robustae.stats.scales import MAD_TO_SD, Weight, quantile, scale_of_rows
from robustae.stats.shallow import fit_shallow

__all__ = ["cells_err_together", "whole_rows"]

APART = 0.1  # of the logarithms of distances: cells err together


def whole_rows(prepared: Prepared, settings: Settings) -> tuple[Model, RowsOfFit]:
    """Fit kernel components to rows.

    Where cells are missing, rows of the fit hold what the other cells predict, and others are compared by the
    cells they have.
    """
    Z, there, weight = prepared.Z, prepared.there, prepared.weight
    if not there.all():
        Z = fit_shallow(Z, there, weight, settings.clean).rows
    components = fit_kernel(Z, weight, settings.clean)
    Zhat = components.reconstructed(Z, None if there.all() else there).astype(np.float64)
    R = np.where(there, Z - Zhat, 0.0)
    noise = _noise(R, weight, prepared.floor, settings.by_column)
    model = closed_model((components,), noise, prepared.preprocessing, settings)
    model = model.having(sources=settings.sources)
    cells, own = model.cells_as(R, Z, there, 1.0), OfWholeRows(components)
    energies = own.rows(cells)
    nearest = energies <= quantile(energies, 1.0 if settings.clean else NEAREST, weight) * (1 + 1e-9)
    return model, RowsOfFit(prepared.X, weight, cells, nearest, Fit(own, energies))


def cells_err_together(rows: RowsOfFit) -> bool:
    """Tell whether rows lie near clusters or bent shapes, which wholes tell better than cells."""
    near = neighbourhood(rows.cells.Z, rows.weight, rows.nearest)
    return dependence(near, rows.cells, rows.weight) > APART


def _noise(R: np.ndarray, weight: Weight, floor: np.ndarray, by_column: bool) -> np.ndarray:
    if by_column:
        return np.maximum(MAD_TO_SD * quantile(np.abs(R), 0.5, weight), floor)
    return np.full(R.shape[1], max(float(np.nan_to_num(scale_of_rows(R, weight))), float(np.median(floor))))
