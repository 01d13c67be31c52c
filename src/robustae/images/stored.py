"""A model of images as a file and back: arrays and JSON, nothing executed on load."""

import os
from typing import Any

import numpy as np

from robustae.fit import artifact
from robustae.images.features import named
from robustae.images.inspection import Inspection
from robustae.images.model import ImageModel
from robustae.stats.kernel import KernelComponents
from robustae.utils.checks import InputError

__all__ = ["Loaded", "load", "save"]

ARRAYS = ("values", "location", "whitening", "typical", "units", "scores")
FEATURES, COMPONENTS = "features.", "components."


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
    return ImageModel(
        features=kind.restore(_under(FEATURES, arrays)),
        shape=tuple(facts["shape"]),
        colour=bool(facts["colour"]),
        grid=tuple(facts["grid"]),
        components=KernelComponents.of(_under(COMPONENTS, arrays)),
        floor=float(facts["floor"]),
        threshold=float(facts["threshold"]),
        **{name: arrays[name] for name in ARRAYS},
    )


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
