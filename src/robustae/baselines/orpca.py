"""Online robust PCA by stochastic optimisation (Feng, Xu and Yan 2013): one row after the other.

The nuclear norm of L = ZV is the least of (||Z||^2 + ||V||^2) / 2, so the batch problem becomes

    min over V of  sum over rows of  min over z, s of
        ||x - zV - s||^2 / 2 + lam1 ||z||^2 / 2 + lam2 ||s||_1      + lam1 ||V||^2 / 2

For each row z and s are found with V held; then V goes through one round of coordinate descent on the
sum so far, which A = sum of z'z and B = sum of z'(x - s) carry whole: memory does not grow.
"""

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from robustae.baselines.refusals import complete_rows, number_above, whole_number
from robustae.baselines.soft import SoftSplit, solve_rows
from robustae.utils.checks import InputError

__all__ = ["OnlineRobustPCA"]


class OnlineRobustPCA(SoftSplit):
    """Online robust PCA (OR-PCA): rows come one by one and are not kept.

    X is taken as it is, without a centre. It is inductive: `fit` and `partial_fit` learn the basis V,
    and every row, seen or unseen, is split by its own convex problem with the last V held. A row's
    energy is its squared residual ||x - l||^2, outlying part included.

    Parameters
    ----------
    rank : int
        Most of L.
    lam1, lam2 : "auto" or float
        Weights of ||Z||^2 and ||V||^2, and of ||S||_1: a residual within lam2 (in units of X) is noise.
        "auto" is 1 / sqrt(d), as in the paper, for X about as large as 1.
    random_state : int or None
        Of the basis that it begins with.

    Attributes
    ----------
    components_ : array, shape (rank, d)
        V; its rows are not orthonormal.
    threshold_, ridge_ : float
        lam2 and lam1 as used.
    n_samples_seen_, n_features_in_ : int

    References
    ----------
    Feng, Xu and Yan (2013), Online robust PCA via stochastic optimization, NeurIPS 26.
    """

    def __init__(
        self, *, rank: int = 10, lam1: Any = "auto", lam2: Any = "auto", random_state: int | None = 0
    ) -> None:
        self.rank = rank
        self.lam1 = lam1
        self.lam2 = lam2
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "OnlineRobustPCA":
        """Learn from the rows of X in their order, once; shape (n, d), or images, (n, height, width, ...).

        Raises
        ------
        InputError
            If a parameter cannot be used or a cell is missing (NaN).
        """
        self._begin(complete_rows(self, X, reset=True))
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "OnlineRobustPCA":
        """Go on with more rows; the first call begins. Errors as `fit`."""
        if not hasattr(self, "components_"):
            return self.fit(X)
        self._learn(complete_rows(self, X))
        return self

    def _begin(self, X: np.ndarray) -> None:
        whole_number("rank", self.rank)
        d = X.shape[1]
        self.ridge_, self.threshold_ = (_weight(name, getattr(self, name), d) for name in ("lam1", "lam2"))
        self.components_ = np.random.default_rng(self.random_state).random((min(self.rank, d), d))
        self._codes, self._targets = np.zeros((len(self.components_),) * 2), np.zeros_like(self.components_)
        self.n_samples_seen_ = 0
        self._learn(X)

    def _learn(self, X: np.ndarray) -> None:
        with threadpool_limits(1):  # products with one row: threads only wait
            for row in X:
                self._step(row[None])
        self.n_samples_seen_ += len(X)

    def _step(self, x: np.ndarray) -> None:
        z, s = solve_rows(x, self.components_, self.threshold_, self.ridge_)
        self._codes += z.T @ z
        self._targets += z.T @ (x - s)
        A = self._codes + self.ridge_ * np.eye(len(self._codes))
        for j, row in enumerate(self.components_):
            row += (self._targets[j] - A[j] @ self.components_) / A[j, j]


def _weight(name: str, value: Any, d: int) -> float:
    if isinstance(value, str):
        if value != "auto":
            raise InputError(f"{name}={value!r} must be 'auto' or a number above 0.")
        return float(1 / np.sqrt(d))
    number_above(name, value, 0)
    return float(value)
