"""DetectDeviatingCells: which cells differ from what the correlated columns predict.

Rousseeuw and Van den Bossche (2018), Detecting deviating data cells, Technometrics 60, 135-145, section 3,
written from the paper. Left out: the detection of whole rows (its step 7), the approximate search for
correlated columns that the R package cellWise uses above 750 of them, and its removal of rows and columns
that are half empty.
"""

from typing import Any

import numpy as np
from scipy.stats import chi2, norm
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from robustae.baselines.refusals import number_above
from robustae.data.rows import read_rows
from robustae.stats.scales import MAD_TO_SD, median
from robustae.utils.checks import InputError

__all__ = ["DDC", "m_location", "m_scale"]

BIWEIGHT, HUBER = 3.0, 2.5  # where the weight of the location ends, and where the scale clips
FEWEST_VALUES = 4  # a column of fewer has no scale to speak of
TINY = 1e-12
LARGEST_CORRELATION = 0.99  # of a start: its ellipse must have an area


class DDC(BaseEstimator):
    """Find deviating cells by predicting each from the columns correlated with its own.

    Parameters
    ----------
    tol_prob : float in (0, 1)
        Share of Gaussian cells that are not flagged, here and in the steps between; .99 cuts at 2.58
        deviations.
    corr_limit : float in (0, 1)
        Columns less correlated than this do not predict each other.

    Attributes
    ----------
    location_, scale_ : array, shape (d,)
        Of the columns; NaN scale: set aside for having at most three values or no scale, never flagged.
    correlation_, slope_ : array, shape (d, d)
        Robust; `slope_[j, h]` predicts column j from column h. 0 where they do not.
    shrinkage_, residual_scale_ : array, shape (d,)
        What a prediction is multiplied by, and the deviation of its residuals.
    """

    def __init__(self, *, tol_prob: float = 0.99, corr_limit: float = 0.5) -> None:
        self.tol_prob = tol_prob
        self.corr_limit = corr_limit

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None) -> "DDC":
        """Find scales, correlations and slopes of X, shape (n, d); NaN for missing cells.

        Raises
        ------
        InputError
            If `tol_prob` or `corr_limit` does not lie between 0 and 1.
        """
        for name in ("tol_prob", "corr_limit"):
            _share(name, getattr(self, name))
        X = _cells(self, X, reset=True)
        self.location_ = m_location(X)
        self.scale_ = _usable_scale(X, self.location_)
        Z = self._standardised(X)
        U = self._inlying(Z)
        self.correlation_ = _correlations(U, self.tol_prob)
        self.correlation_[~(np.abs(self.correlation_) >= self.corr_limit)] = 0.0
        self.slope_ = _slopes(U, self.correlation_, self._cut)
        raw = self._raw_prediction(U)
        self.shrinkage_ = np.where(self._connected, _slope(Z, raw, self._cut), 0.0)
        self.residual_scale_ = _positive(m_scale(Z - self.shrinkage_ * raw))
        return self

    def cell_scores(self, X: Any) -> np.ndarray:
        """Return the residuals in robust deviations, shape (n, d); 0 for cells missing or set aside."""
        check_is_fitted(self)
        Z = self._standardised(_cells(self, X))
        return np.nan_to_num((Z - self._predicted(Z)) / self.residual_scale_)

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the mean over a row's cells of the chi-squared probability of their squares, shape (n,).

        The statistic T_i by which the method finds rows (Rousseeuw and Van den Bossche 2018, section 3.2),
        before it is standardised; higher is more normal.
        """
        X = _cells(self, X)
        shares = np.where(np.isnan(X), np.nan, chi2.cdf(self.cell_scores(X) ** 2, 1))
        return -np.nan_to_num(np.nanmean(shares, axis=1))

    def flags(self, X: Any) -> np.ndarray:
        """Return which cells deviate, array of bool, shape (n, d)."""
        return np.abs(self.cell_scores(X)) > self._cut

    def reconstruct(self, X: Any) -> np.ndarray:
        """Return what each cell should be by the others in its row, shape (n, d)."""
        check_is_fitted(self)
        Z = self._standardised(_cells(self, X))
        return self.location_ + np.nan_to_num(self.scale_) * self._predicted(Z)

    @property
    def _cut(self) -> float:
        return float(np.sqrt(chi2.ppf(self.tol_prob, 1)))

    @property
    def _connected(self) -> np.ndarray:
        return (np.abs(self.correlation_) > 0).sum(axis=1) > 1

    def _standardised(self, X: np.ndarray) -> np.ndarray:
        return (X - self.location_) / self.scale_

    def _inlying(self, Z: np.ndarray) -> np.ndarray:
        """Z without the cells that are outlying in their own column."""
        return np.where(np.abs(Z) > self._cut, np.nan, Z)

    def _predicted(self, Z: np.ndarray) -> np.ndarray:
        return self.shrinkage_ * self._raw_prediction(self._inlying(Z))

    def _raw_prediction(self, U: np.ndarray) -> np.ndarray:
        """Mean of what the columns predict, the cell's own among them, weighted by correlation; 0 if none."""
        weight = np.abs(self.correlation_)
        total = ~np.isnan(U) @ weight.T
        return np.nan_to_num(U) @ (weight * self.slope_).T / np.where(total > 0, total, 1.0)


def m_location(X: np.ndarray) -> np.ndarray:
    """One step of Tukey's biweight from the median, down the columns; NaN is left out."""
    centre = median(X)
    t = (X - centre) / (BIWEIGHT * _positive(MAD_TO_SD * median(np.abs(X - centre))))
    weight = np.where(np.abs(t) <= 1, (1 - t**2) ** 2, 0.0)  # 0 for NaN, too
    return centre + (weight * np.nan_to_num(X - centre)).sum(0) / np.maximum(weight.sum(0), TINY)


def m_scale(X: np.ndarray) -> np.ndarray:
    """One step of Huber's scale about 0, from the median absolute value, down the columns; NaN is left out.

    It is consistent for a Gaussian.
    """
    start = MAD_TO_SD * median(np.abs(X))
    present = ~np.isnan(X)
    clipped = np.where(present, np.minimum((X / _positive(start)) ** 2, HUBER**2), 0.0)
    return start * np.sqrt(clipped.sum(0) / np.maximum(present.sum(0), 1) / _clipped_square(HUBER))


def _clipped_square(b: float) -> float:
    """Expectation of min(z^2, b^2) of a standard Gaussian z."""
    inside = 2 * norm.cdf(b) - 1
    return float(inside - 2 * b * norm.pdf(b) + b**2 * (1 - inside))


def _usable_scale(X: np.ndarray, location: np.ndarray) -> np.ndarray:
    scale = m_scale(X - location)
    values = np.array([len(np.unique(column[~np.isnan(column)])) for column in X.T])
    return np.where((scale > TINY) & (values >= FEWEST_VALUES), scale, np.nan)


def _correlations(U: np.ndarray, tol_prob: float) -> np.ndarray:
    """Of all pairs of columns; 1 on the diagonal."""
    d = U.shape[1]
    C = np.eye(d)
    for j in range(d - 1):
        C[j, j + 1 :] = C[j + 1 :, j] = _correlation(U[:, j : j + 1], U[:, j + 1 :], tol_prob)
    return C


def _correlation(a: np.ndarray, B: np.ndarray, tol_prob: float) -> np.ndarray:
    """Of a, shape (n, 1), with each column of B: that of the pairs within the ellipse of a robust start.

    The start compares the scales of sum and difference (Gnanadesikan and Kettenring 1972).
    """
    start = (m_scale(a + B) ** 2 - m_scale(a - B) ** 2) / 4
    start = np.clip(np.nan_to_num(start), -LARGEST_CORRELATION, LARGEST_CORRELATION)
    within = (a**2 - 2 * start * a * B + B**2) / (1 - start**2) <= chi2.ppf(tol_prob, 2)
    first, second = (_centred(np.broadcast_to(one, B.shape), within) for one in (a, B))
    spread = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    return np.where(spread > TINY, (first * second).sum(0) / np.maximum(spread, TINY), 0.0)


def _centred(x: np.ndarray, within: np.ndarray) -> np.ndarray:
    """x minus its mean over the rows within, by column; 0 in the others."""
    x = np.where(within, x, 0.0)
    return np.where(within, x - x.sum(0) / np.maximum(within.sum(0), 1), 0.0)


def _slopes(U: np.ndarray, correlation: np.ndarray, cut: float) -> np.ndarray:
    """Of each column on each that predicts it; 1 on the diagonal."""
    slopes = np.eye(len(correlation))
    for j, row in enumerate(correlation):
        by = np.flatnonzero(row)
        slopes[j, by] = _slope(U[:, j : j + 1], U[:, by], cut)
    return slopes


def _slope(y: np.ndarray, X: np.ndarray, cut: float) -> np.ndarray:
    """Of y on each column of X through 0: least squares where the median of the ratios fits; 0 if none."""
    y = np.broadcast_to(y, X.shape)
    start = np.nan_to_num(median(np.divide(y, X, out=np.full(X.shape, np.nan), where=np.abs(X) > TINY)))
    residual = y - start * X
    kept = np.abs(residual) <= cut * m_scale(residual)
    x = np.where(kept, X, 0.0)
    return (x * np.where(kept, y, 0.0)).sum(0) / np.maximum((x * x).sum(0), TINY)


def _positive(scale: np.ndarray) -> np.ndarray:
    return np.where(scale > TINY, scale, 1.0)


def _cells(estimator: BaseEstimator, X: Any, reset: bool = False) -> np.ndarray:
    return read_rows(estimator, X, None, reset).values.astype(np.float64)


def _share(name: str, value: Any) -> None:
    number_above(name, value, 0)
    if value >= 1:
        raise InputError(f"{name}={value!r} must be a number below 1.")
