"""Facts about data and a fitted model, as a plain JSON-able dict that `robustae.report` draws."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from robustae.data.dataframes import collected
from robustae.data.rows import dense
from robustae.estimators.cells import CellMethods
from robustae.estimators.facts.cells import matrix, runs, spread, take
from robustae.estimators.facts.sliders import film_slider, lam_slider
from robustae.estimators.facts.tables import table_facts
from robustae.report.packing import pack
from robustae.utils.checks import InputError, one_of
from robustae.utils.json import plain

__all__ = ["Facts", "facts_of"]

Facts = dict[str, Any]

KINDS = ("auto", "table", "images", "film")
MOST_INLINED = 250_000  # cells of pictures inlined in the page
MOST_FRAMES = 100  # frames of a film inlined in the page
BINS = 40


def facts_of(
    model: CellMethods,
    X: Any,
    *,
    title: str = "",
    lead: str = "",
    kind: str = "auto",
    names: Sequence[str] | None = None,
    source: Any = None,
    worst: int = 12,
    cut: float | None = None,
) -> Facts:
    """Collect the facts of data under a fitted model.

    Parameters
    ----------
    model : RobustAutoencoder
        Fitted.
    X : array, DataFrame or MixedTable, shape (n, d), or images (n, height, width[, channels])
        The data to report on, of the training data's columns.
    title, lead : str
        Heading of the section and a sentence or two below it.
    kind : {"auto", "table", "images", "film"}
        What a row is; "auto" is images where the model was fitted to images, else table. A film
        is images in order of time.
    names : sequence of str, optional
        Names of the columns, where X has none.
    source : data.Table, optional
        What X was read from: which columns were left out, and what rows are called.
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
    X = np.asarray(X) if isinstance(X, list) else collected(dense(X))
    energy, threshold = -np.asarray(model.score_samples(X)), -float(model.offset_)
    facts = {
        "title": title or {"table": "Table", "images": "Images", "film": "Video"}[kind],
        "lead": lead,
        "kind": kind,
        "model": _settings(model),
        "scores": _scores(energy, threshold),
        "training": model.history_,
    }
    order = np.argsort(-energy, kind="stable")[:worst]
    facts["top"] = _top(energy, threshold, order)
    if kind == "table":
        return plain(facts | table_facts(model, X, energy, names, source, worst))
    facts["read"] = _read(X)
    return plain(facts | (_film_facts(model, X, cut) if kind == "film" else _image_facts(model, X, order)))


def _read(X: Any) -> Facts:
    missing = sum(int(np.isnan(matrix(take(X, rows))).sum()) for rows in runs(X))
    n, cells = len(X), math.prod(X.shape)
    return {"rows": n, "columns": cells // n, "missing": missing, "missing_share": missing / cells}


def _settings(model: CellMethods) -> Facts:
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


# Images and films -------------------------------------------------------------------------------


def _image_facts(model: CellMethods, X: Any, order: np.ndarray) -> Facts:
    shape = _shape(model)
    order = order[: max(1, MOST_INLINED // math.prod(shape))]
    part = take(X, order)
    observed, expected = matrix(part), matrix(model.reconstruct(part))
    low, high = _range(X)
    pictures = {"rows": order, "shape": shape, "low": low, "high": high}
    pictures |= {"observed": pack(np.nan_to_num(observed, nan=low)), "expected": pack(expected)}
    slider = lam_slider(model, part)
    if slider is None:
        pictures["outliers"] = pack(matrix(model.outliers(part)))
    return {"pictures": pictures, "slider": slider}


def _film_facts(model: CellMethods, X: Any, cut: float | None) -> Facts:
    shape, (low, high) = _shape(model), _range(X)
    frames = spread(len(X), min(MOST_FRAMES, max(1, 10 * MOST_INLINED // math.prod(shape))))
    part = take(X, frames)
    observed, expected = matrix(part), matrix(model.reconstruct(part))
    still = bool(np.all(expected == expected[:1]))
    activity = [_mask(model, take(X, rows), cut).mean(1) for rows in runs(X)]
    changes = partial(pack, delta=True)
    film = {
        "frames": frames,
        "shape": shape,
        "low": low,
        "high": high,
        "observed": changes(_as_bytes(observed, low, high)),
        "expected": pack(expected[:1]) if still else changes(_as_bytes(expected, low, high)),
        "still": still,
        "mask": changes(_mask(model, part, cut).astype(np.uint8)),
        "cut": cut,
        "activity": np.concatenate(activity),
    }
    slider = film_slider(model)
    if slider is None:
        film["outliers"] = changes(_signed_bytes(matrix(model.outliers(part))))
    return {"film": film, "slider": slider}


def _mask(model: CellMethods, X: Any, cut: float | None) -> np.ndarray:
    """Pixels that stand out: the model's flags, or all that are more than `cut` off, in X's units."""
    if cut is None:
        return np.asarray(model.flags(X)).reshape(len(X), -1)
    return np.abs(matrix(X) - matrix(model.reconstruct(X))) > cut


def _shape(model: CellMethods) -> list[int]:
    """Height, width, channels of a row."""
    return [*(model.image_shape_ or ()), 1][:3]


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
