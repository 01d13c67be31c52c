"""Fits in closed form: each cell from all others, rows judged as if each had been left out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from robustae.fit.auto import Settings
from robustae.fit.cells import Cells
from robustae.fit.energies import ENERGIES
from robustae.fit.lambdas import K_NOISE
from robustae.fit.model import Model
from robustae.fit.ranking import ROWS, RowsOfFit
from robustae.fit.sources import Sources, plain
from robustae.predictors import build
from robustae.solvers import Result
from robustae.solvers.objective import Preprocessing, row_blocks
from robustae.stats.scales import Weight, scale_beside_spike, some_rows
from robustae.stats.shallow import fit_shallow

__all__ = ["Prepared", "cell_by_cell", "closed_model", "result_of"]

SOME = 5000  # rows from which the scales of flags come
STATUS = "fitted in closed form."


@dataclass(frozen=True)
class Prepared:
    """Rows for a fit in closed form, equal ones merged.

    Attributes
    ----------
    X : array, shape (n, d)
        In the user's units, NaN for missing.
    weight : array, shape (n,), or None
    Z : array, shape (n, d)
        On the model's scale, filled.
    there : array of bool, shape (n, d)
    preprocessing : Preprocessing
        The scaling, and what a missing cell counts as.
    floor : array, shape (d,)
        Least noise by column, on the model's scale.
    """

    X: np.ndarray
    weight: Weight
    Z: np.ndarray
    there: np.ndarray
    preprocessing: Preprocessing
    floor: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, weight: Weight, preprocessing: Preprocessing, floor: np.ndarray) -> "Prepared":
        """Take some of the rows, evenly spread."""
        X, weight = some_rows(X, weight, ROWS)
        Z = preprocessing.scaling.transform(np.ascontiguousarray(X, dtype=np.float64))
        there = ~np.isnan(Z)
        return cls(X, weight, np.where(there, Z, preprocessing.fill), there, preprocessing, floor)


def cell_by_cell(prepared: Prepared, settings: Settings) -> tuple[Model, RowsOfFit]:
    """Predict every cell from all others; return the model without its energy, and the rows by it."""
    X, weight, Z, there = prepared.X, prepared.weight, prepared.Z, prepared.there
    sources = _sources(X, weight, settings)
    groups = None if sources is None else sources.groups(prepared.preprocessing.scaling)
    fit = fit_shallow(Z, there, weight, settings.clean, groups)
    R, wider, noise = fit.residuals, fit.wider, np.maximum(fit.scale, prepared.floor)
    widening = _widening(R / wider, Z, there, weight, noise) if settings.by_column else 1.0
    model = closed_model((fit.scatter, groups), noise, prepared.preprocessing, settings)
    model = model.having(widening=widening, sources=sources)
    return model, RowsOfFit(X, weight, model.cells_as(R, fit.rows, there, wider), fit.nearest)


def _sources(X: np.ndarray, weight: Weight, settings: Settings) -> Sources | None:
    """Source columns, those of two values among them: in tables, where columns have units of their own."""
    if not settings.by_column:
        return settings.sources
    return (settings.sources or plain(X.shape[1])).with_pairs(X, weight)


def closed_model(
    found: tuple[Any, ...], noise: np.ndarray, preprocessing: Preprocessing, settings: Settings
) -> Model:
    """Return the model of what a predictor is set to, its energy yet to be fitted."""
    module: Any = build(settings.predictor, len(noise), (), None, torch.Generator())
    module.set(*found)
    lam = 2 * K_NOISE * noise if settings.auto_lam else settings.lam
    if not settings.penalty.lam_by_column and settings.auto_lam:
        lam = float(np.median(lam))
    return Model(
        module.double().eval().requires_grad_(False),
        settings.penalty,
        lam,
        preprocessing.scaling,
        preprocessing.clip,
        noise,
        preprocessing.fill,
        ENERGIES["log"](),
    )


def result_of(rows: RowsOfFit) -> Result:
    """Return how a fit in closed form went: the objective of its rows."""
    return Result([_objective(rows.cells, rows.weight)], STATUS)


def _widening(
    R: np.ndarray, Z: np.ndarray, there: np.ndarray, weight: Weight, noise: np.ndarray
) -> np.ndarray:
    """How many times wider than the noise the scale is that cells are judged by (`scale_beside_spike`)."""
    sizes, weights = some_rows(np.where(there, np.abs(R), np.nan), weight, SOME)
    wider = scale_beside_spike(sizes, some_rows(np.where(there, Z, np.nan), None, SOME)[0], weights)
    return np.maximum(np.nan_to_num(wider) / noise, 1.0)


def _objective(cells: Cells, weight: Weight) -> float:
    parts = (cells.R[rows] for rows in row_blocks(*cells.R.shape))
    found = np.concatenate([cells.penalty.envelope(part, cells.lam).sum(1) for part in parts])
    return float(found.sum() if weight is None else weight @ found)
