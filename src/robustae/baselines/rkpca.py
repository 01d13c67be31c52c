"""Robust kernel PCA (Fan and Chow 2020): sparse errors on rows near a nonlinear surface.

    min over E of  tr (K + eps I)^(1/2) + lam ||E||_1,
    K_ij = exp(-||z_i - z_j||^2 / (2 sigma^2)),  Z = X - E

The first term is the nuclear norm of the rows' images in feature space, made smooth by eps. Solved by
proximal linearised minimisation, as in the paper: E' = soft(E - G / tau, lam / tau), G the gradient of
the first term. Here tau starts at the secant of the last step (Barzilai and Borwein 1988) and is
doubled until the objective falls, so that it never rises.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from robustae.baselines.refusals import complete_rows, number_above, whole_number
from robustae.baselines.training_rows import TrainingRows
from robustae.estimators.robust_pca import SMALL
from robustae.penalties import soft
from robustae.utils.checks import InputError

__all__ = ["RKPCA"]

EPS = 1e-5  # of the authors' program
FALL = 1e-4  # share of tau ||step||^2 by which the objective must fall
STILL = 3  # small steps in a row: converged


@dataclass(frozen=True)
class Smooth:
    """tr (K + eps I)^(1/2) at Z, and its gradient with respect to E = X - Z."""

    value: float
    gradient: np.ndarray

    @classmethod
    def at(cls, Z: np.ndarray, sigma: float) -> "Smooth":
        """O(n^3 + n^2 d)."""
        K = _kernel(Z, sigma)
        values, vectors = np.linalg.eigh(K)
        roots = np.sqrt(np.maximum(values, 0.0) + EPS)
        T = K * ((vectors / (2 * roots)) @ vectors.T)
        return cls(float(roots.sum()), 2 / sigma**2 * (T.sum(axis=1, keepdims=True) * Z - T @ Z))


def _kernel(Z: np.ndarray, sigma: float) -> np.ndarray:
    squares = np.einsum("ij,ij->i", Z, Z)
    return np.exp(-np.maximum(squares[:, None] + squares - 2 * Z @ Z.T, 0.0) / (2 * sigma**2))


@dataclass(frozen=True)
class _Point:
    E: np.ndarray
    smooth: Smooth
    objective: float

    @classmethod
    def at(cls, X: np.ndarray, E: np.ndarray, lam: float, sigma: float) -> "_Point":
        smooth = Smooth.at(X - E, sigma)
        return cls(E, smooth, smooth.value + lam * float(np.abs(E).sum()))


def _descend(
    X: np.ndarray, lam: float, sigma: float, tol: float, max_iter: int
) -> tuple[_Point, list[float]]:
    """From E = 0, until three steps in a row are shorter than tol ||X||."""
    now = _Point.at(X, np.zeros_like(X), lam, sigma)
    history, still, size = [now.objective], 0, np.linalg.norm(X)
    tau = 1 / sigma**2
    while still < STILL and len(history) <= max_iter:
        before, now = now, _step(now, X, lam, sigma, tau)
        if now is before:
            break
        history.append(now.objective)
        moved = now.E - before.E
        still = still + 1 if np.linalg.norm(moved) < tol * size else 0
        tau = _secant(moved, now.smooth.gradient - before.smooth.gradient, 1e-3 / sigma**2)
    return now, history


def _step(now: _Point, X: np.ndarray, lam: float, sigma: float, tau: float) -> _Point:
    """One proximal step, shortened until the objective falls; the same point where none does."""
    for _ in range(40):
        E = soft(now.E - now.smooth.gradient / tau, lam / tau)
        then = _Point.at(X, E, lam, sigma)
        if then.objective <= now.objective - FALL * tau * float(((E - now.E) ** 2).sum()):
            return then
        tau *= 2
    return now


def _secant(moved: np.ndarray, turned: np.ndarray, least: float) -> float:
    squares = float((moved * moved).sum())
    return max(float((moved * turned).sum()) / squares, least) if squares else least


class RKPCA(BaseEstimator):
    """Robust kernel principal component analysis with a Gaussian kernel.

    Fits min over E of ||phi(X - E)||_* + lam ||E||_1: E is sparse, and the rows of X - E lie near few
    dimensions of feature space. A row's energy is the squared norm of its E. A row many sigma from all
    others feels no pull in feature space: its E stays 0 and it scores as normal.

    It is transductive, and unseen rows cannot be scored: it knows its training rows, whole or some of
    them, again by their exact cells, and refuses any other. One iteration costs O(n^3) time and O(n^2)
    memory: seconds in all for 231 x 256, hours for thousands of rows.

    Parameters
    ----------
    lam : float
        Weight of the l1 norm, in units of n / ||X||_1 as in the authors' program: without units. They try
        .1 to .5; .5 does best in their own planted example.
    width : float
        Of the kernel: sigma is `width` times the mean distance of two rows; their program's is 1.
    tol : float
        Stop when E moves by less than tol ||X||_F, three times running.
    max_iter : int

    Attributes
    ----------
    sparse_ : array, shape (n, d)
        E.
    lam_, sigma_ : float
    history_ : list of float
        The objective by iteration, which never rises.
    n_iter_, n_features_in_ : int

    References
    ----------
    Fan and Chow (2020), Exactly robust kernel principal component analysis, IEEE TNNLS 31,
    arXiv:1802.10558.
    """

    def __init__(
        self, *, lam: float = 0.5, width: float = 1.0, tol: float = 1e-4, max_iter: int = 1000
    ) -> None:
        self.lam = lam
        self.width = width
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any = None) -> "RKPCA":
        """Find E for the rows of X, shape (n, d).

        Raises
        ------
        InputError
            If a parameter cannot be used or a cell is missing (NaN).
        """
        for name in ("lam", "width", "tol"):
            number_above(name, getattr(self, name), 0)
        whole_number("max_iter", self.max_iter)
        X = complete_rows(self, X, reset=True)
        size, distance = np.abs(X).sum(), pdist(X).mean()
        self.lam_ = float(self.lam * len(X) / (size or 1.0))
        # The authors' mean goes over all pairs, each row with itself included.
        self.sigma_ = float(self.width * distance * (1 - 1 / len(X)) or 1.0)
        with threadpool_limits(1 if len(X) <= SMALL else None):
            end, self.history_ = _descend(X, self.lam_, self.sigma_, self.tol, self.max_iter)
        self.sparse_, self.n_iter_ = end.E, len(self.history_) - 1
        self._known = TrainingRows(X)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus each training row's energy: higher = more normal; shape (n,).

        Raises
        ------
        InputError
            If a row is not one of the training rows.
        """
        return -np.square(self.outliers(X)).sum(axis=1)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return X - E of training rows, shape (n, d)."""
        return complete_rows(self, X) - self.outliers(X)

    def outliers(self, X: Any) -> np.ndarray:
        """Return E of training rows, shape (n, d)."""
        check_is_fitted(self)
        at = self._known.find(complete_rows(self, X))
        unseen = np.flatnonzero(at < 0)
        if len(unseen):
            raise InputError(
                f"X: row {unseen[0]} is not among the training rows, and RKPCA cannot score unseen rows: "
                "fit it to both."
            )
        return self.sparse_[at]
