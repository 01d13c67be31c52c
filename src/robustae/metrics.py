"""How well a ranking finds known anomalies: y = 1 is an anomaly, a higher score is more anomalous."""

from typing import Any

import numpy as np

from robustae.utils.checks import InputError

__all__ = ["auprc", "auroc", "best_f1", "of_calls", "precision_at"]


def auprc(y: Any, anomaly_score: Any) -> float:
    """Area under the precision-recall curve: average precision, rows of equal score taken together.

    Parameters
    ----------
    y : array-like, shape (n,)
        1 (or True) = anomaly, 0 = normal; both must occur.
    anomaly_score : array-like, shape (n,)
        Higher = more anomalous, so minus what `score_samples` returns.

    Returns
    -------
    float
        In (0, 1]; a ranking by chance has the share of anomalies on average.

    Raises
    ------
    InputError
        If the lengths differ, a label is not 0 or 1, only one class occurs or a score is not finite.
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*_checked(y, anomaly_score)))


def auroc(y: Any, anomaly_score: Any) -> float:
    """Area under the receiver operating characteristic: how often an anomaly outranks a normal row.

    Parameters, errors: as `auprc`. A ranking by chance has 0.5; ties count one half.
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*_checked(y, anomaly_score)))


def precision_at(y: Any, anomaly_score: Any, k: int = 10) -> float:
    """Share of true anomalies among the `k` highest scores.

    Rows tied at the border count as their expectation over all ways to break the tie.

    Parameters
    ----------
    y, anomaly_score : array-like, shape (n,)
        As `auprc`.
    k : int
        Between 1 and n.

    Raises
    ------
    InputError
        As `auprc`, and if `k` is not a whole number between 1 and n.
    """
    y, score = _checked(y, anomaly_score)
    n = len(y)
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= n:
        raise InputError(f"k={k!r} must be a whole number between 1 and the number of rows, {n}.")
    border = np.partition(score, n - k)[n - k]
    above, tied = score > border, score == border
    return float((y[above].sum() + (k - above.sum()) * y[tied].mean()) / k)


def best_f1(y: Any, anomaly_score: Any) -> float:
    """Highest F1 (harmonic mean of precision and recall) that any threshold on the score reaches.

    Parameters, errors: as `auprc`. The threshold is chosen with the labels: an upper bound.
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(*_checked(y, anomaly_score))
    return float(np.max(2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)))


def of_calls(y: Any, called: Any) -> dict[str, float]:
    """How well rows are called anomalies, at a threshold that is set.

    Parameters
    ----------
    y, called : array-like, shape (n,)
        1 (or True) = anomaly, and called one; 0 = normal, and not called.

    Returns
    -------
    dict
        called (rows), found (anomalies among them), recall, precision (0 where nothing is called), f1, and
        false_alarms: the share of the normal rows that are called.

    Raises
    ------
    InputError
        As `auprc`.
    """
    labels, marks = _checked(y, called)
    rows, found = int(marks.sum()), int((marks * labels).sum())
    return {
        "called": rows,
        "found": found,
        "recall": found / labels.sum(),
        "precision": found / max(rows, 1),
        "f1": 2 * found / (rows + labels.sum()),
        "false_alarms": (rows - found) / (len(labels) - labels.sum()),
    }


def _checked(y: Any, anomaly_score: Any) -> tuple[np.ndarray, np.ndarray]:
    score = _column("anomaly_score", anomaly_score)
    labels = _column("y", y)
    if len(labels) != len(score):
        raise InputError(
            f"y has {len(labels)} labels but anomaly_score has {len(score)} scores: one each per row."
        )
    if not np.isfinite(score).all():
        raise InputError(
            f"anomaly_score is not finite in {(~np.isfinite(score)).sum()} of {len(score)} rows."
        )
    return _labels(labels), score


def _column(argument: str, values: Any) -> np.ndarray:
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{argument} must hold numbers ({error}).") from error
    if column.ndim != 1 or not len(column):
        raise InputError(f"{argument} has shape {column.shape}: one number per row, shape (n,), would do.")
    return column


def _labels(y: np.ndarray) -> np.ndarray:
    found = np.unique(y)
    if not np.isin(found, (0, 1)).all():
        listed = ", ".join(f"{value:g}" for value in found[:5])
        raise InputError(
            f"y must be 0 (normal) or 1 (anomaly), but holds {listed}: pass y == the anomaly's label."
        )
    if len(found) == 1:
        raise InputError(
            f"y is {found[0]:g} in every row: both normal rows (0) and anomalies (1) are needed."
        )
    return y.astype(np.int64)
