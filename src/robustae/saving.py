"""A fitted estimator as an artifact and back: which of its attributes are written, and how they return."""

import os
from typing import Any

import numpy as np

from robustae import artifact
from robustae.thresholds import CleanPart

__all__ = ["restored", "save"]

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
    energies, weight = estimator._energies_of_fit
    arrays, description = artifact.pack(estimator.models_, _state(estimator))
    arrays |= {"energies": energies} | ({} if weight is None else {"weight": weight})
    artifact.write(path, arrays, description)


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
    }


def restored(make: Any, path: str | os.PathLike[str], predictor: Any = None) -> Any:
    """Read `path` and return ``make(**parameters)``, fitted."""
    arrays, description = artifact.read(path)
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
    if state["names"] is not None:
        estimator.feature_names_in_ = np.asarray(state["names"], dtype=object)
    return estimator
