"""What the page needs to make N again at any lam, or any share of rows set aside."""

import math
from typing import Any

import numpy as np

from robustae.estimators.cells import CellMethods
from robustae.estimators.facts.cells import residuals, runs, take
from robustae.penalties import Penalty
from robustae.report.packing import pack
from robustae.stats.scaling import ColumnScaling

__all__ = ["film_slider", "lam_slider", "trim_slider"]

Facts = dict[str, Any]

STEPS, MOST_TRIMMED = 100, 0.5  # of the trim slider


def _kept(model: CellMethods) -> Penalty:
    """The penalty of rows that are not set aside; of images none is, as the page has it."""
    penalty = model.models_[0].penalty
    return penalty.kept if model.image_shape_ is None else penalty


def lam_ratio(model: CellMethods) -> np.ndarray:
    """What residuals are divided by, column by column, so that one lam stands for all of them."""
    lam = model.lam_
    return model.column_lam_ / lam if math.isfinite(lam) else np.ones(len(model.column_lam_))


def lam_slider(model: CellMethods, X: Any) -> Facts | None:
    """The residuals of some rows by source column, norms for categories, from which the page makes N.

    N is sign(r) max(|r| - weight lam / 2, 0); the weight of a group is the root of its size.
    """
    if not _kept(model).soft:
        return None
    found, ratio = residuals(model, X), lam_ratio(model)
    if getattr(model, "plan_", None) is None:
        return {"lam": model.lam_, "residuals": pack(found.scaled / ratio), "weights": []}
    size = np.bincount(found.index, minlength=model.n_features_in_)
    values = _grouped(found.scaled**2, found.index, len(size)) ** 0.5
    own = np.sqrt(_grouped(ratio[None] ** 2, found.index, len(size)) / np.maximum(size, 1))[0]
    alone = size[found.index] == 1
    values[:, found.index[alone]] = found.scaled[:, alone]
    return {
        "lam": model.lam_,
        "residuals": pack(values / np.where(own > 0, own, 1.0)),
        "weights": np.sqrt(np.maximum(size, 1)),
    }


def _grouped(cells: np.ndarray, index: np.ndarray, d: int) -> np.ndarray:
    """Sums of encoded columns by source column, shape (m, d)."""
    out = np.zeros((len(cells), d))
    for k, j in enumerate(index):
        out[:, j] += cells[:, k]
    return out


def trim_slider(model: CellMethods, X: Any, part: Any) -> Facts | None:
    """Where rows are set aside: energies of the rows shown, and beyond which ones a share of all lies."""
    penalty = model.models_[0].penalty
    if not penalty.drops_rows or model.image_shape_ is not None:
        return None
    energies = np.concatenate([_energies(model, take(X, rows)) for rows in runs(X)])
    shares = np.linspace(0, MOST_TRIMMED, STEPS + 1)
    fitted = np.quantile(energies, 1 - penalty.share) if penalty.cutoff is None else penalty.cutoff
    return {
        "share": penalty.share,
        "cutoff": float(fitted),
        "shares": shares,
        "cutoffs": np.quantile(energies, 1 - shares),
        "energies": _energies(model, part),
    }


def _energies(model: CellMethods, X: Any) -> np.ndarray:
    """What rows are set aside by: their envelopes under the penalty of the rows kept."""
    return _kept(model).envelope(residuals(model, X).scaled, model.models_[0].lam).sum(1)


def film_slider(model: CellMethods) -> Facts | None:
    """What differences of pixels are divided by to be residuals on the model's scale: one number or d."""
    first = model.models_[0]
    if not (first.penalty.soft and first.penalty.by_cell and isinstance(first.scaling, ColumnScaling)):
        return None
    unit = first.scaling.scale * lam_ratio(model)
    return {"lam": model.lam_, "unit": pack(unit[:1] if np.ptp(unit) == 0 else unit)}
