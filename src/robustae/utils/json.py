"""JSON: whatever NumPy made, and numbers that JSON lacks."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["compact", "plain"]


def plain(value: Any, infinite: bool = False) -> Any:
    """Return a value in the types of JSON.

    Parameters
    ----------
    value : any
        NumPy's numbers and arrays become Python's, dates ISO text without an empty time, what is neither
        text nor number its `str`.
    infinite : bool
        Write infinities as the texts "inf" and "-inf"; else they are None, as what is not a number always is.
    """
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value.astype("datetime64[s]")).removesuffix("T00:00:00")
    if isinstance(value, Mapping):
        return {str(name): plain(part, infinite) for name, part in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        return [plain(part, infinite) for part in value]
    if isinstance(value, list | tuple):
        return [plain(part, infinite) for part in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist(), infinite)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) if infinite and not math.isnan(value) else None
    return value if isinstance(value, str | int | float | None) else str(value)


def compact(value: Any) -> str:
    """Return what JSON can hold as text without a blank too many; refuses infinities."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
