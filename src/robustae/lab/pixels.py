"""How well a score of every pixel finds the foreground, over millions of pixels."""

from typing import Any

import numpy as np

from robustae.lab.jobs import Row
from robustae.utils.checks import InputError

__all__ = ["f1", "otsu", "ranking", "smoothed"]

BINS = 256  # of Otsu's histogram


def ranking(y: np.ndarray, score: np.ndarray) -> Row:
    """AUROC, AUPRC and the best F1 of a threshold: scikit-learn's values, by two sorts.

    Precision counts at the scores of foreground pixels only, and between them no F1 is higher; so how
    many pixels of either kind have at least each such score is all that is needed.

    Parameters
    ----------
    y : array of bool, shape (n,)
        Whether a pixel is foreground; both kinds must occur.
    score : array, shape (n,)
        Larger = more foreground.

    Raises
    ------
    InputError
        If a score is not finite or one kind is missing.
    """
    _check(y, score)
    positive, negative = np.sort(score[y]), np.sort(score[~y])
    below = np.searchsorted(negative, positive, "left")
    upto = np.searchsorted(negative, positive, "right")
    first = np.flatnonzero(np.diff(positive, prepend=-np.inf) > 0)  # of equal scores
    true = len(positive) - first
    precision = true / (true + len(negative) - below[first])
    harmonic = 2 * true / (true + len(negative) - below[first] + len(positive))
    share = np.diff(first, append=len(positive)) / len(positive)
    return {
        "auroc": float((below.mean() + upto.mean()) / 2 / len(negative)),
        "auprc": float((precision * share).sum()),
        "best_f1": float(harmonic.max()),
    }


def _check(y: np.ndarray, score: np.ndarray) -> None:
    if not np.isfinite(score).all():
        raise InputError(f"the score is not finite in {(~np.isfinite(score)).sum()} of {score.size} pixels.")
    if y.all() or not y.any():
        raise InputError("there must be pixels of the foreground and of the background.")


def f1(y: np.ndarray, mask: np.ndarray) -> float:
    """F1 of a mask; 0 where nothing is found."""
    return float(2 * (y & mask).sum() / max(y.sum() + mask.sum(), 1))


def otsu(score: np.ndarray) -> float:
    """Threshold that splits the scores into two classes of least variance within (Otsu 1979)."""
    counts, edges = np.histogram(score, BINS)
    centres = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * centres)
    between = (sums[-1] * below - sums * below[-1]) ** 2 / np.maximum(below * (below[-1] - below), 1)
    return float(edges[1:][between.argmax()])


def smoothed(score: np.ndarray, deviation: float) -> np.ndarray:
    """Each frame of a score (n, height, width) by a Gaussian, in pixels; 0 leaves it as it is."""
    from scipy.ndimage import gaussian_filter

    filtered: Any = gaussian_filter(score, deviation, axes=(1, 2)) if deviation else score
    return filtered
