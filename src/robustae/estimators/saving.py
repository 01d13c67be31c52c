"""A fitted estimator as an artifact or a pickle and back: what is written of it, and how it returns."""

import os
from copy import copy
from dataclasses import astuple
from typing import Any

import numpy as np

from robustae.data.columns import Columns
from robustae.data.kinds import Kind
from robustae.estimators.rows import RowMethods
from robustae.estimators.vetting import vetted
from robustae.fit import artifact
from robustae.stats.thresholds import Calibration
from robustae.utils.checks import InputError

__all__ = ["Portable", "packed", "rebuilt", "restored", "rows_held", "save", "without_rows"]

SAVED = (
    "predictor_name_",
    "penalty_",
    "energy_",
    "scaling_",
    "solver_",
    "max_iter_",
    "batch_size_",
    "n_estimators_",
    "device_",
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
SHAPE = ("predictor_name_", "hidden_", "image_shape_")  # what a predictor is built from
PARTS = {"penalty", "penalty_", "solver"}  # parameters that may be objects of this package


def save(estimator: RowMethods, path: str | os.PathLike[str]) -> None:
    """Write parameters, fitted attributes and models to `path`."""
    artifact.write(path, *packed(estimator))


def rows_held(estimator: RowMethods) -> int:
    """Return how many rows of the fit a model holds, as references for distances."""
    return sum(len(model.energy.arrays().get("references", ())) for model in estimator.models_)


def without_rows(estimator: RowMethods) -> Any:
    """Return a copy that holds no row of its fit and ranks by cells alone, its threshold calibrated anew.

    Nor does it hold a word that rows of their own have: rare levels, examples.
    """
    if "kernel" in (estimator.predictor_name_, estimator.energy_):
        raise InputError(
            "references=False: predictor or energy 'kernel' is made of rows of the fit; fit with others."
        )
    if any(model.energy.needs_rows and model.alone is None for model in estimator.models_):
        raise InputError("references=False needs a model as it was fitted: this one has gone on from there.")
    found = copy(estimator)
    found.models_ = [model.having(known=None) for model in estimator.models_]
    found.plan_ = None if estimator.plan_ is None else estimator.plan_.without_cells()
    alone = found.models_[0].alone
    if alone is not None and any(model.energy.needs_rows for model in found.models_):
        cells = [model.energy.without_rows() for model in found.models_]
        pairs = zip(found.models_, cells, strict=True)
        found.models_ = [model.having(energy=energy, alone=None, unit=1.0) for model, energy in pairs]
        found.energy_, found.calibration_ = cells[0].name, Calibration(alone.clean)
        found._set_threshold(alone.quantiles, None, estimator.contamination)
    return found


def packed(estimator: RowMethods) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the description of a fitted estimator."""
    energies, weight = estimator._energies_of_fit
    arrays, description = artifact.pack(estimator.models_, _state(estimator))
    arrays |= {"energies": energies, "calibration": estimator.calibration_.energies}
    return arrays | ({} if weight is None else {"weight": weight}), description


def _state(estimator: RowMethods) -> dict[str, Any]:
    names = getattr(estimator, "feature_names_in_", None)
    return {
        **{
            PARAM + name: value
            for name, value in estimator.get_params(deep=False).items()
            if name != "verbose"
        },
        **{name: getattr(estimator, name) for name in SAVED},
        "kind": astuple(estimator.kind_),
        "image_shape_": estimator.image_shape_,
        "rate": estimator.calibration_.rate,
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
        If it is the model of a scene or of images, needs the user's own module, or its parts do not fit
        together.
    """
    if "checkpoint" in description:
        raise InputError(
            "that is the checkpoint of a fit: the fit goes on from it with --checkpoint DIR --resume."
        )
    if "images" in description:
        raise InputError("the model is one of images: robustae.images.load and robustae images take it.")
    if "members" not in description or "scene" in description:
        raise InputError("the model is one of a scene: robustae.video.separate(clip, model=...) takes it.")
    with artifact.damage_named():
        estimator = _rebuilt(make, arrays, description, predictor)
        vetted(estimator)
    return estimator


def _rebuilt(make: Any, arrays: dict[str, np.ndarray], description: dict[str, Any], predictor: Any) -> Any:
    models, state = artifact.unpack(arrays, description, predictor)
    params = {name.removeprefix(PARAM): value for name, value in state.items() if name.startswith(PARAM)}
    estimator = make(**params if predictor is None else params | {"predictor": predictor})
    for name in SAVED:
        setattr(estimator, name, state[name])
    estimator.kind_ = Kind(*state["kind"])
    estimator.history_ = list(state["history_"])
    estimator.models_ = models
    estimator.calibration_ = Calibration(arrays["calibration"], state["rate"])
    estimator._energies_of_fit = (arrays["energies"], arrays.get("weight"))
    estimator.plan_ = None if state.get("plan") is None else Columns.from_json(state["plan"])
    if state["names"] is not None:
        estimator.feature_names_in_ = np.asarray(state["names"], dtype=object)
    return estimator


class Portable(RowMethods):
    """An estimator whose state is arrays, numbers and names: so pickles hold no tensors of torch.

    And skops has nothing to trust but the estimator's class. Where a module, a transformer or a penalty is
    your own, its objects stay as they are. Adam's moments of `partial_fit` are left out, as in `save`.
    """

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name != "_learners"}
        parts = {name: state[name] for name in PARTS if artifact.known(state.get(name))}
        state |= {name: artifact.plain(part) for name, part in parts.items()}
        if "models_" in state and state["predictor_name_"] and all(map(artifact.portable, self.models_)):
            shape = {name: getattr(self, name) for name in SHAPE}
            state["models_"] = artifact.pack(self.models_, shape)
        if "kind_" in state:
            state["kind_"] = astuple(state["kind_"])
        if "calibration_" in state:
            state["calibration_"] = (state["calibration_"].energies, state["calibration_"].rate)
        if state.get("plan_") is not None:
            state["plan_"] = state["plan_"].as_json()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        state |= {name: artifact.revived(state[name]) for name in PARTS & {*state}}
        if isinstance(state.get("models_"), tuple):
            state["models_"] = artifact.unpack(*state["models_"])[0]
        if "kind_" in state:
            state["kind_"] = Kind(*state["kind_"])
        if "calibration_" in state:
            state["calibration_"] = Calibration(*state["calibration_"])
        if state.get("plan_") is not None:
            state["plan_"] = Columns.from_json(state["plan_"])
        vars(self).update(state)
