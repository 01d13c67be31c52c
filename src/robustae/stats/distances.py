"""Robust Mahalanobis distances out of fold, where there may be fewer rows than columns.

A row is judged by the mean m and the shrunken covariance S (Ledoit and Wolf 2004) of the rows kept in the
other folds, ``(x - m)' S^-1 (x - m)``. The share KEEP with the least distances is kept, in concentration
steps from a given start (as the fast MCD, Rousseeuw and Van Driessen 1999).
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["FoldedDistance", "fit_distance"]

KEEP = 0.8  # share of the rows kept: a fifth may be odd
STEPS = 5  # of the concentration, at most
TINY = 1e-12
TIED = 1e-9  # distances this near, relatively, are one


@dataclass(frozen=True)
class FoldedDistance:
    """A centre and a whitening for each fold, of the rows kept in the others.

    Attributes
    ----------
    location : array, shape (folds, d), float32
    whitening : array, shape (folds, d, d), float32
        ``S^-1 = whitening @ whitening.T``.
    """

    location: np.ndarray
    whitening: np.ndarray

    def squares(self, X: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Return squared distances, shape (n,), above 0.

        Parameters
        ----------
        X : array, shape (n, d)
        fold : array of int, shape (n,)
            Whose distance a row gets: that of the fold it was left out of; -1: the mean over all.
        """
        each = np.stack([_squares(X, *model) for model in zip(self.location, self.whitening, strict=True)])
        return np.maximum(np.where(fold < 0, each.mean(axis=0), each[fold, np.arange(len(X))]), TINY)


def fit_distance(X: np.ndarray, fold: np.ndarray, folds: int, kept: np.ndarray) -> FoldedDistance:
    """Fit to rows that may hold odd ones.

    Parameters
    ----------
    X : array, shape (n, d)
        Columns of about one unit.
    fold : array of int, shape (n,)
        Of each row; equal rows belong into one. -1: it is in all.
    folds : int
    kept : array of bool, shape (n,)
        Where the steps begin; some are.

    Returns
    -------
    FoldedDistance
    """
    before = np.zeros(len(X))
    found = _fitted(X, fold, folds, kept)
    for _ in range(STEPS):
        squares = found.squares(X, fold)
        # Two odd rows that are alike would else take turns: the one kept excuses the other.
        last, kept = kept, _nearest(np.maximum(squares, before))
        if (kept == last).all():
            break
        before, found = squares, _fitted(X, fold, folds, kept)
    return found


def _fitted(X: np.ndarray, fold: np.ndarray, folds: int, kept: np.ndarray) -> FoldedDistance:
    models = []
    for number in range(folds):
        others = kept & (fold != number)
        models.append(_model(X[others if others.any() else kept]))
    location, whitening = zip(*models, strict=True)
    return FoldedDistance(np.stack(location), np.stack(whitening))


def _model(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.covariance import ledoit_wolf

    centre = X.mean(axis=0, dtype=np.float64)
    S, _ = ledoit_wolf(np.repeat(X - centre, 2, axis=0) if len(X) == 1 else X - centre, assume_centered=True)
    S[np.diag_indices_from(S)] += max(TINY, TINY * np.trace(S))
    whitening = np.linalg.inv(np.linalg.cholesky(S)).T
    return centre.astype(np.float32), whitening.astype(np.float32)


def _nearest(squares: np.ndarray) -> np.ndarray:
    most = np.sort(squares)[int(np.ceil(KEEP * len(squares))) - 1]
    return squares <= most * (1 + TIED)


def _squares(X: np.ndarray, centre: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    whitened = (X - centre) @ whitening
    return np.einsum("ij,ij->i", whitened, whitened, dtype=np.float64)
