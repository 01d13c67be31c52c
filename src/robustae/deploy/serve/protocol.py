"""The Open Inference Protocol, version 2: tensors as JSON, or as bytes behind it.

See https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol, and for the binary
extension https://docs.nvidia.com/deeplearning/triton-inference-server, "Binary Tensor Data Extension".
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.deploy.records import RowReader
from robustae.deploy.serve.answers import OUTPUTS, Answer, wanted
from robustae.deploy.serve.limits import Limits, too_many_columns
from robustae.deploy.serve.tensors import (
    Binary,
    as_bytes,
    as_json,
    datatype_of,
    list_of,
    shape_of,
    tensor,
    text_of,
)
from robustae.utils.checks import InputError

__all__ = ["VERSION", "Asked", "Written", "model_metadata", "read_json", "write_json"]

VERSION = "1"  # of the model: there is one
ROWS = "X"  # name of the tensor that holds rows of numbers
PARTS = 1000  # objects and lists in a request beside its rows


@dataclass(frozen=True)
class Asked:
    """A request: rows, the outputs wanted and which of them as bytes, and what is handed back as it came."""

    rows: Any
    outputs: tuple[str, ...]
    binary: frozenset[str] | None  # None for all
    id: str | None


@dataclass(frozen=True)
class Written:
    """An answer: its body, and how many bytes of it are JSON where others follow."""

    body: bytes
    header: int | None


def read_json(body: bytes, row_reader: RowReader, limits: Limits, header: int | None = None) -> Asked:
    """Return what a request asks.

    Parameters
    ----------
    body : bytes
    row_reader : RowReader
    limits : Limits
    header : int, optional
        How many bytes of the body are JSON; all where none is given.

    Raises
    ------
    InputError
        If it is not a request of the protocol, or its tensors do not fit the model.
    """
    if header is not None and header > len(body):
        raise InputError(f"Inference-Header-Content-Length is {header}, and the body has {len(body)} bytes.")
    request = _object(_json(body[:header], limits), "the request")
    inputs = [_object(entry, "each of the inputs") for entry in list_of(request, "inputs")]
    if not inputs:
        raise InputError("inputs is empty: send one tensor of rows, or one for each column.")
    outputs = [_object(entry, "each of the outputs") for entry in list_of(request, "outputs", [])]
    given = request.get("id")
    if given is not None and not isinstance(given, str):
        raise InputError("id must be a text.")
    for entry in (*inputs, *outputs):
        _refuse_unknown(_parameters(entry))
    names = wanted(text_of(entry, "name") for entry in outputs)
    binary = Binary(b"" if header is None else memoryview(body)[header:])
    rows = _rows(inputs, row_reader, limits, binary)
    if len(binary.data):
        raise InputError(f"{len(binary.data)} bytes follow those of the tensors: their sizes do not agree.")
    return Asked(rows, names, _as_bytes(request, outputs), given)


def _json(body: bytes, limits: Limits) -> Any:
    """Parsed, a list or an object takes up to a hundred times the bytes that it has in the request."""
    if body.count(b"[") + body.count(b"{") > 2 * limits.rows + PARTS:
        raise InputError("the request has more lists and objects than rows are taken: send fewer rows.")
    try:
        return json.loads(body, object_pairs_hook=_unambiguous)
    except RecursionError:
        raise InputError("the body is no JSON that can be read: it is nested too deep.") from None
    except InputError:
        raise
    except ValueError as error:
        reason = str(error).partition(";")[0]  # what follows is for programmers
        raise InputError(f"the body is no JSON: {reason}.") from None


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse names that are there twice: other readers may take the first, where Python takes the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InputError("an object of the request has a name twice.")
    return found


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{what} must be an object.")
    return value


def _parameters(entry: dict[str, Any]) -> dict[str, Any]:
    return _object(entry.get("parameters", {}), "parameters")


def _refuse_unknown(parameters: dict[str, Any]) -> None:
    """Refuse what would be answered wrongly if it were passed over."""
    for name in parameters:
        if name.startswith("shared_memory") or name == "classification":
            raise InputError(f"the parameter {name[:40]!r} belongs to an extension that is not offered.")


def _as_bytes(request: dict[str, Any], outputs: list[dict[str, Any]]) -> frozenset[str] | None:
    everything = _parameters(request).get("binary_data_output", False) is True
    if everything and not outputs:
        return None
    chosen = (
        text_of(entry, "name")
        for entry in outputs
        if _parameters(entry).get("binary_data", everything) is True
    )
    return frozenset(chosen)


def _rows(inputs: list[dict[str, Any]], row_reader: RowReader, limits: Limits, binary: Binary) -> Any:
    """One tensor of rows of numbers, or one tensor for each column."""
    if len(inputs) == 1 and row_reader.takes_matrix and len(shape_of(inputs[0])) > 1:
        return _matrix(inputs[0], row_reader, limits, binary)
    too_many_columns(len(inputs), limits)
    names = [text_of(entry, "name") for entry in inputs]
    columns = [tensor(entry, binary, limits) for entry in inputs]
    for name, column in zip(names, columns, strict=True):
        if column.shape not in ((len(column),), (len(column), 1)) or len(column) != len(columns[0]):
            raise InputError(
                f"tensor {name[:80]!r} has the shape {list(column.shape)}: columns need one length."
            )
    if not len(columns[0]):
        raise InputError("the tensors have no rows.")
    return row_reader.rows([_cells(column.ravel()) for column in columns], names)


def _cells(column: np.ndarray) -> Any:
    return column.tolist() if column.dtype == object else column


def _matrix(entry: dict[str, Any], row_reader: RowReader, limits: Limits, binary: Binary) -> Any:
    X = tensor(entry, binary, limits)
    d = len(row_reader.needed or row_reader.columns)
    if math.prod(X.shape[1:]) != d or X.dtype == object:
        raise InputError(f"tensor {text_of(entry, 'name')[:80]!r} must hold rows of {d} numbers.")
    if not len(X):
        raise InputError("the tensor has no rows.")
    X = X.reshape(len(X), d)
    if X.dtype.kind == "f" and np.isinf(X).any():
        raise InputError("the tensor holds an infinity.")
    return row_reader.of_matrix(X)


def write_json(found: Answer, asked: Asked, model: str) -> Written:
    """Return an answer as tensors: JSON, and behind it the bytes of those that were asked for as bytes."""
    about = {"model_name": model, "model_version": VERSION} | ({} if asked.id is None else {"id": asked.id})
    outputs: list[bytes] = []
    parts: list[bytes] = []
    for name, values in found.items():
        tensor: dict[str, Any] = {"name": name, "shape": values.shape, "datatype": datatype_of(values)}
        if asked.binary is None or not asked.binary.isdisjoint((name, name.partition(".")[0])):
            parts.append(as_bytes(values))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
            outputs += [b", ", json.dumps(tensor).encode()]
        else:
            outputs += [b", ", json.dumps(tensor)[:-1].encode(), b', "data": ', as_json(values), b"}"]
    header = [json.dumps(about)[:-1].encode(), b', "outputs": [', *outputs[1:], b"]}"]
    return Written(b"".join([*header, *parts]), sum(map(len, header)) if parts else None)


def model_metadata(row_reader: RowReader, name: str) -> dict[str, Any]:
    """What the protocol says of a model."""
    inputs = (
        _columns(row_reader)
        if row_reader.mixed
        else [_tensor_of(ROWS, "FP64", [-1, len(row_reader.columns)])]
    )
    shapes = {"score": [-1], "anomaly": [-1]}
    kinds = {"anomaly": "BOOL"}
    outputs = [
        _tensor_of(output, kinds.get(output, "FP64"), shapes.get(output, [-1, len(row_reader.columns)]))
        for output in OUTPUTS
    ]
    about = {"columns": row_reader.columns}
    return {"name": name, "versions": [VERSION], "platform": "robustae", "parameters": about} | {
        "inputs": inputs,
        "outputs": outputs,
    }


def _columns(row_reader: RowReader) -> list[dict[str, Any]]:
    plan = row_reader.model.plan_
    if plan is None:
        return []
    return [
        _tensor_of(plan.columns[j].name, "FP64" if plan.columns[j].kind == "number" else "BYTES", [-1])
        for j in plan.used
    ]


def _tensor_of(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}
