"""A fitted estimator as an artifact and back: which of its attributes are written, and how they return."""

import os
from typing import Any

import numpy as np

from robustae import artifact
from robustae.checks import InputError
from robustae.tables import Columns
from robustae.thresholds import CleanPart

__all__ = ["packed", "rebuilt", "restored", "save"]

SAVED = (
    "predictor_name_",
    "image_shape_",
    "hidden_",
    "mu_",
    "objective_",
    "history_",
    "n_iter_",
    "status_",
    "offset_",
    "n_features_in_",
)
PARAM = "param:"


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write parameters, fitted attributes and models to `path`."""
    artifact.write(path, *packed(estimator))


def packed(estimator: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the description of a fitted estimator."""
    energies, weight = estimator._energies_of_fit
    arrays, description = artifact.pack(estimator.models_, _state(estimator))
    return arrays | {"energies": energies} | ({} if weight is None else {"weight": weight}), description


def _state(estimator: Any) -> dict[str, Any]:
    names = getattr(estimator, "feature_names_in_", None)
    return {
        **{
            PARAM + name: value
            for name, value in estimator.get_params(deep=False).items()
            if name != "verbose"
        },
        **{name: getattr(estimator, name) for name in SAVED},
        "clean": (estimator.clean_part_.centre, estimator.clean_part_.spread),
        "names": None if names is None else tuple(names),
        "plan": None if estimator.plan_ is None else estimator.plan_.as_json(),
    }


def restored(make: Any, path: str | os.PathLike[str], predictor: Any = None) -> Any:
    """Read `path` and return ``make(**parameters)``, fitted."""
    return rebuilt(make, *artifact.read(path), predictor)


def rebuilt(
    make: Any, arrays: dict[str, np.ndarray], description: dict[str, Any], predictor: Any = None
) -> Any:
    """Undo `packed`.

    Raises
    ------
    InputError
        If it is the model of a scene, or needs the user's own module.
    """
    if "members" not in description or "scene" in description:
        raise InputError("the model is one of a scene: robustae.video.separate(clip, model=...) takes it.")
    models, state = artifact.unpack(arrays, description, predictor)
    params = {name.removeprefix(PARAM): value for name, value in state.items() if name.startswith(PARAM)}
    estimator = make(**params if predictor is None else params | {"predictor": predictor})
    for name in SAVED:
        setattr(estimator, name, state[name])
    estimator.history_ = list(state["history_"])
    estimator.models_ = models
    estimator.clean_part_ = CleanPart(*state["clean"])
    estimator._energies_of_fit = (arrays["energies"], arrays.get("weight"))
    estimator._recent = arrays["energies"]
    estimator.plan_ = None if state.get("plan") is None else Columns.from_json(state["plan"])
    if state["names"] is not None:
        estimator.feature_names_in_ = np.asarray(state["names"], dtype=object)
    return estimator
