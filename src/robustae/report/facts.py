"""What a report says, as a plain JSON-able dict: computed here once, drawn elsewhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from robustae.checks import InputError, one_of
from robustae.penalties import L1, NoPenalty
from robustae.report.packing import pack, plain
from robustae.scaling import ColumnScaling

__all__ = ["Facts", "facts_of"]

Facts = dict[str, Any]

KINDS = ("auto", "table", "images", "film")
MOST_CELLS = 4_000_000  # looked at in one go
MOST_INLINED = 250_000  # cells of pictures inlined in the page
MOST_FRAMES = 100  # frames of a film inlined in the page
MOST_COLUMNS = 40  # columns of the cell map
CELLS_PER_ROW = 3  # cells named for each anomalous row
BINS = 40


def facts_of(
    model: Any,
    X: Any,
    *,
    title: str = "",
    lead: str = "",
    kind: str = "auto",
    names: Sequence[str] | None = None,
    worst: int = 12,
    cut: float | None = None,
) -> Facts:
    """Collect what there is to say about data seen by a fitted model.

    Parameters
    ----------
    model : RobustAutoencoder
        Fitted.
    X : array or DataFrame, shape (n, d), or images (n, height, width[, channels])
        The data to report on, of the training data's columns.
    title, lead : str
        Heading of the section and a sentence or two below it.
    kind : {"auto", "table", "images", "film"}
        What a row is; "auto" says images where the model was fitted to images, else table. A film
        is images in order of time.
    names : sequence of str, optional
        Names of the columns, where X has none.
    worst : int
        Number of most anomalous rows shown in detail.
    cut : float, optional
        For a film: a pixel further off than this, in X's units, is in the mask. By default the mask
        is the model's flags.

    Returns
    -------
    dict
        JSON-able. Arrays for pictures are packed (`robustae.report.packing`).

    Raises
    ------
    InputError
        If `kind` is not known, a film has no image shape, or `names` does not fit.
    """
    kind = one_of("kind", kind, KINDS)
    if kind == "auto":
        kind = "table" if model.image_shape_ is None else "images"
    if kind != "table" and model.image_shape_ is None:
        raise InputError(
            f"kind={kind!r} needs a model fitted to images: give it image_shape=(height, width)."
        )
    energy, threshold = -np.asarray(model.score_samples(X)), -float(model.offset_)
    facts = {
        "title": title or {"table": "Table", "images": "Images", "film": "Video"}[kind],
        "lead": lead,
        "kind": kind,
        "read": _read(X),
        "model": _settings(model),
        "scores": _scores(energy, threshold),
        "training": model.history_,
    }
    order = np.argsort(-energy, kind="stable")[:worst]
    facts["top"] = _top(energy, threshold, order)
    if kind == "table":
        return plain(facts | _table_facts(model, X, order, _names(model, names)))
    return plain(facts | (_film_facts(model, X, cut) if kind == "film" else _image_facts(model, X, order)))


@dataclass(frozen=True)
class _Look:
    """Some rows as the model sees them; all arrays of shape (rows, d), NaN where missing."""

    rows: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    deviations: np.ndarray  # signed: positive where more was observed than expected
    flagged: np.ndarray


def _look(model: Any, X: Any, rows: np.ndarray) -> _Look:
    part = _take(X, rows)
    observed, expected = _matrix(part), _matrix(model.reconstruct(part))
    deviations = _matrix(model.cell_scores(part))
    flagged = np.asarray(model.flags(part)).reshape(observed.shape).astype(bool)
    return _Look(rows, observed, expected, deviations, flagged)


def _matrix(X: Any) -> np.ndarray:
    return np.asarray(X, dtype=np.float64).reshape(len(X), -1)


def _take(X: Any, rows: np.ndarray) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _spread(n: int, at_most: int) -> np.ndarray:
    """At most `at_most` of the rows 0..n-1, evenly spaced."""
    return np.arange(0, n, max(1, math.ceil(n / max(at_most, 1))))


def _read(X: Any) -> Facts:
    shape = np.shape(X)
    missing = sum(int(np.isnan(_matrix(_take(X, rows))).sum()) for rows in _blocks(shape))
    n, cells = shape[0], math.prod(shape)
    return {"rows": n, "columns": cells // n, "missing": missing, "missing_share": missing / cells}


def _blocks(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Row numbers in runs of at most MOST_CELLS cells."""
    step = max(1, MOST_CELLS // max(math.prod(shape[1:]), 1))
    return [np.arange(start, min(start + step, shape[0])) for start in range(0, shape[0], step)]


def _settings(model: Any) -> Facts:
    chosen = {name: str(value) for name, value in model.get_params().items()}
    fitted = {name: getattr(model, f"{name}_") for name in ("lam", "mu", "objective", "n_iter", "status")}
    fitted["hidden"] = ", ".join(map(str, np.atleast_1d(model.hidden_)))
    return {"name": type(model).__name__, "set": chosen} | fitted


def _scores(energy: np.ndarray, threshold: float) -> Facts:
    """Histogram of the energies, on a logarithmic axis where they span more than a factor of 30."""
    low, high = float(energy.min()), float(max(energy.max(), threshold))
    log = low > 0 and high / low > 30
    high = high if high > low else low + 1.0
    edges = np.geomspace(low, high, BINS + 1) if log else np.linspace(low, high, BINS + 1)
    edges[0], edges[-1] = low, high
    flagged = energy > threshold
    counts = [np.histogram(energy[part], edges)[0] for part in (~flagged, flagged)]
    return {
        "log": log,
        "edges": edges,
        "normal": counts[0],
        "anomalous": counts[1],
        "threshold": threshold,
        "anomalies": int(flagged.sum()),
        "rows": len(energy),
    }


def _top(energy: np.ndarray, threshold: float, order: np.ndarray) -> list[Facts]:
    return [{"row": i, "energy": energy[i], "anomalous": bool(energy[i] > threshold)} for i in order]


# Tables -----------------------------------------------------------------------------------------


def _table_facts(model: Any, X: Any, order: np.ndarray, names: list[str]) -> Facts:
    worst = _look(model, X, order)
    return {
        "causes": _causes(model, X, order, names),
        "columns": _columns(_look(model, X, _spread(len(X), MOST_CELLS // len(names))), names),
        "map": _cell_map(worst, names),
        "slider": _slider(model, X, order),
    }


def _names(model: Any, names: Sequence[str] | None) -> list[str]:
    d = model.n_features_in_
    found = [
        str(name) for name in (getattr(model, "feature_names_in_", range(d)) if names is None else names)
    ]
    if len(found) != d:
        raise InputError(f"names: {len(found)} were given for {d} columns.")
    return found


def _columns(look: _Look, names: list[str]) -> list[Facts]:
    """By column: what is missing, the residual's robust scale, the share flagged; most flagged first."""
    residual = np.abs(look.observed - look.expected)
    missing = np.isnan(look.observed)
    seen = np.maximum((~missing).sum(0), 1)
    flagged = (look.flagged & ~missing).sum(0) / seen
    scale = 1.4826 * np.nanmedian(np.where(missing.all(0), 0.0, residual), axis=0)
    facts = [
        {"name": name, "missing": missing[:, j].mean(), "residual_scale": scale[j], "flagged": flagged[j]}
        for j, name in enumerate(names)
    ]
    return sorted(facts, key=lambda column: -column["flagged"])


def _cell_map(look: _Look, names: list[str]) -> Facts:
    """The worst rows cell by cell; of a wide table the columns that deviate most."""
    weight = np.nan_to_num(np.abs(look.deviations)).max(0)
    shown = np.sort(np.argsort(-weight, kind="stable")[:MOST_COLUMNS])
    return {
        "rows": look.rows,
        "columns": [names[j] for j in shown],
        "of_columns": len(names),
        "index": shown,
        "observed": look.observed[:, shown],
        "expected": look.expected[:, shown],
        "deviations": look.deviations[:, shown],
        "flagged": look.flagged[:, shown],
    }


def _causes(model: Any, X: Any, order: np.ndarray, names: list[str]) -> list[list[Facts]]:
    """For each worst row the flagged cells that weigh most in its score."""
    account = model.explain(_take(X, order))
    keys = ("row", "column", "observed", "expected", "deviations", "share")
    found: list[list[Facts]] = [[] for _ in order]
    for values in zip(*(account[key] for key in keys), strict=True):
        cell = dict(zip(keys, values, strict=True))
        if not isinstance(cell["column"], str):
            cell["column"] = names[cell["column"]]
        found[cell.pop("row")].append(cell)
    return [sorted(cells, key=lambda cell: -cell["share"])[:CELLS_PER_ROW] for cells in found]


# N ----------------------------------------------------------------------------------------------


def _entrywise(model: Any) -> bool:
    """Whether N is soft(R, lam / 2), eq. (6), which the page can recompute for any lam."""
    return isinstance(model.models_[0].penalty, L1 | NoPenalty)


def _lam_ratio(model: Any) -> np.ndarray:
    """What residuals are divided by, column by column, so that one lam stands for all of them."""
    return model.column_lam_ / model.lam_ if math.isfinite(model.lam_) else np.ones(len(model.column_lam_))


def _slider(model: Any, X: Any, rows: np.ndarray) -> Facts | None:
    """The residuals of some rows, on the model's scale, from which the page makes N."""
    if not _entrywise(model):
        return None
    residuals = _matrix(model.cell_scores(_take(X, rows))) * model.noise_scale_
    return {"lam": model.lam_, "residuals": pack(residuals / _lam_ratio(model))}


def _film_slider(model: Any) -> Facts | None:
    """What differences of pixels are divided by to be residuals on the model's scale: one number or d."""
    scaling = model.models_[0].scaling
    if not (_entrywise(model) and isinstance(scaling, ColumnScaling)):
        return None
    unit = scaling.scale * _lam_ratio(model)
    return {"lam": model.lam_, "unit": pack(unit[:1] if np.ptp(unit) == 0 else unit)}


# Images and films -------------------------------------------------------------------------------


def _image_facts(model: Any, X: Any, order: np.ndarray) -> Facts:
    shape = _shape(model)
    order = order[: max(1, MOST_INLINED // math.prod(shape))]
    look = _look(model, X, order)
    low, high = _range(X)
    pictures = {"rows": order, "shape": shape, "low": low, "high": high}
    pictures |= {"observed": pack(np.nan_to_num(look.observed, nan=low)), "expected": pack(look.expected)}
    slider = _slider(model, X, order)
    if slider is None:
        pictures["outliers"] = pack(_matrix(model.outliers(_take(X, order))))
    return {"pictures": pictures, "slider": slider}


def _film_facts(model: Any, X: Any, cut: float | None) -> Facts:
    shape, (low, high) = _shape(model), _range(X)
    frames = _spread(len(X), min(MOST_FRAMES, max(1, 10 * MOST_INLINED // math.prod(shape))))
    look = _look(model, X, frames)
    still = bool(np.all(look.expected == look.expected[:1]))
    activity = [_mask(model, _take(X, rows), cut).mean(1) for rows in _blocks(np.shape(X))]
    changes = partial(pack, delta=True)
    film = {
        "frames": frames,
        "shape": shape,
        "low": low,
        "high": high,
        "observed": changes(_as_bytes(look.observed, low, high)),
        "expected": pack(look.expected[:1]) if still else changes(_as_bytes(look.expected, low, high)),
        "still": still,
        "mask": changes(_mask(model, _take(X, frames), cut).astype(np.uint8)),
        "cut": cut,
        "activity": np.concatenate(activity),
    }
    slider = _film_slider(model)
    if slider is None:
        film["outliers"] = changes(_signed_bytes(_matrix(model.outliers(_take(X, frames)))))
    return {"film": film, "slider": slider}


def _mask(model: Any, X: Any, cut: float | None) -> np.ndarray:
    """Pixels that stand out: the model's flags, or all that are more than `cut` off, in X's units."""
    if cut is None:
        return np.asarray(model.flags(X)).reshape(len(X), -1)
    return np.abs(_matrix(X) - _matrix(model.reconstruct(X))) > cut


def _shape(model: Any) -> list[int]:
    """Height, width, channels of a row."""
    return [*model.image_shape_, 1][:3]


def _range(X: Any) -> tuple[float, float]:
    """What is drawn black and white: all of the range for bytes, else the data's own."""
    if getattr(X, "dtype", None) == np.uint8:
        return 0.0, 255.0
    low, high = float(np.nanmin(X)), float(np.nanmax(X))
    return low, high if high > low else low + 1.0


def _as_bytes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    shares = (np.nan_to_num(values, nan=low) - low) / (high - low)
    return np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)


def _signed_bytes(values: np.ndarray) -> np.ndarray:
    """128 for nothing, 1 to 255 for the largest either way."""
    return np.rint(128 + 127 * values / max(np.abs(values).max(), np.finfo(float).tiny)).astype(np.uint8)
