"""Two usual detectors by scikit-learn: distance to the nearest neighbours, and the one-class SVM."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from robustae.baselines.refusals import complete_rows, whole_number
from robustae.baselines.training_rows import TrainingRows

__all__ = ["KNNDistance", "one_class_svm"]


class KNNDistance(BaseEstimator):
    """Score rows by their mean Euclidean distance to the nearest training rows.

    A training row is not its own neighbour: a row whose cells are exactly those of a training row
    is scored as that row, left out once, so that an equal second training row still counts at
    distance 0. Every other row is unseen, and nothing is left out.

    Parameters
    ----------
    n_neighbors : int
        Fewer are used where there are fewer other rows.

    References
    ----------
    Angiulli and Pizzuti (2002), Fast outlier detection in high dimensional spaces, PKDD.
    """

    def __init__(self, *, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def fit(self, X: Any, y: Any = None) -> "KNNDistance":
        """Keep the rows of X, shape (n, d), n >= 2.

        Raises
        ------
        InputError
            If a cell is missing (NaN), or `n_neighbors` is not a whole number from 1 on.
        """
        from sklearn.neighbors import NearestNeighbors

        whole_number("n_neighbors", self.n_neighbors)
        X = complete_rows(self, X, reset=True)
        self._known = TrainingRows(X)
        self._k = min(self.n_neighbors, len(X) - 1)
        self._index = NearestNeighbors(n_neighbors=self._k + 1).fit(X)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the mean distance: higher = more normal; shape (n,)."""
        check_is_fitted(self)
        X = complete_rows(self, X)
        distances, neighbours = self._index.kneighbors(X)
        itself = neighbours == self._known.find(X)[:, None]
        itself[~itself.any(1), -1] = True  # unseen, or behind its equals: the farthest goes
        return -distances[~itself].reshape(-1, self._k).mean(1)


def one_class_svm(nu: float = 0.5) -> Any:
    """Return scikit-learn's unfitted one-class SVM, with its own defaults.

    The kernel is Gaussian with gamma = 1 / (d var(X)). nu bounds the share of training rows outside
    from above; scikit-learn's .5 assumes no share of anomalies. Cells that are
    missing are refused.

    References
    ----------
    Scholkopf et al. (2001), Estimating the support of a high-dimensional distribution.
    """
    from sklearn.svm import OneClassSVM

    return OneClassSVM(kernel="rbf", gamma="scale", nu=nu)
