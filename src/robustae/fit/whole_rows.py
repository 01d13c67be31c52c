"""Fits of rows as wholes: each predicted from other rows, and judged as if it had been left out."""

import numpy as np

from robustae.fit.auto import Settings
from robustae.fit.closed import Prepared, closed_model
from robustae.fit.energies import Fit, Neighbours, OfWholeRows
from robustae.fit.model import Model
from robustae.fit.ranking import NEAREST, RowsOfFit
from robustae.stats.drawn import Drawn
from robustae.stats.kernel import fit_kernel
from robustae.stats.neighbourhood import neighbourhood
from robustae.stats.scales import MAD_TO_SD, Weight, quantile, scale_of_rows
from robustae.stats.shallow import fit_shallow

__all__ = ["cells_err_together", "whole_rows"]

SOME = 1000  # rows that tell whether cells err together, and as many drawn ones
INNER = 0.9  # share of the rows that are asked
LOW, APART = 0.1, 0.1  # the quantile of the distances that is compared, and how far apart its logarithms are


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
    """Tell whether what a predictor leaves of cells depends on one another.

    Rows, the tenth farthest off apart, against as many drawn ones, their reconstructions with cells that err
    independently: where these lie much farther from their nearest neighbours, rows lie near clusters or bent
    shapes, which a row as a whole tells better than any of its cells.
    """
    cells, weight = rows.cells, rows.weight
    near = Neighbours(neighbourhood(cells.Z, weight, rows.nearest))
    sums = cells.logs.sum(1)
    inner = np.flatnonzero(sums <= quantile(sums, INNER, weight))
    inner = inner[:: max(1, len(inner) // SOME)]
    cells, weight = cells.of(inner), None if weight is None else weight[inner]
    drawn = near.drawn(cells, weight, Drawn(len(inner), weight, np.zeros(len(inner), bool), SOME))
    own, apart = quantile(near.rows(cells), LOW, weight), quantile(drawn, LOW)
    return bool(np.log(apart / own) > APART)


def _noise(R: np.ndarray, weight: Weight, floor: np.ndarray, by_column: bool) -> np.ndarray:
    if by_column:
        return np.maximum(MAD_TO_SD * quantile(np.abs(R), 0.5, weight), floor)
    return np.full(R.shape[1], max(float(np.nan_to_num(scale_of_rows(R, weight))), float(np.median(floor))))
