"""A model of images as a file and back: arrays and JSON, nothing executed on load."""

import math
import os
from typing import Any

import numpy as np

from robustae.fit import artifact
from robustae.images.features import named
from robustae.images.inspection import Inspection
from robustae.images.model import ImageModel
from robustae.stats.distances import FoldedDistance
from robustae.stats.kernel import KernelComponents
from robustae.utils.checks import InputError

__all__ = ["Loaded", "load", "save"]

ARRAYS = ("values", "location", "whitening", "typical", "units", "scores")
FEATURES, COMPONENTS, PARTS = "features.", "components.", "parts."
PIXELS, PER_CELL = 192**2, 8  # of a picture, whatever the file, and for each cell of the maps it brings
TRIED = (0.0, 0.5, 1.0)  # pictures of one value each


class Loaded:
    """A model of images that was saved.

    Attributes
    ----------
    model : ImageModel
    """

    def __init__(self, model: ImageModel) -> None:
        self.model = model

    def score(self, more: Any) -> np.ndarray:
        """Return the scores of images, shape (n,), higher = more anomalous."""
        return self.inspect(more).scores

    def inspect(self, source: Any) -> Inspection:
        """Inspect images by the model."""
        from robustae.images.inspection import judged

        return judged(source, self.model)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to `path`."""
        save(self.model, path)


def save(model: ImageModel, path: str | os.PathLike[str]) -> None:
    """Write a model of images to `path`, whole or not at all."""
    arrays = {name: getattr(model, name) for name in ARRAYS}
    arrays |= {FEATURES + name: values for name, values in model.features.arrays().items()}
    arrays |= {COMPONENTS + name: values for name, values in model.components.arrays().items()}
    if model.parts is not None:
        arrays |= {PARTS + name: values for name, values in vars(model.parts).items()}
    facts = {
        "features": model.features.name,
        "shape": list(model.shape),
        "colour": model.colour,
        "grid": list(model.grid),
        "floor": float(model.floor),
        "threshold": float(model.threshold),
    }
    artifact.write(
        path, {name: np.array(values, order="C") for name, values in arrays.items()}, {"images": facts}
    )


def load(path: str | os.PathLike[str], features: Any = None) -> Loaded:
    """Read a model of images.

    Parameters
    ----------
    path : path
    features : Module or callable, optional
        Needed where the model was fitted with one of yours.

    Raises
    ------
    InputError
        If the file is damaged, no model of images, or needs `features`; NotFound if there is none.
    """
    arrays, description = artifact.read(path)
    if "images" not in description:
        raise InputError(f"model {str(path)!r} is not one of images: robustae images writes those.")
    with artifact.damage_named():
        return Loaded(_model_of(arrays, description["images"], features))


def _model_of(arrays: dict[str, np.ndarray], facts: dict[str, Any], features: Any) -> ImageModel:
    if facts["features"] in ("module", "function") and features is None:
        raise InputError(
            "the model was fitted with features of yours: load(path, features=...) needs them again."
        )
    kind = named(facts["features"] if features is None else features)
    model = ImageModel(
        features=kind.restore(_under(FEATURES, arrays)),
        shape=_sides(facts["shape"]),
        colour=bool(facts["colour"]),
        grid=_sides(facts["grid"]),
        components=KernelComponents.of(_under(COMPONENTS, arrays)),
        floor=float(facts["floor"]),
        threshold=float(facts["threshold"]),
        parts=_parts_of(_under(PARTS, arrays)),
        **{name: arrays[name] for name in ARRAYS},
    )
    _check(model)
    if features is None:
        _try(model)
    return model


def _parts_of(arrays: dict[str, np.ndarray]) -> FoldedDistance | None:
    return FoldedDistance(arrays["location"], arrays["whitening"]) if arrays else None


def _sides(value: Any) -> tuple[int, int]:
    height, width = value
    if not type(height) is type(width) is int or min(height, width) < 1:
        raise ValueError("a size is none")
    return height, width


def _check(model: ImageModel) -> None:
    """Refuse parts that do not fit together, and pictures much larger than the maps that came."""
    cells, (channels, kept) = math.prod(model.grid), model.whitening.shape
    shapes = {"values": (2,), "location": (channels,), "typical": (2, cells), "units": (2, 3)}
    if any(getattr(model, name).shape != shape for name, shape in shapes.items()) or model.scores.ndim != 1:
        raise ValueError("arrays of the model are of other shapes than its maps")
    if cells * kept != model.components.rows.shape[1]:
        raise ValueError("references are of another width than the maps")
    if math.prod(model.shape) > max(PIXELS, PER_CELL * cells):
        raise ValueError("the pictures are larger than such maps are of")
    if model.parts is not None:
        count = math.prod(min(model.features.parts, side) for side in model.grid)
        _check_parts(model.parts, (len(model.components.models), kept * count))
    numbers = [getattr(model, name) for name in ARRAYS] + [model.floor, model.threshold]
    if not all(np.isfinite(part).all() for part in numbers):
        raise ValueError("a number is none")
    above = (model.floor, np.diff(model.values), model.typical[1], model.units[1])
    if not all(np.all(part > 0) for part in above) or not model.scores.size:
        raise ValueError("a deviation is not above 0")


def _check_parts(parts: FoldedDistance, shape: tuple[int, int]) -> None:
    arrays = (parts.location, parts.whitening)
    if [part.shape for part in arrays] != [shape, (*shape, shape[1])]:
        raise ValueError("distances of parts are of another width than the maps")
    if not all(part.dtype == np.float32 and np.isfinite(part).all() for part in arrays):
        raise ValueError("distances of parts are damaged")


def _try(model: ImageModel) -> None:
    low, high = model.values
    size = (*model.shape, 3 if model.colour else 1)
    plain = [np.full(size, low + share * (high - low), np.float32) for share in TRIED]
    with np.errstate(all="ignore"):
        scores, heat = model.judged(model.rows(map(model.prepared, plain)))
    if not (np.isfinite(scores).all() and np.isfinite(heat).all()):
        raise ValueError("it gives plain pictures no score")


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
