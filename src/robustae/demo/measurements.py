"""A table of real measurements with wrong and missing cells planted: which are they, what were they?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from robustae.datasets import load_breast_cancer_cells
from robustae.estimator import RobustAutoencoder
from robustae.report import facts_of

__all__ = ["measurements_part"]

WRONG, MISSING, SIZE = 0.03, 0.03, 6.0


def measurements_part(progress: Callable[[str], None]) -> dict[str, Any]:
    """Find and repair the cells planted in the breast cancer measurements."""
    progress("table: finding and repairing wrong and missing cells")
    data = load_breast_cancer_cells(WRONG, MISSING, SIZE)
    assert data.cells is not None and data.clean is not None
    model = RobustAutoencoder(random_state=0).fit(data.X)
    flags, repaired = model.flags(data.X), model.repaired(data.X)
    found = _found(flags, data.cells)
    errors = _errors(data.clean, _fills(model, data.X, flags, repaired), [flags & data.cells, np.isnan(data.X)])
    kept = ~(flags | np.isnan(data.X))
    untouched = data.X[kept].tobytes() == repaired[kept].tobytes()
    lead = (
        f"Measurements of {len(data.X)} tumours. {_percent(WRONG)} of the cells were made wrong, by {SIZE:g} robust deviations "
        f"of their column up or down, and {_percent(MISSING)} emptied. The model says which are wrong and fills both."
    )
    facts = facts_of(model, data.X, names=data.columns, title="A table with wrong and missing cells", lead=lead)
    own = float(model.flags(data.clean).mean())
    return facts | {
        "numbers": _numbers(found, own, untouched),
        "comparisons": [_repair(errors)],
        "line": _line(found, errors, untouched),
    }


def _found(flags: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    hits = int((flags & wrong).sum())
    precision, recall = hits / max(flags.sum(), 1), hits / max(wrong.sum(), 1)
    f1 = 2 * hits / max(flags.sum() + wrong.sum(), 1)
    return {"precision": precision, "recall": recall, "F1": f1, "planted": int(wrong.sum()), "flagged": int(flags.sum())}


def _fills(model: RobustAutoencoder, X: np.ndarray, flags: np.ndarray, repaired: np.ndarray) -> dict[str, np.ndarray]:
    """Ways to fill the flagged and missing cells.

    A wrong cell reaches its own expected value through the encoder; emptied first, it cannot.
    """
    return {
        "repaired": repaired,
        "repaired, flagged cells emptied first": model.reconstruct(np.where(flags, np.nan, X)),
        "column median": np.broadcast_to(np.nanmedian(X, axis=0), X.shape),
    }


def _errors(truth: np.ndarray, fills: dict[str, np.ndarray], groups: list[np.ndarray]) -> dict[str, list[float]]:
    """Median absolute error of each fill in each group of cells, in standard deviations of the column."""
    off = {name: np.abs(fill - truth) / truth.std(0) for name, fill in fills.items()}
    return {name: [float(np.median(errors[cells])) for cells in groups] for name, errors in off.items()}


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _numbers(found: dict[str, float], own: float, untouched: bool) -> list[dict[str, Any]]:
    planted = f"{found['flagged']} cells flagged; {_percent(own)} are before any is planted"
    return [
        {"label": "wrong cells found", "value": _percent(found["recall"]), "note": f"recall, of {found['planted']} planted"},
        {"label": "flags on planted cells", "value": _percent(found["precision"]), "note": planted},
        {"label": "F1", "value": f"{found['F1']:.3f}", "note": "of flags against planted cells"},
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
    wrong, missing = (" / ".join(f"{value:.2f}" for value in values) for values in zip(*errors.values(), strict=True))
    return (
        f"table: wrong cells found with precision {found['precision']:.3f}, recall {found['recall']:.3f}, F1 {found['F1']:.3f}; "
        f"off by {wrong} sd (repaired / emptied first / column median), missing ones by {missing}; "
        f"other cells {'untouched' if untouched else 'CHANGED'}"
    )
