"""The Open Inference Protocol, version 2: tensors as JSON.

See https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.deploy.records import Intake
from robustae.deploy.serve.answers import OUTPUTS, Answer, wanted
from robustae.deploy.serve.limits import Limits, too_many_rows
from robustae.utils.checks import InputError, one_of
from robustae.utils.json import plain

__all__ = ["DATATYPES", "Asked", "model_metadata", "read_json", "write_json"]

DATATYPES: dict[str, Any] = {
    "FP64": np.float64,
    "FP32": np.float32,
    "FP16": np.float16,
    **{f"INT{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
    "BOOL": np.bool_,
    "BYTES": object,
}
ROWS = "X"  # name of the tensor that holds rows of numbers


@dataclass(frozen=True)
class Asked:
    """A request: rows, the outputs wanted, and what is handed back as it came."""

    rows: Any
    outputs: tuple[str, ...]
    id: str | None


def read_json(body: bytes, intake: Intake, limits: Limits) -> Asked:
    """Return what a request asks.

    Raises
    ------
    InputError
        If it is not a request of the protocol, or its tensors do not fit the model.
    """
    request = _object(_json(body), "the request")
    inputs = [_object(entry, "each of the inputs") for entry in _list(request, "inputs")]
    if not inputs:
        raise InputError("inputs is empty: send one tensor of rows, or one for each column.")
    outputs = [
        _text(_object(entry, "each of the outputs"), "name") for entry in _list(request, "outputs", [])
    ]
    given = request.get("id")
    if given is not None and not isinstance(given, str):
        raise InputError("id must be a text.")
    return Asked(_rows(inputs, intake, limits), wanted(outputs), given)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except RecursionError:
        raise InputError("the body is no JSON that can be read: it is nested too deep.") from None
    except ValueError as error:
        raise InputError(f"the body is no JSON: {error}.") from None


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{what} must be an object.")
    return value


def _list(entry: dict[str, Any], name: str, default: Any = None) -> list[Any]:
    value = entry.get(name, default)
    if not isinstance(value, list):
        raise InputError(f"{name} must be a list.")
    return value


def _text(entry: dict[str, Any], name: str) -> str:
    if not isinstance(entry.get(name), str):
        raise InputError(f"{name} must be a text in each tensor.")
    return entry[name]


def _rows(inputs: list[dict[str, Any]], intake: Intake, limits: Limits) -> Any:
    """One tensor of rows of numbers, or one tensor for each column."""
    if len(inputs) == 1 and not intake.mixed and len(_shape(inputs[0])) > 1:
        return _matrix(inputs[0], intake, limits)
    names = [_text(entry, "name") for entry in inputs]
    columns = [_tensor(entry, limits) for entry in inputs]
    for name, column in zip(names, columns, strict=True):
        if column.shape not in ((len(column),), (len(column), 1)) or len(column) != len(columns[0]):
            raise InputError(f"tensor {name!r} has the shape {list(column.shape)}: columns need one length.")
    if not len(columns[0]):
        raise InputError("the tensors have no rows.")
    return intake.rows([_cells(column.ravel()) for column in columns], names)


def _cells(column: np.ndarray) -> Any:
    return column.tolist() if column.dtype == object else column


def _matrix(entry: dict[str, Any], intake: Intake, limits: Limits) -> np.ndarray:
    X = _tensor(entry, limits)
    d = len(intake.columns)
    if math.prod(X.shape[1:]) != d or X.dtype == object:
        raise InputError(f"tensor {_text(entry, 'name')!r} must hold rows of {d} numbers.")
    if not len(X):
        raise InputError("the tensor has no rows.")
    X = X.reshape(len(X), d)
    if X.dtype.kind == "f" and np.isinf(X).any():
        raise InputError("the tensor holds an infinity.")
    return X


def _shape(entry: dict[str, Any]) -> list[int]:
    shape = _list(entry, "shape")
    if not shape or not all(
        isinstance(side, int) and not isinstance(side, bool) and side >= 0 for side in shape
    ):
        raise InputError("shape must be a list of whole numbers.")
    return shape


def _tensor(entry: dict[str, Any], limits: Limits) -> np.ndarray:
    name, shape = _text(entry, "name"), _shape(entry)
    datatype = one_of("datatype", entry.get("datatype"), DATATYPES)
    too_many_rows(shape[0], limits)
    values = _array(_list(entry, "data"), name, datatype)
    if values.size != math.prod(shape):
        raise InputError(f"tensor {name!r} has {values.size} values, and its shape says {math.prod(shape)}.")
    return values.reshape(shape)


def _array(data: list[Any], name: str, datatype: str) -> np.ndarray:
    """Values, flat or nested; null is a missing one."""
    if datatype == "BYTES":
        return _texts(data, name)
    try:
        return _cast(data, np.dtype(DATATYPES[datatype]))
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"tensor {name!r} holds what is no {datatype}, or rows of unequal length.") from None


def _cast(data: list[Any], kind: np.dtype) -> np.ndarray:
    if kind.kind == "f":
        with np.errstate(over="ignore"):  # an infinity is refused later
            return np.array(data, dtype=np.float64).astype(kind, copy=False)
    whole = np.array(data)
    values = whole.astype(kind)
    if whole.size and (whole.dtype.kind not in "iub" or (values != whole).any()):
        raise ValueError("not whole, or too large")
    return values


def _texts(data: list[Any], name: str) -> np.ndarray:
    flat = [cell for part in data for cell in (part if isinstance(part, list) else [part])]
    if not all(cell is None or isinstance(cell, str) for cell in flat):
        raise InputError(f"tensor {name!r} holds what is no BYTES: texts or null.")
    return np.array([*flat, None], dtype=object)[:-1]


def write_json(found: Answer, asked: Asked, model: str) -> bytes:
    """Return an answer as tensors."""
    told = {"model_name": model, "outputs": [_told(name, values) for name, values in found.items()]}
    return json.dumps(told | ({} if asked.id is None else {"id": asked.id}), allow_nan=False).encode()


def _told(name: str, values: np.ndarray) -> dict[str, Any]:
    return {"name": name, "shape": list(values.shape), "datatype": _datatype(values), "data": _plain(values)}


def _datatype(values: np.ndarray) -> str:
    if values.dtype.kind == "f":
        return "FP64"
    return {"b": "BOOL", "i": "INT64", "u": "UINT64"}.get(values.dtype.kind, "BYTES")


def _plain(values: np.ndarray) -> list[Any]:
    """Flat; what JSON lacks is null."""
    if _datatype(values) != "BYTES":
        return plain(values.ravel())
    return [None if cell is None or cell != cell else str(cell) for cell in values.ravel().tolist()]


def model_metadata(intake: Intake, name: str) -> dict[str, Any]:
    """What the protocol says of a model."""
    inputs = _columns(intake) if intake.mixed else [_tensor_of(ROWS, "FP64", [-1, len(intake.columns)])]
    shapes = {"score": [-1], "anomaly": [-1]}
    kinds = {"anomaly": "BOOL"}
    outputs = [
        _tensor_of(output, kinds.get(output, "FP64"), shapes.get(output, [-1, len(intake.columns)]))
        for output in OUTPUTS
    ]
    about = {"columns": intake.columns}
    return {"name": name, "versions": ["1"], "platform": "robustae", "parameters": about} | {
        "inputs": inputs,
        "outputs": outputs,
    }


def _columns(intake: Intake) -> list[dict[str, Any]]:
    plan = intake.model.plan_
    return [
        _tensor_of(plan.columns[j].name, "FP64" if plan.columns[j].kind == "number" else "BYTES", [-1])
        for j in plan.used
    ]


def _tensor_of(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}
