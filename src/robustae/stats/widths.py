"""How wide the code is, chosen without labels: by the cells a low-rank model predicts but has not seen."""

import numpy as np

from robustae.stats.scales import evenly, median

__all__ = ["auto_width", "held_out"]

WIDEST = 32
SPARSE_WIDEST = 8
SLACK = 1.05  # the least width within 5 % of the best held-out error
ROWS, COLUMNS = 300, 128  # of the evenly spread sample that is cross-validated


def auto_width(A: np.ndarray) -> int:
    """Least width whose held-out cells are predicted within 5 % of the best; 0 where a constant is best.

    Bi-cross-validation (Owen and Perry 2009): a quarter of the cells, half of the rows by half of the
    columns, is predicted from the other three quarters. The error of a column is its median absolute
    residual, and columns count by the logarithm of theirs, so that neither wild cells nor wild
    columns decide. Where the typical cell is background (sparse pictures: strokes on paper) the
    median sees nothing of what varies; with rows enough to learn it (n >= d / 4) the third quartile
    judges instead, up to a width of 8.

    Parameters
    ----------
    A : array, shape (n, d)
        The data as the encoder sees it: robustly scaled, soft-clipped.
    """
    B = A[np.ix_(evenly(A.shape[0], ROWS), evenly(A.shape[1], COLUMNS))].astype(np.float64)
    if min(B.shape) < 4:
        return 0
    errors = held_out(B - median(B), WIDEST)
    typical = median(errors.transpose(1, 0, 2))
    width = _least(np.log(typical + 1e-2).mean(1))
    if width == 0 and (typical[0] < 1e-2).mean() > 0.5 and 4 * A.shape[0] >= A.shape[1]:
        return min(_least(np.log(np.quantile(errors, 0.75, axis=1).sum(1) + 1e-300)), SPARSE_WIDEST)
    return width


def _least(log_error: np.ndarray) -> int:
    """Least width within the slack of the best, among those before the error first rises by more.

    Beyond such a rise the components are bought by outliers that move together (shapes in a film).
    """
    rises = np.flatnonzero(np.diff(log_error) > np.log(SLACK))
    log_error = log_error[: rises[0] + 1] if len(rises) else log_error
    return int(np.argmax(log_error <= log_error.min() + np.log(SLACK)))


def held_out(B: np.ndarray, widest: int) -> np.ndarray:
    """Absolute errors of held-out cells, shape (widths, n, d), for widths 0, 1, ... up to `widest`."""
    rng = np.random.default_rng(0)
    n, d = B.shape
    rows, columns = rng.permutation(n), rng.permutation(d)
    half_n, half_d = n // 2, d // 2
    widest = min(widest, half_n - 1, half_d - 1)
    errors = np.empty((widest + 1, n, d))
    for out_rows, in_rows in _halves(rows, half_n):
        for out_columns, in_columns in _halves(columns, half_d):
            blocks = (B[np.ix_(r, c)] for r in (out_rows, in_rows) for c in (out_columns, in_columns))
            out, beside, above, seen = blocks
            errors[np.ix_(np.arange(widest + 1), out_rows, out_columns)] = _quarter(
                out, beside, above, seen, widest
            )
    return errors


def _halves(order: np.ndarray, half: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return (order[:half], order[half:]), (order[half:], order[:half])


def _quarter(
    out: np.ndarray, beside: np.ndarray, above: np.ndarray, seen: np.ndarray, widest: int
) -> np.ndarray:
    """|out - beside pinv_k(seen) above| for k = 0, ..., widest."""
    U, s, Vt = np.linalg.svd(seen, full_matrices=False)
    codes = beside @ Vt[:widest].T
    loadings = (U[:, :widest].T @ above) / np.maximum(s[:widest], 1e-9 * max(s[0], 1e-300))[:, None]
    errors = np.empty((widest + 1, *out.shape))
    errors[0] = out
    for k in range(widest):
        errors[k + 1] = errors[k] - np.outer(codes[:, k], loadings[k])
    return np.abs(errors)
