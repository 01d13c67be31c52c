"""Fits in closed form: each cell from all others, rows judged as if each had been left out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from robustae.fit.auto import Settings
from robustae.fit.energies import ENERGIES, Cells
from robustae.fit.lambdas import K_NOISE
from robustae.fit.model import Block, Model
from robustae.fit.ranking import ROWS, RowsOfFit, ranked
from robustae.fit.sources import Sources, plain
from robustae.predictors import build
from robustae.solvers import Result
from robustae.solvers.objective import Preprocessing
from robustae.stats.conditional import given
from robustae.stats.groups import Groups
from robustae.stats.scales import Weight, scale_beside_spike, some_rows
from robustae.stats.shallow import Shallow, fit_shallow
from robustae.stats.thresholds import Calibration

__all__ = ["ClosedFit", "fit_closed"]

SOME = 5000  # rows from which the scales of flags come
STATUS = "fitted in closed form."


@dataclass(frozen=True)
class ClosedFit:
    """A model fitted in closed form, how it went, and the energies of clean unseen rows."""

    model: Model
    result: Result
    calibration: Calibration


def fit_closed(
    X: np.ndarray, weight: Weight, preprocessing: Preprocessing, floor: np.ndarray, settings: Settings
) -> ClosedFit:
    """Fit to the rows of X, in the user's units, equal ones merged.

    Parameters
    ----------
    X : array, shape (n, d)
        NaN for missing.
    weight : array, shape (n,), optional
    preprocessing : Preprocessing
        The scaling, and what a missing cell counts as.
    floor : array, shape (d,)
        Least noise by column, on the model's scale.
    settings : Settings
    """
    X, weight = some_rows(X, weight, ROWS)
    Z = preprocessing.scaling.transform(np.ascontiguousarray(X, dtype=np.float64))
    there = ~np.isnan(Z)
    Z = np.where(there, Z, preprocessing.fill)
    sources = _sources(X, weight, settings)
    groups = None if sources is None else sources.groups(preprocessing.scaling)
    fit = fit_shallow(Z, there, weight, settings.clean, groups)
    block, noise = _left_out(fit, Z, there, groups), np.maximum(fit.scale, floor)
    module: Any = build(settings.predictor, Z.shape[1], (), None, torch.Generator())
    module.set(fit.scatter, groups)
    lam = 2 * K_NOISE * noise if settings.auto_lam else settings.lam
    if not settings.penalty.lam_by_column and settings.auto_lam:
        lam = float(np.median(lam))
    widening = _widening(block.R / block.wider, Z, there, weight, noise) if settings.by_column else 1.0
    model = Model(
        module.eval().requires_grad_(False),
        settings.penalty,
        lam,
        preprocessing.scaling,
        preprocessing.clip,
        noise,
        preprocessing.fill,
        ENERGIES["log"](),
        widening=widening,
        sources=sources,
    )
    rows = RowsOfFit(X, weight, model.cells(block), fit.nearest)
    model, calibration = ranked(model, rows, settings)
    return ClosedFit(model, Result([_objective(rows.cells, weight)], STATUS), calibration)


def _sources(X: np.ndarray, weight: Weight, settings: Settings) -> Sources | None:
    """Source columns, those of two values among them: in tables, where columns have units of their own."""
    if not settings.by_column:
        return settings.sources
    return (settings.sources or plain(X.shape[1])).with_pairs(X, weight)


def _left_out(fit: Shallow, Z: np.ndarray, there: np.ndarray, groups: Groups | None) -> Block:
    """The rows of the fit as if each had been left out."""
    found = given(fit.scatter, Z, there)
    full, R = found.B + fit.scatter.location, found.left_out(fit.scatter, fit.kept)
    if groups is not None:
        R = groups.residuals(R, found, fit.scatter, there, fit.kept)
    return Block(slice(0, len(Z)), full, there, full - R, np.where(there, R, 0.0), found.wider)


def _widening(
    R: np.ndarray, Z: np.ndarray, there: np.ndarray, weight: Weight, noise: np.ndarray
) -> np.ndarray:
    """How many times wider than the noise the scale is that cells are judged by (`scale_beside_spike`)."""
    sizes, weights = some_rows(np.where(there, np.abs(R), np.nan), weight, SOME)
    wider = scale_beside_spike(sizes, some_rows(np.where(there, Z, np.nan), None, SOME)[0], weights)
    return np.maximum(np.nan_to_num(wider) / noise, 1.0)


def _objective(cells: Cells, weight: Weight) -> float:
    found = cells.penalty.envelope(cells.R, cells.lam).sum(1)
    return float(found.sum() if weight is None else weight @ found)
