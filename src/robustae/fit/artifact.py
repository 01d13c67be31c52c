"""A saved model: one file of named arrays and JSON (the safetensors format), nothing executed on load.

The header's metadata holds the version of the layout, a description in JSON and a SHA-256 over it and
all arrays, so that a truncated, altered or foreign file is refused with a sentence.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from robustae import penalties, solvers
from robustae.fit.energies import ENERGIES
from robustae.fit.model import Model
from robustae.predictors import build, named
from robustae.stats.scaling import ColumnScaling
from robustae.utils.checks import InputError, NotFound, one_of
from robustae.utils.files import write_bytes

__all__ = [
    "FORMAT",
    "believed",
    "known",
    "pack",
    "plain",
    "portable",
    "read",
    "revived",
    "unpack",
    "write",
]

FORMAT = 1  # raised when older readers could not understand the file
KEY = "robustae"
BY_COLUMN_OR_ONE = ("lam", "widening")
LARGEST = 1e150  # of any number in a model: its square is finite


def plain(value: Any) -> Any:
    """Turn a setting into JSON: floats that JSON lacks, tuples, penalties and solvers by name."""
    if isinstance(value, (np.integer, np.floating)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return {"tuple": [plain(item) for item in value]}
    if type(value) in _known().values():
        settings = {name: plain(item) for name, item in vars(value).items()}
        return {"object": type(value).__name__, "with": settings}
    if hasattr(value, "prox") or hasattr(value, "solve"):
        raise InputError(f"{value!r} is not of this package: a model fitted with it cannot be read back.")
    return value if isinstance(value, (str, int, float, bool, type(None))) else None


def _known() -> dict[str, type]:
    """The penalties and solvers of this package, by name: all that a file may build."""
    parts = {name: getattr(home, name) for home in (penalties, solvers) for name in home.__all__}
    return {name: part for name, part in parts.items() if isinstance(part, type)}


def revived(value: Any) -> Any:
    """Undo `plain`; only penalties and solvers of this package are ever built."""
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "tuple" in value:
        return tuple(revived(item) for item in value["tuple"])
    known = _known()
    name = value.get("object")
    if name not in known:
        raise InputError(f"the model names {name!r}, which this version does not know.")
    return known[name](**{key: revived(item) for key, item in value["with"].items()})


def known(part: Any) -> bool:
    """Whether a penalty or solver, and what a trimmed penalty holds, is of this package."""
    ours = _known().values()
    return type(part) in ours and type(getattr(part, "kept", part)) in ours


def portable(model: Model) -> bool:
    """Whether arrays and names tell all of a model but its predictor."""
    return isinstance(model.scaling, ColumnScaling) and known(model.penalty)


def pack(models: list[Model], state: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the description of fitted models; `state` is the estimator's own."""
    arrays: dict[str, np.ndarray] = {}
    members = []
    for number, model in enumerate(models):
        prefix = f"member{number}."
        arrays |= {prefix + name: values for name, values in _arrays(model).items()}
        members.append(
            {
                "energy": model.energy.name,
                "clip": model.clip,
                "unit": model.unit,
                "penalty": plain(model.penalty),
            }
        )
    return arrays, {"members": members, "state": {name: plain(value) for name, value in state.items()}}


def _arrays(model: Model) -> dict[str, np.ndarray]:
    if not isinstance(model.scaling, ColumnScaling):
        raise InputError(
            "scaling: a transformer cannot be saved safely (loading it would execute code); "
            "fit with scaling='robust', 'standard', 'global' or None to save the model."
        )
    arrays = {
        f"predictor.{name}": value.cpu().numpy() for name, value in model.predictor.state_dict().items()
    }
    arrays |= {
        "location": model.scaling.location,
        "scale": model.scaling.scale,
        "noise": model.noise,
        "fill": model.fill,
        "widening": np.atleast_1d(model.widening),
    }
    arrays["lam"] = np.atleast_1d(np.asarray(model.lam, dtype=np.float64))
    arrays |= {f"energy.{name}": values for name, values in model.energy.arrays().items()}
    return {name: np.asarray(values, order="C") for name, values in arrays.items()}


def _digest(arrays: dict[str, np.ndarray], description: str) -> str:
    total = hashlib.sha256(description.encode())
    for name in sorted(arrays):
        total.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
        total.update(np.ascontiguousarray(arrays[name]).tobytes())
    return total.hexdigest()


def write(path: str | os.PathLike[str], arrays: dict[str, np.ndarray], description: dict[str, Any]) -> None:
    """Write the artifact to `path`, whole or not at all."""
    from safetensors.numpy import save

    text = json.dumps(description, sort_keys=True)
    metadata = {KEY: str(FORMAT), "description": text, "sha256": _digest(arrays, text)}
    write_bytes(Path(path), save(arrays, metadata))


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read and check an artifact.

    Raises
    ------
    NotFound
        If there is no such file.
    InputError
        If it is truncated, altered, not a model of this package, or of a later layout.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFound(
            f"model {str(path)!r} is not there." if not path.is_dir() else f"model {str(path)!r} is a folder."
        )
    data = path.read_bytes()
    metadata = _metadata(path, data)
    if metadata[KEY] != str(FORMAT):
        raise InputError(
            f"model {str(path)!r} was written by a later version of robustae: upgrade to read it."
        )
    arrays = _tensors(path, data)
    if _digest(arrays, metadata["description"]) != metadata["sha256"]:
        raise InputError(f"model {str(path)!r} is damaged: its checksum does not agree.")
    with believed():
        return arrays, _mapping(json.loads(metadata["description"]))


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a description is a JSON object")
    return value


@contextmanager
def believed() -> Iterator[None]:
    """Take a description at its word; whatever that leads to, where it is wrong, is one sentence.

    The checksum finds accidents. Who writes another description writes its checksum, too.
    """
    try:
        yield
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"the model is damaged: its parts do not fit together ({_short(error)}).") from error


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"


def _metadata(path: Path, data: bytes) -> dict[str, str]:
    """The header's metadata, read before anything else is believed."""
    try:
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        if (
            not metadata[KEY].isdecimal()
            or not isinstance(metadata["description"], str)
            or "sha256" not in metadata
        ):
            raise KeyError(KEY)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{str(path)!r} is not a model saved by robustae, or its header is damaged."
        ) from error
    return metadata


def _tensors(path: Path, data: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(data)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"model {str(path)!r} is damaged or cut short.") from error


def unpack(
    arrays: dict[str, np.ndarray], description: dict[str, Any], predictor: Any = None
) -> tuple[list[Model], dict[str, Any]]:
    """Rebuild the models and the estimator's state.

    Raises
    ------
    InputError
        If the model holds a user's own module and `predictor` is not given, or does not fit.
    """
    state = {name: revived(value) for name, value in description["state"].items()}
    models = []
    for number, member in enumerate(description["members"]):
        prefix = f"member{number}."
        own = {
            name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)
        }
        models.append(_model(own, member, state, predictor))
    return models, state


def _model(
    arrays: dict[str, np.ndarray], member: dict[str, Any], state: dict[str, Any], predictor: Any
) -> Model:
    _check_columns(arrays)
    lam = arrays["lam"] if len(arrays["lam"]) > 1 else float(arrays["lam"][0])
    parts = {
        name.removeprefix("energy."): array for name, array in arrays.items() if name.startswith("energy.")
    }
    energy = ENERGIES[one_of("energy", member["energy"], ENERGIES)]
    return Model(
        _module(arrays, state, predictor),
        revived(member["penalty"]),
        lam,
        ColumnScaling(arrays["location"], arrays["scale"]),
        member["clip"],
        arrays["noise"],
        arrays["fill"],
        energy.of_arrays(parts),
        member["unit"],
        arrays.get("widening", 1.0),
    )


def _check_columns(arrays: dict[str, np.ndarray]) -> None:
    """Refuse arrays by column of another length than d, numbers too large, and scales that are none."""
    shape = arrays["location"].shape
    sizes = {name: arrays[name] for name in ("scale", "noise", "lam", "widening") if name in arrays}
    for name, values in (sizes | {"fill": arrays["fill"]}).items():
        if values.shape != shape and (name not in BY_COLUMN_OR_ONE or values.shape != (1,)):
            raise ValueError(f"{name} is of shape {values.shape}, and location of {shape}")
    for name, values in sizes.items():
        if not (values > 1 / LARGEST).all():
            raise ValueError(f"{name} is not above 0")
    for name, values in arrays.items():
        if name != "lam" and not name.startswith("predictor.") and not (np.abs(values) < LARGEST).all():
            raise ValueError(f"{name} is not finite")


def _module(arrays: dict[str, np.ndarray], state: dict[str, Any], predictor: Any) -> nn.Module:
    weights = {
        name.removeprefix("predictor."): torch.from_numpy(values.copy())
        for name, values in arrays.items()
        if name.startswith("predictor.")
    }
    chosen = predictor if predictor is not None else state["predictor_name_"]
    if chosen is None:
        raise InputError(
            "this model was fitted with your own module: load(path, predictor=...) needs it again."
        )
    hidden = state["hidden_"]
    widths = hidden if isinstance(hidden, tuple) else (hidden,)
    if isinstance(chosen, str):
        _check_widths(chosen, widths, state["image_shape_"], arrays)
    with torch.random.fork_rng(devices=[]):
        module = build(chosen, len(arrays["location"]), widths, state["image_shape_"], torch.Generator())
    try:
        module.double().load_state_dict(weights)
    except RuntimeError as error:
        kind = "the predictor given" if predictor is not None else "its predictor"
        raise InputError(f"the saved weights do not fit {kind}.") from error
    return module.eval().requires_grad_(False)


def _check_widths(name: str, widths: Any, image_shape: Any, arrays: dict[str, np.ndarray]) -> None:
    """Refuse what would take more memory than the weights that came: no file may claim it."""
    columns = len(arrays["location"])
    if image_shape is not None and math.prod(image_shape) != columns:
        raise ValueError(f"image_shape {image_shape} does not make {columns} columns")
    kind = named(name)
    least = 0 if kind is None else kind.least_weights(columns, widths, image_shape)
    given = sum(values.size for part, values in arrays.items() if part.startswith("predictor."))
    if min(widths, default=0) < 0 or least > given:
        raise InputError("the saved weights do not fit its predictor.")
