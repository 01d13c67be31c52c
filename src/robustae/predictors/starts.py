"""Robust starts: weights from which a solver has little left to do."""

from functools import singledispatch

import numpy as np
import torch
from torch import nn

from robustae.predictors import Constant, Linear, Sigmoid
from robustae.stats.scales import Weight, median
from robustae.stats.spectral import Components, components

__all__ = ["start"]

LINEAR_RANGE = 0.4  # activations up to here: the sigmoid is within 1.4 % of its tangent


@singledispatch
def start(module: nn.Module, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
    """Set the module's weights from A, shape (n, d): what its encoder sees.

    Networks without a spectral solution keep the weights they were drawn with.
    """


@start.register
def _constant(module: Constant, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
    """The median (the mean, if not robust)."""
    _set(module.b, median(A, weight) if robust else np.average(A, axis=0, weights=weight))


@start.register
def _linear(module: Linear, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
    """U = V' = the leading components: PCA about the median (the mean, if not robust)."""
    found = _filled(components(A, module.U.shape[1], weight, robust), module.U.shape[1])
    _set(module.U, found.loadings.T)
    _set(module.V, found.loadings)
    _set(module.b, found.location - found.location @ found.loadings.T @ found.loadings)


@start.register
def _sigmoid(module: Sigmoid, A: np.ndarray, weight: Weight = None, robust: bool = True) -> None:
    """The components' scores shrunk into the sigmoid's linear range, f(a) = 1/2 + a/4 nearly.

    Without biases the 1/2 cannot be taken off, so units come in pairs: f(a) - f(-a) = a/2 nearly,
    and the location is left to the solver.
    """
    paired = module.b is None
    K = module.U.shape[1] // 2 if paired else module.U.shape[1]
    found = _filled(components(A, K, weight, robust and not paired), K)
    scores = (A - found.location) @ found.loadings.T
    shrink = LINEAR_RANGE / np.maximum(np.quantile(np.abs(scores), 0.99, axis=0), 1e-12)
    U, V = found.loadings.T * shrink, 4 * found.loadings / shrink[:, None]
    if paired:
        U, V = np.hstack([U, -U]), np.vstack([V, -V]) / 2
        _set(module.U.data[:, : U.shape[1]], U)
        _set(module.V.data[: V.shape[0]], V)
        return
    _set(module.U, U)
    _set(module.V, V)
    _set(module.a, -(found.location @ U))
    _set(module.b, found.location - V.sum(0) / 2)


def _filled(found: Components, K: int) -> Components:
    """Add zero loadings where the data has fewer than K dimensions."""
    zeros = np.zeros((K - len(found.loadings), found.loadings.shape[1]))
    return Components(found.location, np.vstack([found.loadings, zeros]))


def _set(parameter: torch.Tensor | None, values: np.ndarray) -> None:
    assert parameter is not None
    parameter.data.copy_(torch.from_numpy(np.array(values, dtype=np.float64, order="C")))
