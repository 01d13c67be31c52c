"""Arrays in memory, mapped or in .npy files, as batches of rows."""

import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robustae.data.batches import places
from robustae.data.binary import checked_array, unreadable
from robustae.utils.checks import InputError

__all__ = ["ArraySource", "NpyPart", "as_floats"]

_EXACT = ("?", "b", "B", "h", "H", "e", "f")  # types that float32 holds exactly


def as_floats(values: np.ndarray) -> np.ndarray:
    """Return numbers or truth values as float32 where that holds them exactly, else as float64."""
    return values.astype(np.float32 if values.dtype.char in _EXACT else np.float64, copy=False)


def flat(values: np.ndarray) -> np.ndarray:
    """Return images as rows."""
    return values.reshape(len(values), math.prod(values.shape[1:]))


class ArraySource:
    """An array of shape (n, d) or of images, or one that is mapped from a file."""

    named = False

    def __init__(self, array: Any, columns: Sequence[str] | None = None):
        if array.dtype.kind not in "biuf" or array.ndim < 2:
            raise InputError(f"data of type {array.dtype} and shape {array.shape} have no rows of numbers.")
        self._array = array
        names = [str(j) for j in range(math.prod(array.shape[1:]))]
        self.columns = names if columns is None else list(columns)
        self._at = None if self.columns == names else places(self.columns, names, "the array")
        self.n_rows: int | None = len(array)
        self._count = len(array)

    def batches(self, rows: int = 65_536, start: int = 0) -> Iterator[np.ndarray]:
        """Yield rows, from row `start` on."""
        for first in range(start, self._count, rows):
            part = flat(np.asarray(self._array[first : first + rows]))
            yield as_floats(part if self._at is None else part[:, self._at])

    def fingerprint(self) -> dict[str, Any] | None:
        """Shape, type and a checksum of all cells."""
        check = 0
        for batch in self.batches():
            check = zlib.crc32(np.ascontiguousarray(batch).data, check)
        shape = [self.n_rows, len(self.columns)]
        return {"shape": shape, "columns": self.columns, "dtype": str(self._array.dtype), "crc32": check}


class NpyPart:
    """One .npy file; mapped anew for each batch, so that what was read does not stay in memory."""

    named = False
    kinds: dict[str, Any] = {}

    def __init__(self, path: Path):
        self.path = path
        array = checked_array(self._mapped(), path)
        self.n_rows: int = len(array)
        self.columns = [str(j) for j in range(math.prod(array.shape[1:]))]

    def _mapped(self) -> np.ndarray:
        with unreadable(self.path):
            return np.load(self.path, mmap_mode="r", allow_pickle=False)

    def read_like(self, kinds: dict[str, Any]) -> None:
        """Columns have types: nothing is to be found out."""

    def check(self, columns: list[str]) -> None:
        """All columns are numbers."""

    def batches(self, columns: list[str], rows: int, start: int = 0) -> Iterator[np.ndarray]:
        """Yield rows, from row `start` on."""
        at = places(columns, self.columns, repr(str(self.path)))
        whole = at == list(range(len(self.columns)))
        for first in range(start, self.n_rows, rows):
            part = flat(np.array(self._mapped()[first : first + rows]))
            yield as_floats(part if whole else part[:, at])
