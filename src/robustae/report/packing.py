"""Arrays inside JSON: base64 of deflated little-endian numbers, which the page unpacks by itself."""

import base64
import json
import zlib
from typing import Any

import numpy as np

from robustae.utils.json import compact

__all__ = ["pack", "pack_json", "unpack"]


def pack(values: np.ndarray, delta: bool = False) -> dict[str, Any]:
    """Return an array as a JSON-able dict.

    Parameters
    ----------
    values : array
        float32 or uint8 (other numbers become float32).
    delta : bool
        For uint8 films: store each row's change from the row before, modulo 256. Still pixels then
        cost next to nothing.
    """
    values = np.ascontiguousarray(values if values.dtype == np.uint8 else values.astype("<f4"))
    stored = np.diff(values, axis=0, prepend=np.zeros_like(values[:1])) if delta else values
    return {
        "dtype": "uint8" if values.dtype == np.uint8 else "float32",
        "shape": list(values.shape),
        "delta": delta,
        "deflate": _deflated(stored.tobytes()),
    }


def pack_json(value: Any) -> dict[str, Any]:
    """Return anything JSON-able, texts above all, as a small JSON-able dict."""
    text = compact(value)
    return {"dtype": "json", "deflate": _deflated(text.encode("utf-8", "replace"))}


def _deflated(stored: bytes) -> str:
    return base64.b64encode(zlib.compress(stored, 9)).decode("ascii")


def unpack(packed: dict[str, Any]) -> Any:
    """Return the array that `pack` was given (as float32 or uint8), or what `pack_json` was."""
    stored = zlib.decompress(base64.b64decode(packed["deflate"]))
    if packed["dtype"] == "json":
        return json.loads(stored)
    dtype = np.uint8 if packed["dtype"] == "uint8" else np.dtype("<f4")
    values = np.frombuffer(stored, dtype).reshape(packed["shape"])
    return np.cumsum(values, axis=0, dtype=np.uint8) if packed["delta"] else values
