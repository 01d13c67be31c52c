"""Which rows a network is to learn from: those that a robust linear model of the others fits well."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from robustae.fit.lambdas import K_NOISE
from robustae.penalties import Penalty
from robustae.stats.scales import Weight, median, scale_of_rows, some_rows
from robustae.stats.spectral import components

__all__ = ["linear_distance", "linear_energies"]

MOST = 40  # components that may hold more than SHRINK of the variance; few ever do
SHRINK = 0.01  # of the total variance, taken off that of every component
ROUNDS = 15  # of the alternation between components and N
STEPS = 10  # of concentration at most
ROWS = 500  # or up to twice as many, evenly spread, from which components are found: bounds the cost


def linear_energies(A: np.ndarray, weight: Weight, trimmed: Penalty) -> np.ndarray:
    """Return squared residuals of the rows of A about components of those that `trimmed` keeps.

    A network learns odd rows by heart, so its own residuals show them late or never; few components
    cannot. Two robust fits, one from the other: first the paper's alternation, components of A - N and
    N by equation (6); then components of the rows kept and rows kept by them, until they stand.

    Parameters
    ----------
    A : array, shape (n, d)
        What the encoder sees, without missing cells.
    weight : array, shape (n,), or None
    trimmed : Penalty

    Returns
    -------
    array, shape (n,)
    """
    return linear_distance(A, weight, trimmed)(A)


def linear_distance(A: np.ndarray, weight: Weight, trimmed: Penalty) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives the `linear_energies` of any rows, given those of A."""
    some, w = some_rows(A, np.ones(len(A)) if weight is None else weight, ROWS)
    assert w is not None
    energies = _of_rows(some - _without_wild_cells(some, w))
    kept = np.zeros(len(some), dtype=bool)
    model = None
    for _ in range(STEPS):
        before, kept = kept, trimmed.keep(energies, w)
        if model is not None and (kept == before).all():
            break
        model = _shrunken(some, kept * w)
        energies = _of_rows(some - model(some))
    assert model is not None
    return partial(_squared_about, model)


def _squared_about(model: "_Components", A: np.ndarray) -> np.ndarray:
    return _of_rows(A - model(A))


def _of_rows(R: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", R, R)


def _without_wild_cells(A: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Xhat of the rows themselves: the alternation's, with lam tied to the noise."""
    Xhat = np.broadcast_to(median(A, weight).astype(A.dtype), A.shape)
    for _ in range(ROUNDS):
        R = A - Xhat
        bound = K_NOISE * scale_of_rows(R, weight)
        without_N = Xhat + R.clip(-bound, bound)
        Xhat = _shrunken(without_N, weight)(without_N)
    return Xhat


@dataclass(frozen=True)
class _Components:
    """Xhat = location + the components' scores, each times its share."""

    location: np.ndarray
    loadings: np.ndarray
    shares: np.ndarray

    def __call__(self, A: np.ndarray) -> np.ndarray:
        return self.location + ((A - self.location) @ self.loadings.T * self.shares) @ self.loadings


def _shrunken(A: np.ndarray, weight: np.ndarray) -> _Components:
    """Principal components, of which Xhat holds max(0, 1 - SHRINK t / l), l their variance, t the total.

    That is where J is least for the linear predictor with lam = inf and mu = 2 SHRINK ||A||^2: a nuclear
    norm, which needs no width.
    """
    there = weight > 0
    A, weight = A[there], weight[there]
    found = components(A, MOST, weight, robust=False)
    location, loadings = found.location.astype(A.dtype), found.loadings.astype(A.dtype)
    B = A - location
    variances = np.average((B @ loadings.T) ** 2, axis=0, weights=weight)
    shrunk = SHRINK * np.average(_of_rows(B), weights=weight)
    shares = 1 - np.minimum(1, shrunk / np.maximum(variances, np.finfo(A.dtype).tiny))
    return _Components(location, loadings, shares.astype(A.dtype))
