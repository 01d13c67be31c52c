"""The first pass over a source: rows in float32 on disk, read again several times faster than decoded."""

import json
import os
import re
import shutil
import tempfile
import warnings
import weakref
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robustae.data.binary import DAMAGED
from robustae.data.streams import RowSource, checked_rows
from robustae.stats.scales import quantile
from robustae.stats.sketches import QuantileSketch
from robustae.utils.checks import InputError
from robustae.utils.files import locked, replacing_folder
from robustae.utils.temporaries import clear_left

__all__ = ["Progress", "Spill", "no_spill"]

Progress = Callable[[int, int | None], None]
"""Called with the rows read so far and the rows in all, None where not known."""

ROWS, SKETCH, FACTS = NAMES = ("rows.f32", "sketch.npz", "spill.json")
PLACE = "spill"  # in the folder given
VERSION = 2
CHUNK = 2**20  # bytes read at a time
HEAD = 4096  # rows checked for columns that float32 does not resolve


class StoredRows:
    """A float32 array of shape (n, d) in a file; a slice or an array of row numbers gives a copy of rows.

    It is not mapped: pages once read would count as memory in use.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, path: Path, shape: tuple[int, int]):
        self.path, self.shape = path, shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        if isinstance(rows, slice) and (rows.step or 1) == 1:
            first, stop, _ = rows.indices(len(self))
            return self._run(first, max(stop - first, 0))
        return np.array(self.mapped()[rows])

    def _run(self, first: int, count: int) -> np.ndarray:
        d = self.shape[1]
        cells = np.fromfile(self.path, self.dtype, count * d, offset=first * d * self.dtype.itemsize)
        return cells.reshape(count, d)

    def mapped(self) -> np.ndarray:
        """Return all rows as a read-only memory map."""
        return np.memmap(self.path, self.dtype, "r", shape=self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


@dataclass(frozen=True)
class Spill:
    """Rows as they were read once, with the quantiles of their columns.

    Attributes
    ----------
    rows : StoredRows, shape (n, d)
        float32, NaN where missing: ``rows[a:b]`` and ``rows[array of row numbers]`` give arrays.
    sketch : QuantileSketch
        Of the columns.
    columns : list of d str
    named : bool
        Whether `columns` are names that the data give.
    fingerprint : dict or None
        Of the source; None where it cannot be known.
    folder : Path or None
        Where it lies; None where nothing is kept.
    """

    rows: Any
    sketch: QuantileSketch
    columns: list[str]
    named: bool
    fingerprint: dict[str, Any] | None
    folder: Path | None = None
    _remove: Callable[[], Any] | None = None

    @classmethod
    def of(
        cls,
        source: RowSource,
        folder: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> "Spill":
        """Return the spill of a source: the one that lies there if the fingerprints agree, else a new one.

        Parameters
        ----------
        source : RowSource
        folder : path, optional
            Where it is kept, one source at a time; processes wait for the one that writes. Without it a
            temporary folder is used, and removed by `close` or at the end of the program.
        progress : callable, optional
            ``progress(rows so far, rows in all or None)``.

        Raises
        ------
        InputError
            If the source cannot be read, a cell does not fit float32, or there is no room.
        """
        if folder is None:
            return cls._temporary(source, progress)
        place = _made(Path(folder).expanduser())
        with locked(place, wait=True):
            clear_left(place, re.compile(PLACE))
            facts = _facts(place)
            if not (_is_of(facts, source) and _is_intact(place / PLACE, facts)):
                _write(source, place / PLACE, progress)
            return cls.open(place)

    @classmethod
    def _temporary(cls, source: RowSource, progress: Progress | None) -> "Spill":
        place = Path(tempfile.mkdtemp(prefix="robustae-"))
        try:
            _write(source, place / PLACE, progress)
            spill = cls.open(place)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        # Bound to the rows, which may outlive the spill they came from.
        return replace(spill, _remove=weakref.finalize(spill.rows, shutil.rmtree, place, ignore_errors=True))

    @classmethod
    def open(cls, folder: Path) -> "Spill":
        """Return the spill that lies in a folder.

        Raises
        ------
        InputError
            If there is none.
        """
        facts = _facts(folder)
        if not facts:
            raise InputError(f"the folder {str(folder)!r} holds no spill.")
        sketch = _sketch(folder / PLACE)
        rows = StoredRows(folder / PLACE / ROWS, tuple(facts["shape"]))
        return cls(rows, sketch, facts["columns"], facts["named"], facts["fingerprint"], folder)

    def close(self) -> None:
        """Remove the spill, if its folder was a temporary one."""
        if self._remove is not None:
            self._remove()

    def __enter__(self) -> "Spill":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {str(folder)!r}: {error.strerror}.") from error
    return folder


def _facts(folder: Path) -> dict[str, Any]:
    """What is known of the spill in a folder; nothing where there is no whole one."""
    try:
        facts = json.loads((folder / PLACE / FACTS).read_text("utf-8"))
        n, d = facts["shape"]
        sizes = _sizes(folder / PLACE)
        whole = facts["version"] == VERSION and facts["bytes"] == sizes and sizes[ROWS] == 4 * n * d
        known = len(facts["columns"]) == d == len(_sketch(folder / PLACE).count)
    except (OSError, *DAMAGED):
        return {}
    return facts if whole and known else {}


def _sketch(folder: Path) -> QuantileSketch:
    with np.load(folder / SKETCH, allow_pickle=False) as state:
        return QuantileSketch.of_state(dict(state))


def _sizes(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_size for name in (ROWS, SKETCH)}


def _sums(folder: Path) -> dict[str, int]:
    return {name: _sum(folder / name) for name in (ROWS, SKETCH)}


def _sum(path: Path) -> int:
    """The CRC-32 of a file: one flipped bit changes it."""
    total = 0
    with open(path, "rb") as file:
        while part := file.read(CHUNK):
            total = zlib.crc32(part, total)
    return total


def _is_intact(folder: Path, facts: dict[str, Any]) -> bool:
    """Whether a spill that was kept holds what was written; if not it is written anew."""
    try:
        return facts.get("sums") == _sums(folder)
    except OSError:
        return False


def _is_of(facts: dict[str, Any], source: RowSource) -> bool:
    """Whether a spill is of this source."""
    fingerprint = source.fingerprint()
    own = {"fingerprint": fingerprint, "columns": source.columns, "named": source.named}
    wanted = json.loads(json.dumps(own))
    return fingerprint is not None and {name: facts.get(name) for name in wanted} == wanted


def _write(source: RowSource, place: Path, progress: Progress | None) -> None:
    fingerprint = source.fingerprint()
    _check_room(source, place.parent)
    with replacing_folder(place, NAMES) as folder:
        with open(folder / ROWS, "wb") as file:
            sketch, n = _summed_up(source, progress, lambda X: file.write(np.ascontiguousarray(X).data))
            file.flush()
            os.fsync(file.fileno())
        np.savez(folder / SKETCH, allow_pickle=False, **sketch.state())
        facts = {
            "version": VERSION,
            "shape": [n, len(source.columns)],
            "columns": source.columns,
            "named": source.named,
            "fingerprint": fingerprint,
            "bytes": _sizes(folder),
            "sums": _sums(folder),
        }
        (folder / FACTS).write_text(json.dumps(facts), "utf-8")


def _summed_up(
    source: RowSource, progress: Progress | None, write: Callable[[np.ndarray], Any]
) -> tuple[QuantileSketch, int]:
    """Go through the source once; return its sketch and the number of its rows."""
    sketch, n = QuantileSketch(len(source.columns)), 0
    for batch in _counted(source, progress):
        small = _small(batch, source.columns)
        sketch.add(small)
        write(small)
        n += len(small)
    return sketch, n


def _check_room(source: RowSource, folder: Path) -> None:
    if source.n_rows is None:
        return
    needed, free = 4 * source.n_rows * len(source.columns), shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"the spill needs {needed / 1e9:.3g} GB, and {str(folder)!r} has {free / 1e9:.3g} GB free: name "
            "another folder (spill=..., --spill DIR), or read anew in each epoch (spill=False)."
        )


def _counted(source: RowSource, progress: Progress | None) -> Iterator[np.ndarray]:
    """Yield the checked batches, and report how far it is after each."""
    n = 0
    for batch in checked_rows(source.batches(), source.columns):
        if not n:
            _warn_of_rounding(batch[:HEAD], source.columns)
        yield batch
        n += len(batch)
        if progress is not None:
            progress(n, source.n_rows)


def _warn_of_rounding(X: np.ndarray, columns: list[str]) -> None:
    """Warn of columns, such as times, that vary by hardly more than float32 resolves."""
    with np.errstate(over="ignore", invalid="ignore"):
        lost = np.fmax.reduce(np.abs(X - X.astype(np.float32)), axis=0)
    low, high = quantile(X, (0.1, 0.9))
    for j in np.flatnonzero((high > low) & (lost > (high - low) / 100)):
        warnings.warn(
            f"column {columns[j]!r} is kept in float32, off by up to {lost[j]:.2g} where its values spread "
            f"over {high[j] - low[j]:.2g}: subtract a constant, or leave it out.",
            UserWarning,
            stacklevel=2,
        )


def _small(X: np.ndarray, columns: list[str]) -> np.ndarray:
    """Return rows in float32."""
    if X.dtype == np.float32:
        return X
    with np.errstate(over="ignore"):
        small = X.astype(np.float32)
    beyond = np.isinf(small).any(axis=0)
    if beyond.any():
        j = int(beyond.argmax())
        worst = X[np.isinf(small[:, j]), j][0]
        raise InputError(
            f"column {columns[j]!r} holds {worst:.3g}, and rows read in batches are kept in float32, up to "
            "3.4e+38: choose another unit."
        )
    return small


class DecodedRows:
    """Rows of a source decoded again for each slice; quick where slices follow each other."""

    ndim = 2
    dtype = np.dtype(np.float32)
    MOST = 16  # places read on from

    def __init__(self, source: RowSource, n: int):
        self._source, self.shape = source, (n, len(source.columns))
        self._readers: dict[int, tuple[Iterator[np.ndarray], np.ndarray]] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, stop, step = rows.indices(len(self))
        reader, left = self._readers.pop(first, None) or self._reader(first)
        parts, got = [left], len(left)
        while got < stop - first:
            parts.append(_small(next(reader), self._source.columns))
            got += len(parts[-1])
        found = np.concatenate(parts)
        self._keep(stop, reader, found[stop - first :])
        return np.array(found[: stop - first : step], order="C")

    def _reader(self, first: int) -> tuple[Iterator[np.ndarray], np.ndarray]:
        return self._source.batches(8192, first), np.empty((0, self.shape[1]), np.float32)

    def _keep(self, at: int, reader: Iterator[np.ndarray], left: np.ndarray) -> None:
        self._readers[at] = reader, left
        while len(self._readers) > self.MOST:
            del self._readers[next(iter(self._readers))]


def no_spill(source: RowSource, progress: Progress | None = None) -> Spill:
    """Return what a spill would be without writing one: rows are decoded again whenever they are asked for.

    Raises
    ------
    InputError
        If the source cannot be read, or a cell does not fit float32.
    """
    sketch, n = _summed_up(source, progress, len)
    return Spill(DecodedRows(source, n), sketch, source.columns, source.named, source.fingerprint())
