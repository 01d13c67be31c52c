"""A table of real measurements with wrong and missing cells planted: which are they, what were they?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from robustae.report import facts_of
from robustae.synthetic import with_missing, with_wrong_cells

__all__ = ["measurements_part"]

WRONG, MISSING, SIZE, SEED = 0.03, 0.03, 6.0, 0


def measurements_part(progress: Callable[[str], None]) -> dict[str, Any]:
    """Plant wrong and missing cells in the breast cancer measurements, find and repair them."""
    from robustae import RobustAutoencoder

    progress("table: planting wrong and missing cells, finding them")
    truth, names = _measurements()
    X, wrong = with_wrong_cells(truth, share=WRONG, size=SIZE, random_state=SEED)
    X, missing = with_missing(X, share=MISSING, random_state=SEED + 1)
    wrong &= ~missing
    model = RobustAutoencoder(random_state=SEED).fit(X)
    flags, repaired = model.flags(X), model.repaired(X)
    found = _found(flags, wrong)
    errors = _errors(truth, X, repaired, flags & wrong, missing)
    untouched = bool(np.array_equal(X[~(flags | missing)], repaired[~(flags | missing)]))
    facts = facts_of(
        model,
        X,
        names=names,
        title="A table with wrong and missing cells",
        lead=f"Measurements of {len(X)} tumours. {_percent(WRONG)} of the cells were made wrong by {SIZE:g} standard deviations "
        f"of their column, {_percent(MISSING)} were emptied. The model names the wrong cells and fills both.",
    )
    facts["numbers"] = _numbers(found, int(wrong.sum()), untouched)
    facts["comparisons"] = [_repair(errors)]
    return facts | {"line": _line(found, errors, untouched)}


def _measurements() -> tuple[np.ndarray, list[str]]:
    from sklearn.datasets import load_breast_cancer

    data: Any = load_breast_cancer()
    return data.data, [str(name) for name in data.feature_names]


def _found(flags: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    hits = float((flags & wrong).sum())
    precision, recall = hits / max(flags.sum(), 1), hits / max(wrong.sum(), 1)
    return {"precision": precision, "recall": recall, "F1": 2 * hits / max(flags.sum() + wrong.sum(), 1)}


def _errors(
    truth: np.ndarray, X: np.ndarray, repaired: np.ndarray, caught: np.ndarray, missing: np.ndarray
) -> dict[str, list[float]]:
    """Median absolute error, in standard deviations of the column, of the repair and of the column's median."""
    sd = truth.std(0)
    fills = {"robust autoencoder": repaired, "column median": np.broadcast_to(np.nanmedian(X, axis=0), X.shape)}
    return {
        name: [float(np.median((np.abs(fill - truth) / sd)[cells])) for cells in (caught, missing)]
        for name, fill in fills.items()
    }


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _numbers(found: dict[str, float], planted: int, untouched: bool) -> list[dict[str, Any]]:
    return [
        {"label": "wrong cells found", "value": _percent(round(found["recall"], 3)), "note": f"of {planted} planted"},
        {"label": "flags that are right", "value": _percent(round(found["precision"], 3)), "note": f"F1 {found['F1']:.3f}"},
        {"label": "cells not flagged", "value": "untouched" if untouched else "changed", "note": "to the last bit"},
    ]


def _repair(errors: dict[str, list[float]]) -> dict[str, Any]:
    return {
        "title": "How close is the repair?",
        "text": "Median distance of a replaced cell from its true value, in standard deviations of its column: smaller is better.",
        "columns": ["wrong cells found", "missing cells"],
        "rows": [{"name": name, "values": [{"mean": value} for value in values]} for name, values in errors.items()],
        "better": "low",
    }


def _line(found: dict[str, float], errors: dict[str, list[float]], untouched: bool) -> str:
    (wrong, missing), (wrong_median, missing_median) = errors.values()
    return (
        f"table: wrong cells found with precision {found['precision']:.3f}, recall {found['recall']:.3f}, F1 {found['F1']:.3f}; "
        f"repaired to {wrong:.2f} sd of the truth (column median {wrong_median:.2f}), "
        f"missing ones to {missing:.2f} ({missing_median:.2f}); other cells {'untouched' if untouched else 'CHANGED'}"
    )
