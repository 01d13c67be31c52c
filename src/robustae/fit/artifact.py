"""A saved model: one file of named arrays and JSON (the safetensors format), nothing executed on load.

The header's metadata holds the version of the layout, a description in JSON and a SHA-256 over it and
all arrays, so that a truncated, altered or foreign file is refused with a sentence. The same model gives the
same bytes. What a file may ask for is bounded by what it brings: its header is limited before it is parsed,
and nothing is built that would take more than the arrays that came.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from robustae import penalties, solvers
from robustae.fit.energies import ENERGIES
from robustae.fit.known import KnownRows
from robustae.fit.model import CellsAlone, Model
from robustae.fit.sources import Sources
from robustae.predictors import build, named
from robustae.stats.scaling import ColumnScaling
from robustae.utils.checks import InputError, NotFound, one_of
from robustae.utils.files import write_bytes

__all__ = [
    "FORMAT",
    "damage_named",
    "known",
    "pack",
    "plain",
    "portable",
    "read",
    "revived",
    "unpack",
    "write",
]

FORMAT = 2  # raised when older readers could not understand the file
KEY = "robustae"
ENTRY = b'"data_offsets"'  # in a header, of each array
BY_COLUMN_OR_ONE = ("lam", "widening")
LARGEST = 1e150  # of any number in a model: its square is finite
LONGEST_HEADER = 2**25  # bytes: parsed, JSON takes some ten times as many
MOST_PARTS = 2**18  # lists and objects in a header: each takes 60 to 240 bytes, and 2 in the file
MOST_ARRAYS = 10_000
MOST_MEMBERS = 200  # each is tried when it is read
CODES = {
    np.dtype(kind): code
    for kind, code in {
        "<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64", "<i4": "I32", "<i2": "I16", "i1": "I8",
        "<u8": "U64", "<u4": "U32", "<u2": "U16", "u1": "U8", "?": "BOOL",
    }.items()
}  # fmt: skip


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
    """Whether arrays and names hold all of a model but its predictor."""
    return isinstance(model.scaling, ColumnScaling) and known(model.penalty)


def pack(models: list[Model], state: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the description of fitted models; `state` is the estimator's own."""
    if len(models) > MOST_MEMBERS:
        raise InputError(f"n_estimators: at most {MOST_MEMBERS} fits are saved together, not {len(models)}.")
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
    if model.known is not None:
        arrays |= {f"known.{name}": values for name, values in vars(model.known).items()}
    if model.alone is not None:
        arrays |= {f"alone.{name}": values for name, values in vars(model.alone).items()}
    if model.sources is not None:
        arrays |= {f"sources.{name}": values for name, values in model.sources.arrays().items()}
    return {name: np.asarray(values, order="C") for name, values in arrays.items()}


def _digest(arrays: dict[str, np.ndarray], description: str) -> str:
    total = hashlib.sha256(description.encode())
    for name in sorted(arrays):
        total.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
        total.update(arrays[name].tobytes())
    return total.hexdigest()


def write(path: str | os.PathLike[str], arrays: dict[str, np.ndarray], description: dict[str, Any]) -> None:
    """Write the artifact to `path`, whole or not at all.

    Raises
    ------
    InputError
        If the place cannot be written to, or the description is larger than `read` takes.
    """
    text = json.dumps(description, sort_keys=True)
    arrays = {name: _little_endian(values) for name, values in arrays.items()}
    metadata = {KEY: str(FORMAT), "description": text, "sha256": _digest(arrays, text)}
    write_bytes(Path(path), _bytes(arrays, metadata))


def _little_endian(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder("<"), copy=False)


def _bytes(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """The safetensors format, the same bytes for the same parts: its own writer shuffles the metadata."""
    entries: dict[str, Any] = {"__metadata__": metadata}
    parts, end = [], 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):  # aligned
        values = arrays[name]
        parts.append(values.tobytes())
        begin, end = end, end + values.nbytes
        code = CODES[values.dtype]
        entries[name] = {"dtype": code, "shape": list(values.shape), "data_offsets": [begin, end]}
    header = json.dumps(entries, separators=(",", ":")).encode()
    _check_header(header, "the model cannot be saved")
    header += b" " * (-len(header) % 8)
    return b"".join([len(header).to_bytes(8, "little"), header, *parts])


def _check_header(header: bytes, refusal: str) -> None:
    """Refuse JSON that would take much more memory, parsed, than it has bytes, and very many arrays."""
    parts = header.count(b"[") + header.count(b"{")
    if len(header) > LONGEST_HEADER or parts > MOST_PARTS or header.count(ENTRY) > MOST_ARRAYS:
        raise InputError(
            f"{refusal}: its description is longer than {LONGEST_HEADER // 2**20} MiB, or has more than "
            f"{MOST_PARTS} parts or {MOST_ARRAYS} arrays (columns, levels, members)."
        )


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read and check an artifact.

    Raises
    ------
    NotFound
        If there is no such file.
    InputError
        If it is truncated, altered, not a model of this package, or of another layout.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFound(
            f"model {str(path)!r} is not there." if not path.is_dir() else f"model {str(path)!r} is a folder."
        )
    with open(path, "rb") as file:
        head = _head(path, file)
        metadata = _metadata(path, head)
        _check_format(path, int(metadata[KEY]))
        arrays = _tensors(path, head + file.read())
    if _digest(arrays, metadata["description"]) != metadata["sha256"]:
        raise InputError(f"model {str(path)!r} is damaged: its checksum does not agree.")
    with damage_named():
        return arrays, _mapping(json.loads(metadata["description"]))


def _head(path: Path, file: Any) -> bytes:
    """The length of the header, and the header: no more of a foreign file is read."""
    length = file.read(8)
    size = int.from_bytes(length, "little")
    header = file.read(min(size, LONGEST_HEADER + 1))
    if size <= os.fstat(file.fileno()).st_size:
        _check_header(header, f"model {str(path)!r} is not read")
    return length + header


def _check_format(path: Path, found: int) -> None:
    if found > FORMAT:
        raise InputError(
            f"model {str(path)!r} was written by a later version of robustae: upgrade to read it."
        )
    if found < FORMAT:
        raise InputError(
            f"model {str(path)!r} was written by an earlier version of robustae, which this one does not "
            "read: fit it again."
        )


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a description is a JSON object")
    return value


@contextmanager
def damage_named() -> Iterator[None]:
    """Turn whatever a damaged description leads to into one sentence.

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


def _metadata(path: Path, head: bytes) -> dict[str, str]:
    """The header's metadata, read before anything else is used."""
    try:
        metadata = json.loads(head[8:])["__metadata__"]
        if (
            not re.fullmatch("[0-9]{1,9}", metadata[KEY])
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
    members = description["members"]
    if not isinstance(members, list) or len(members) > MOST_MEMBERS:
        raise ValueError(f"its members are no list of at most {MOST_MEMBERS}")
    own = _by_member(arrays)
    return [_model(own[f"member{k}"], member, state, predictor) for k, member in enumerate(members)], state


def _by_member(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, values in arrays.items():
        member, _, part = name.partition(".")
        found.setdefault(member, {})[part] = values
    return found


def _model(
    arrays: dict[str, np.ndarray], member: dict[str, Any], state: dict[str, Any], predictor: Any
) -> Model:
    _check_columns(arrays)
    lam = arrays["lam"] if len(arrays["lam"]) > 1 else float(arrays["lam"][0])
    parts = _parts(arrays, "energy.")
    energy = ENERGIES[one_of("energy", member["energy"], ENERGIES)]
    penalty = revived(member["penalty"])
    if not isinstance(penalty, penalties.Penalty):
        raise TypeError("the penalty is none")
    return Model(
        _module(arrays, state, predictor),
        penalty,
        lam,
        ColumnScaling(arrays["location"], arrays["scale"]),
        member["clip"],
        arrays["noise"],
        arrays["fill"],
        energy.of_arrays(parts),
        member["unit"],
        arrays.get("widening", 1.0),
        _known_rows(arrays),
        _cells_alone(arrays),
        _sources(arrays),
    )


def _parts(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _sources(arrays: dict[str, np.ndarray]) -> Sources | None:
    parts = _parts(arrays, "sources.")
    if not parts:
        return None
    if parts["index"].shape != arrays["location"].shape:
        raise ValueError("source columns are not those of the model")
    return Sources.of_arrays(parts)


def _cells_alone(arrays: dict[str, np.ndarray]) -> CellsAlone | None:
    if "alone.quantiles" not in arrays:
        return None
    return CellsAlone(arrays["alone.quantiles"], arrays["alone.clean"])


def _known_rows(arrays: dict[str, np.ndarray]) -> KnownRows | None:
    if "known.keys" not in arrays:
        return None
    keys, energies = arrays["known.keys"], arrays["known.energies"]
    if keys.dtype != np.uint64 or keys.ndim != 1 or keys.shape != energies.shape:
        raise ValueError("the rows of the fit are damaged")
    return KnownRows(keys, energies)


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
        free = name == "lam" or name.startswith("predictor.") or values.dtype.kind == "u"
        if not free and not float(np.abs(values).max(initial=0)) < LARGEST:
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
    widths = state["hidden_"] if isinstance(state["hidden_"], tuple) else (state["hidden_"],)
    if isinstance(chosen, str):
        _check_widths(chosen, widths, state["image_shape_"], len(arrays["location"]), weights)
    with torch.random.fork_rng(devices=[]):
        module = build(chosen, len(arrays["location"]), widths, state["image_shape_"], torch.Generator())
    try:
        module.double().load_state_dict(weights)
    except RuntimeError as error:
        kind = "the predictor given" if predictor is not None else "its predictor"
        raise InputError(f"the saved weights do not fit {kind}.") from error
    return module.eval().requires_grad_(False)


def _check_widths(
    name: str, widths: Any, image_shape: Any, columns: int, weights: dict[str, torch.Tensor]
) -> None:
    """Refuse what would take more memory than the weights that came: no file may claim it.

    A layer has at least a weight for each unit, and a tensor: so neither its width nor the number of layers
    exceeds what is there.
    """
    if columns < 1:
        raise ValueError("a model of no columns")
    if image_shape is not None and (min(image_shape) < 1 or math.prod(image_shape[:4]) != columns):
        raise ValueError(f"image_shape {image_shape} does not make {columns} columns")
    given = sum(values.numel() for values in weights.values())
    if not all(0 <= width <= given for width in widths) or len(widths) > len(weights):
        raise InputError("the saved weights do not fit its predictor.")
    kind = named(name)
    if kind is not None and kind.least_weights(columns, widths, image_shape) > given:
        raise InputError("the saved weights do not fit its predictor.")
