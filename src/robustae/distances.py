"""A robust distance of the whole row: Mahalanobis under a trimmed, shrunk covariance."""

from dataclasses import dataclass

import numpy as np

from robustae.checks import InputError
from robustae.scales import Weight, quantile

__all__ = ["RobustDistance", "robust_distance"]

WIDEST = 2000
KEPT = 0.75


@dataclass(frozen=True)
class RobustDistance:
    """d2 = (z - location)' precision (z - location), divided by its median over the rows.

    Attributes
    ----------
    location : array, shape (d,)
    precision : array, shape (d, d)
        Divided by the median distance of the training rows.
    """

    location: np.ndarray
    precision: np.ndarray

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        """Squared distances of the rows of Z, shape (n, d), in units of the median one."""
        B = Z - self.location
        return np.einsum("ij,ij->i", B @ self.precision, B)


def robust_distance(Z: np.ndarray, weight: Weight = None) -> RobustDistance:
    """Fit by concentration steps (Rousseeuw and Van Driessen 1999): keep the nearest 3/4 of the rows.

    The start is the rows of least sum of log(1 + z^2); the covariance is shrunk towards its diagonal
    by d / (d + rows kept).

    Raises
    ------
    InputError
        If there are more than 2000 columns.
    """
    if Z.shape[1] > WIDEST:
        raise InputError(f"energy='combined' works up to {WIDEST} columns, and X has {Z.shape[1]}.")
    weight = np.ones(len(Z)) if weight is None else weight
    d2 = np.log1p(Z**2).sum(1)
    keep = np.zeros(len(Z), dtype=bool)
    for _ in range(10):
        before, keep = keep, _nearest(d2, weight)
        if (before == keep).all():
            break
        distance = _gaussian(Z[keep], weight[keep])
        d2 = distance(Z)
    middle = float(quantile(d2, 0.5, weight))
    return RobustDistance(distance.location, distance.precision / (middle if middle > 1e-12 else 1.0))


def _nearest(d2: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Which rows make up the nearest `KEPT` of the weight."""
    order = np.argsort(d2, kind="stable")
    upto = np.cumsum(weight[order])
    keep = np.zeros(len(d2), dtype=bool)
    keep[order[upto - weight[order] < KEPT * upto[-1] * (1 - 1e-12)]] = True
    return keep


def _gaussian(Z: np.ndarray, weight: np.ndarray) -> RobustDistance:
    location = np.average(Z, axis=0, weights=weight)
    B = (Z - location) * np.sqrt(weight / weight.sum())[:, None]
    S = B.T @ B
    d = Z.shape[1]
    shrink = d / (d + (weight > 0).sum())
    S *= 1 - shrink
    spread = np.diag(S) / (1 - shrink)
    S[np.diag_indices(d)] += shrink * spread + 1e-9 + 1e-6 * spread.mean()
    return RobustDistance(location, np.linalg.inv(S))
