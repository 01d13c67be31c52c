"""A table of real measurements with wrong and missing cells planted: which are they, what were they?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from robustae.datasets import load_breast_cancer_cells
from robustae.estimators.autoencoder import RobustAutoencoder
from robustae.estimators.facts import facts_of

__all__ = ["measurements_part"]

WRONG, MISSING, SIZE = 0.03, 0.03, 6.0


def measurements_part(progress: Callable[[str], None]) -> dict[str, Any]:
    """Find and repair the cells planted in the breast cancer measurements."""
    progress("table: finding and repairing wrong and missing cells")
    data = load_breast_cancer_cells(WRONG, MISSING, SIZE)
    assert data.cells is not None and data.clean is not None
    model = RobustAutoencoder(random_state=0).fit(data.X)
    flags = model.flags(data.X)
    fills = _fills(model, data.X)
    errors = _errors(data.clean, fills, [flags & data.cells, np.isnan(data.X)])
    found = _found(flags, data.cells) | {"own": float(model.flags(data.clean).mean())}
    kept = ~(flags | np.isnan(data.X))
    untouched = data.X[kept].tobytes() == fills["repaired"][kept].tobytes()
    lead = (
        f"Measurements of {len(data.X)} tumours. {_percent(WRONG)} of the cells were made wrong, by {SIZE:g} "
        f"robust deviations of their column up or down, and {_percent(MISSING)} emptied. The model finds "
        "which are wrong and fills both."
    )
    title = "A table with wrong and missing cells"
    facts = facts_of(model, data.X, names=data.columns, title=title, lead=lead)
    own = {"numbers": _numbers(found, untouched), "comparisons": [_repair(errors)]}
    return facts | own | {"line": _line(found, errors, untouched)}


def _found(flags: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    hits, flagged, planted = int((flags & wrong).sum()), int(flags.sum()), int(wrong.sum())
    rates = {
        "precision": hits / max(flagged, 1),
        "recall": hits / planted,
        "F1": 2 * hits / (flagged + planted),
    }
    return rates | {"flagged": flagged, "planted": planted}


def _fills(model: RobustAutoencoder, X: np.ndarray) -> dict[str, np.ndarray]:
    """Ways to fill the flagged and missing cells."""
    return {
        "repaired": model.repaired(X),
        "repaired, rows encoded once more": model.repaired(X, passes=1),
        "column median": np.broadcast_to(np.nanmedian(X, axis=0), X.shape),
    }


def _errors(
    truth: np.ndarray, fills: dict[str, np.ndarray], groups: list[np.ndarray]
) -> dict[str, list[float]]:
    """Median absolute error of each fill in each group of cells, in standard deviations of the column."""
    off = {name: np.abs(fill - truth) / truth.std(0) for name, fill in fills.items()}
    return {name: [float(np.median(errors[cells])) for cells in groups] for name, errors in off.items()}


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _numbers(found: dict[str, float], untouched: bool) -> list[dict[str, Any]]:
    recall, precision = _percent(found["recall"]), _percent(found["precision"])
    note = f"of {found['flagged']}; {_percent(found['own'])} of the undamaged table is flagged too"
    kept = "untouched" if untouched else "changed"
    return [
        {"label": "wrong cells found", "value": recall, "note": f"recall, of {found['planted']} planted"},
        {"label": "flags on planted cells", "value": precision, "note": note},
        {"label": "F1", "value": f"{found['F1']:.3f}", "note": "of flags against planted cells"},
        {"label": "cells not flagged", "value": kept, "note": "to the last bit"},
    ]


def _repair(errors: dict[str, list[float]]) -> dict[str, Any]:
    text = (
        "Median distance of a replaced cell from its true value, in standard deviations of its column. A "
        "wrong cell affects what is expected in its place, until its row is predicted again without it."
    )
    rows = [{"name": name, "values": [{"mean": v} for v in values]} for name, values in errors.items()]
    columns = ["wrong cells found", "missing cells"]
    return {
        "title": "How close is the repair?",
        "text": text,
        "columns": columns,
        "rows": rows,
        "better": "low",
    }


def _line(found: dict[str, float], errors: dict[str, list[float]], untouched: bool) -> str:
    wrong, missing = (" / ".join(f"{v:.2f}" for v in values) for values in zip(*errors.values(), strict=True))
    rates = ", ".join(f"{name} {found[name]:.3f}" for name in ("precision", "recall", "F1"))
    return (
        f"table: wrong cells found with {rates}; off by {wrong} sd (repaired / encoded once more / column "
        f"median), missing ones by {missing}; other cells {'untouched' if untouched else 'CHANGED'}"
    )
