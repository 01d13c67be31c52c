"""Fits of rows as wholes: each predicted from other rows, and judged as if it had been left out."""

from typing import Any

import numpy as np
import torch

from robustae.fit.auto import Settings
from robustae.fit.closed import STATUS, ClosedFit
from robustae.fit.energies import ENERGIES
from robustae.fit.lambdas import K_NOISE
from robustae.fit.model import Block, Model
from robustae.fit.ranking import NEAREST, ROWS, RowsOfFit, ranked
from robustae.predictors import build
from robustae.solvers import Result
from robustae.solvers.objective import Preprocessing
from robustae.stats.kernel import fit_kernel
from robustae.stats.scales import MAD_TO_SD, Weight, quantile, scale_of_rows, some_rows

__all__ = ["fit_whole_rows"]


def fit_whole_rows(
    X: np.ndarray, weight: Weight, preprocessing: Preprocessing, floor: np.ndarray, settings: Settings
) -> ClosedFit:
    """Fit kernel components to the rows of X; parameters as of `fit.closed.fit_closed`.

    A missing cell counts as its column's location: rows are compared as wholes.
    """
    X, weight = some_rows(X, weight, ROWS)
    Z = preprocessing.scaling.transform(np.ascontiguousarray(X, dtype=np.float64))
    there = ~np.isnan(Z)
    Z = np.where(there, Z, preprocessing.fill)
    components = fit_kernel(Z, weight, settings.clean)
    module: Any = build(settings.predictor, Z.shape[1], (), None, torch.Generator())
    module.set(components)
    Zhat = components.reconstructed(Z).astype(np.float64)
    R = np.where(there, Z - Zhat, 0.0)
    noise = _noise(R, weight, floor, settings.by_column)
    lam = 2 * K_NOISE * noise if settings.auto_lam else settings.lam
    if not settings.penalty.lam_by_column and settings.auto_lam:
        lam = float(np.median(lam))
    model = Model(
        module.double().eval().requires_grad_(False),
        settings.penalty,
        lam,
        preprocessing.scaling,
        preprocessing.clip,
        noise,
        preprocessing.fill,
        ENERGIES["log"](),
        sources=settings.sources,
    )
    cells = model.cells(Block(slice(0, len(Z)), Z, there, Zhat, R))
    energies = components.energies(Z)
    nearest = energies <= quantile(energies, 1.0 if settings.clean else NEAREST, weight) * (1 + 1e-9)
    model, calibration = ranked(model, RowsOfFit(X, weight, cells, nearest), settings)
    found = cells.penalty.envelope(R, lam).sum(1)
    objective = float(found.sum() if weight is None else weight @ found)
    return ClosedFit(model, Result([objective], STATUS), calibration)


def _noise(R: np.ndarray, weight: Weight, floor: np.ndarray, by_column: bool) -> np.ndarray:
    if by_column:
        return np.maximum(MAD_TO_SD * quantile(np.abs(R), 0.5, weight), floor)
    return np.full(R.shape[1], max(float(np.nan_to_num(scale_of_rows(R, weight))), float(np.median(floor))))
