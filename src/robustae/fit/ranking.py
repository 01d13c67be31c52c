"""From a model and rows of its fit to the energy that ranks, and to what clean unseen rows have of it."""

from dataclasses import dataclass, replace

import numpy as np

from robustae.fit.auto import Settings
from robustae.fit.cells import Cells
from robustae.fit.energies import ENERGIES, Energy, Fit
from robustae.fit.known import KnownRows
from robustae.fit.model import CellsAlone, Model
from robustae.predictors import traits_of
from robustae.stats.drawn import MOST, drawn_of, widened, without_excess
from robustae.stats.scales import Weight, quantile, some_rows
from robustae.stats.thresholds import FALSE_ALARMS, Calibration, clean_part

__all__ = ["ROWS", "RowsOfFit", "calibrated", "ranked", "rows_of_fit"]

ROWS = 20_000  # evenly spread, are enough
NEAREST = 0.75
QUANTILES = 1001
FAR, LEFT = 0.003, 0.001  # share of clean rows beyond which rows are far off; share that these keep
APART = 5.0  # deviations of the lower half beyond which they are apart from the others
RECOUNTS, ENOUGH = 12, 2500  # times, and rows drawn to find them
REPEATED = 10  # copies of a row on average: the rows are a few values, whose shares are known


@dataclass(frozen=True)
class RowsOfFit:
    """Some rows of a fit, equal ones merged.

    Attributes
    ----------
    X : array, shape (n, d)
        In the user's units, NaN for missing.
    weight : array, shape (n,), or None
    cells : Cells
        As if each row had been left out, where the predictor can tell.
    nearest : array of bool, shape (n,)
        The rows nearest to the centre.
    own : Fit or None
        The energy that the predictor brings itself.
    """

    X: np.ndarray
    weight: Weight
    cells: Cells
    nearest: np.ndarray
    own: Fit | None = None


def rows_of_fit(model: Model, X: np.ndarray, weight: Weight, clean: bool) -> RowsOfFit:
    """Return up to 20 000 rows, as the model finds them."""
    X, weight = some_rows(X, weight, ROWS)
    cells = model.all_cells(X)
    sums = ENERGIES["log"]().rows(cells)
    limit = quantile(sums, 1.0 if clean else NEAREST, weight)
    return RowsOfFit(X, weight, cells, sums <= limit * (1 + 1e-9))


def ranked(model: Model, rows: RowsOfFit, settings: Settings) -> tuple[Model, Calibration]:
    """Fit the energy, and return it in the model, with the energies of clean unseen rows."""
    model, cells = model.trusting(rows.cells, rows.weight)
    rows = replace(rows, cells=cells)
    found = rows.own
    if found is None or found.energy.name != settings.energy:
        found = ENERGIES[settings.energy].fit(rows.cells, rows.weight, rows.nearest)
    model = model.having(energy=found.energy, known=KnownRows.of(rows.X, found.energies, rows.weight))
    by_cells = settings.by_column or traits_of(settings.predictor).closed_form
    if not (by_cells and model.energy.of_cells):
        return model, calibrated(model, found.energies, rows.weight)
    tame = replace(rows, cells=rows.cells.tamed(rows.weight))
    clean = _clean(model.energy, rows, tame)
    if model.energy.needs_rows:
        model = model.having(alone=_cells_alone(model.energy, rows, tame, clean))
    calibration = _drawn(model.energy, found.energies, tame, clean)
    copies = len(rows.X) if rows.weight is None else rows.weight.sum()
    if copies >= REPEATED * len(rows.X):
        return model, calibration.or_more(found.energies, rows.weight)
    return model, calibration


def _drawn(
    energy: Energy, energies: np.ndarray, tame: RowsOfFit, clean: Weight, most: int = MOST
) -> Calibration:
    drawn = energy.drawn(tame.cells, clean, drawn_of(tame.X, clean, most))
    return Calibration.of_rows(widened(drawn, energies, clean, tame.cells.counted.shape[1]))


def _clean(energy: Energy, rows: RowsOfFit, tame: RowsOfFit) -> Weight:
    """Return weights of the rows to draw from, for anomalies' cells would make drawn rows err too much.

    Rows far beyond those drawn, and beyond the lower half of all, count next to nothing where they are more
    than a few, until they stay.
    """
    energy = energy.without_rows() if energy.needs_rows else energy
    energies, clean = energy.rows(rows.cells), rows.weight
    before, far = None, np.zeros(len(energies), bool)
    least = clean_part(energies, rows.weight, energy.power).beyond(APART)
    for _ in range(RECOUNTS):
        limit = _drawn(energy, energies, tame, clean, ENOUGH).limit(FAR)
        before, far = far, energies > max(limit, least)
        if (before != far).mean() <= FAR:
            break
        clean = without_excess(far, rows.weight, LEFT)
    return clean


def _cells_alone(energy: Energy, rows: RowsOfFit, tame: RowsOfFit, clean: Weight) -> CellsAlone:
    energy = energy.without_rows()
    energies = energy.rows(rows.cells)
    quantiles = quantile(energies, np.linspace(0, 1, QUANTILES), rows.weight)
    return CellsAlone(quantiles, _drawn(energy, energies, tame, clean).energies)


def calibrated(model: Model, energies: np.ndarray, weight: Weight) -> Calibration:
    """Return the energies of clean rows by the lower part of those found."""
    found = Calibration.of_clean_part(clean_part(energies, weight, model.energy.power))
    if model.energy.of_cells:
        return found
    copies = len(energies) if weight is None else float(weight.sum())
    return found.at_least(FALSE_ALARMS - 2 / copies)  # few rows tell little of so rare ones
