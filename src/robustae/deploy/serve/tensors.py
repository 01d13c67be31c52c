"""Tensors of the Open Inference Protocol: values as JSON or bytes, checked before room is made for them."""

import json
import math
import struct
from itertools import chain
from typing import Any

import numpy as np

from robustae.deploy.serve.limits import Limits, too_many_cells, too_many_rows
from robustae.utils.checks import InputError, one_of

__all__ = [
    "DATATYPES",
    "Binary",
    "as_bytes",
    "as_json",
    "datatype_of",
    "list_of",
    "shape_of",
    "tensor",
    "text_of",
]

DATATYPES: dict[str, Any] = {
    "FP64": np.float64,
    "FP32": np.float32,
    "FP16": np.float16,
    **{f"INT{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
    "BOOL": np.bool_,
    "BYTES": object,
}
MOST_SIDES, LONGEST_SIDE = 8, 2**40
NUMBERS, WHOLE, TEXTS = {int, float, bool, type(None)}, {int, bool}, {str, type(None)}
BLOCK = 2**16  # cells written at a time
SHOWN = 80  # characters of a name in a sentence


class Binary:
    """What follows the JSON of a request: the bytes of its tensors, one after the other."""

    def __init__(self, data: bytes | memoryview):
        self.data = memoryview(data)

    def take(self, size: Any, name: str) -> memoryview:
        """Return the next `size` bytes.

        Raises
        ------
        InputError
            If there are not as many.
        """
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(self.data):
            raise InputError(f"tensor {name!r}: binary_data_size is no number of bytes that came.")
        taken, self.data = self.data[:size], self.data[size:]
        return taken


def list_of(entry: dict[str, Any], name: str, default: Any = None) -> list[Any]:
    """Return a list that an object holds."""
    value = entry.get(name, default)
    if not isinstance(value, list):
        raise InputError(f"{name} must be a list.")
    return value


def text_of(entry: dict[str, Any], name: str) -> str:
    """Return a text that an object holds."""
    if not isinstance(entry.get(name), str):
        raise InputError(f"{name} must be a text in each tensor.")
    return entry[name]


def shape_of(entry: dict[str, Any]) -> list[int]:
    """Return the shape of a tensor."""
    shape = list_of(entry, "shape")
    if not 1 <= len(shape) <= MOST_SIDES or not all(type(side) is int for side in shape):
        raise InputError(f"shape must be a list of 1 to {MOST_SIDES} whole numbers.")
    if not all(0 <= side <= LONGEST_SIDE for side in shape):
        raise InputError(f"shape must hold numbers from 0 to {LONGEST_SIDE}.")
    return shape


def tensor(entry: dict[str, Any], binary: Binary, limits: Limits) -> np.ndarray:
    """Return the values of a tensor: `data`, flat or nested, or as many bytes as `binary_data_size` says.

    Raises
    ------
    InputError
        If it is no tensor of the protocol.
    Refused
        If it has too many rows or cells.
    """
    name, shape = text_of(entry, "name")[:SHOWN], shape_of(entry)
    datatype = one_of("datatype", entry.get("datatype"), DATATYPES)
    count = math.prod(shape)
    too_many_rows(shape[0], limits)
    too_many_cells(count, limits)
    parameters = entry.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None and "data" in entry:
        raise InputError(f"tensor {name!r} has both data and binary_data_size.")
    if size is not None:
        values = _of_bytes(binary.take(size, name), name, datatype)
    else:
        values = _of_json(list_of(entry, "data"), shape, name, datatype)
    if values.size != count:
        raise InputError(f"tensor {name!r} has {values.size} values, and its shape says {count}.")
    return values.reshape(shape)


def _flat(data: list[Any], shape: list[int]) -> list[Any] | None:
    """Nested rows one behind the other; None where they are not of the shape."""
    if not data or not isinstance(data[0], list):
        return data
    for side in shape[1:]:
        if not all(type(part) is list and len(part) == side for part in data):
            return None
        data = list(chain.from_iterable(data))
    return data


def _of_json(data: list[Any] | None, shape: list[int], name: str, datatype: str) -> np.ndarray:
    """Null is a missing one."""
    data = _flat(data or [], shape)
    kind = np.dtype(DATATYPES[datatype])
    allowed = {"O": TEXTS, "f": NUMBERS}.get(kind.kind, WHOLE)
    if data is None or not set(map(type, data)) <= allowed:
        raise _wrong(name, datatype)
    if kind.kind == "O":
        return np.array([*data, None], dtype=object)[:-1]
    if kind.kind == "f":
        return _floats(data, kind, name, datatype)
    least, most = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    if data and not least <= min(data) <= max(data) <= most:
        raise _wrong(name, datatype)
    return np.array(data, dtype=kind)


def _floats(data: list[Any], kind: np.dtype, name: str, datatype: str) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # an infinity is refused later
            return np.array(data, dtype=np.float64).astype(kind, copy=False)
    except OverflowError:
        raise _wrong(name, datatype) from None


def _wrong(name: str, datatype: str) -> InputError:
    return InputError(f"tensor {name!r} holds what is no {datatype}, or rows of unequal length.")


def _of_bytes(data: memoryview, name: str, datatype: str) -> np.ndarray:
    kind = np.dtype(DATATYPES[datatype])
    if kind.kind == "O":
        return _texts(data, name)
    if len(data) % kind.itemsize:
        raise InputError(f"tensor {name!r} has {len(data)} bytes, which are no whole {datatype}.")
    if kind.kind == "b":
        return np.frombuffer(data, np.uint8) != 0
    return np.frombuffer(data, kind.newbyteorder("<"))


def _texts(data: memoryview, name: str) -> np.ndarray:
    """Each text follows its length, a number of 4 bytes."""
    found: list[Any] = []
    at = 0
    try:
        while at < len(data):
            end = at + 4 + struct.unpack_from("<I", data, at)[0]
            if end > len(data):
                raise ValueError("cut short")
            found.append(str(data[at + 4 : end], "utf-8"))
            at = end
    except (struct.error, ValueError):
        raise InputError(f"tensor {name!r} holds no texts in UTF-8 after their lengths.") from None
    return np.array([*found, None], dtype=object)[:-1]


def datatype_of(values: np.ndarray) -> str:
    """Return the name of an answer's datatype."""
    if values.dtype.kind == "f":
        return "FP64"
    return {"b": "BOOL", "i": "INT64", "u": "UINT64"}.get(values.dtype.kind, "BYTES")


def as_json(values: np.ndarray) -> bytes:
    """Return values as a flat list in JSON; what JSON lacks is null."""
    flat = values.ravel()
    blocks = (flat[start : start + BLOCK] for start in range(0, flat.size, BLOCK))
    texts = (json.dumps(_plain(block), allow_nan=False)[1:-1].encode() for block in blocks)
    return b"[" + b", ".join(texts) + b"]"


def _plain(values: np.ndarray) -> list[Any]:
    if values.dtype.kind == "f":
        return [cell if math.isfinite(cell) else None for cell in values.tolist()]
    if datatype_of(values) != "BYTES":
        return values.tolist()
    return [None if cell is None or cell != cell else str(cell) for cell in values.tolist()]


def as_bytes(values: np.ndarray) -> bytes:
    """Return values as the bytes of their datatype; a missing text is an empty one."""
    if datatype_of(values) != "BYTES":
        kind = {"f": "<f8", "i": "<i8", "u": "<u8", "b": "?"}[values.dtype.kind]
        return values.astype(kind, copy=False).tobytes()
    texts = [b"" if text is None else text.encode() for text in _plain(values.ravel())]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)
