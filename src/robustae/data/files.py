"""Files, folders and patterns as one source of rows."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from robustae.data.batches import NoNumbers, after, chosen, of_about, places
from robustae.data.column_kinds import Column
from robustae.data.formats import ENDINGS, ending_of, format_of
from robustae.data.options import ReadOptions
from robustae.data.refusals import readable, similar
from robustae.data.table import unused_reason
from robustae.utils.checks import InputError, NotFound, path_of

__all__ = ["FileSource", "decoded_bytes", "files_of", "read_whole_only", "rows_of_files"]

HEAD = 65_536  # rows read to find the columns that only number the rows
PathLike = str | os.PathLike[str]


class Part(Protocol):
    """One file of a source."""

    path: Path
    named: bool
    columns: list[str]
    n_rows: int | None
    kinds: dict[str, Column]

    def read_like(self, kinds: dict[str, Column]) -> None:
        """Read the columns as those of another file."""
        ...

    def check(self, columns: list[str]) -> None:
        """Refuse columns that are no numbers."""
        ...

    def batches(self, columns: list[str], rows: int, start: int = 0) -> Iterator[np.ndarray]:
        """Yield rows, from row `start` on."""
        ...


def files_of(data: PathLike | Sequence[PathLike]) -> list[Path]:
    """Return the files that a path, a pattern, a folder, or a list of these names.

    Those of a folder (all below it) or a pattern come in the order of their names, a list in its own.

    Raises
    ------
    InputError
        If there is none (NotFound), or a folder holds files of several kinds.
    """
    paths = [data] if isinstance(data, str | os.PathLike) else list(data)
    return [file for path in paths for file in _files(path_of(path, "data"))]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return _inside(path)
    if path.exists():
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    if not found:
        raise NotFound(f"there is no file {str(path)!r}{similar(path)}")
    return [file for one in found for file in (_inside(one) if one.is_dir() else [one])]


def _inside(folder: Path) -> list[Path]:
    """Files of data below a folder, but for hidden ones and the notes of engines (_SUCCESS)."""
    files = sorted(file for file in folder.rglob("*") if _is_data(file.relative_to(folder), file))
    kinds = sorted({ending_of(file) for file in files})
    if not files:
        raise NotFound(f"the folder {str(folder)!r} holds no file of data ({', '.join(ENDINGS)}).")
    if len({format_of(file).name for file in files}) > 1:
        pattern = str(folder / f"*{kinds[0]}")
        raise InputError(
            f"the folder {str(folder)!r} holds {' and '.join(kinds)} files: name one kind, as {pattern!r}."
        )
    return files


def _is_data(inside: Path, file: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in inside.parts)
    return not hidden and ending_of(file) in ENDINGS and file.is_file()


def _part(path: Path, options: ReadOptions) -> Part:
    if not path.is_file():
        raise InputError(f"{str(path)!r} is not a regular file.")
    with readable(path):
        found = format_of(path)
        if found.part is None:
            raise InputError(f"{str(path)!r} is read as a whole only, not in batches: name it alone.")
        return found.part(path, options)


def decoded_bytes(files: Sequence[Path]) -> int:
    """About how many bytes the rows of these files take in float64."""
    parts = (_part(file, ReadOptions()) for file in files)
    return sum(8 * rows_of(part) * len(part.columns) for part in parts)


def rows_of_files(files: Sequence[Path]) -> int:
    """Rows of these files, estimated for text; those that are read whole only count as few."""
    options = ReadOptions()
    return sum(rows_of(_part(file, options)) for file in files if format_of(file).part is not None)


def read_whole_only(
    files: Sequence[Path], most_bytes: int, options: ReadOptions | None = None, drop: Sequence[str] = ()
) -> bool:
    """Whether files of at most `most_bytes` in float64 have columns of texts, which batches cannot have."""
    if decoded_bytes(files) > most_bytes:
        return False
    try:
        FileSource(files, drop=drop, options=options)
    except NoNumbers:
        return True
    except InputError:
        return False  # said when they are read
    return False


def rows_of(part: Part) -> int:
    """Rows of a file, estimated for text."""
    return getattr(part, "about_rows", part.n_rows or 0)


class FileSource:
    """Files with the same columns, one after the other.

    Attributes
    ----------
    columns : list of d str
        Those used.
    dropped : dict of str to str
        Columns that only number the rows, left out unless asked for by name.
    named : bool
    n_rows : int or None
        None for text.
    about_rows : int
        An estimate where `n_rows` is None.
    """

    def __init__(
        self,
        files: Sequence[Path],
        columns: Sequence[str] | None = None,
        drop: Sequence[str] = (),
        options: ReadOptions | None = None,
        kinds: dict[str, Column] | None = None,
    ):
        self._parts = [_part(file, options or ReadOptions()) for file in files]
        first = self._parts[0]
        if kinds:
            for part in self._parts:
                part.read_like(kinds)
        self.named = first.named
        self.columns = chosen(first.columns, columns, drop, repr(str(first.path)), self.named)
        first.check(self.columns)
        for part in self._parts[1:]:
            part.read_like(first.kinds)
        for part in self._parts:
            self._check(part, None if columns is not None else set(first.columns))
        self.dropped = self._row_numbers() if columns is None and self.named else {}
        self.columns = [name for name in self.columns if name not in self.dropped]
        counts = [part.n_rows for part in self._parts]
        self.n_rows = None if None in counts else sum(count for count in counts if count is not None)

    @property
    def kinds(self) -> dict[str, Column]:
        """The columns that are not plain numbers: how they are written in the first file, and so in all."""
        return {name: self._parts[0].kinds[name] for name in self.columns if name in self._parts[0].kinds}

    def _row_numbers(self) -> dict[str, str]:
        """Columns that only number the rows, as the first ones show, and why; none if no other is left."""
        head = next(self._parts[0].batches(self.columns, HEAD), np.empty((0, len(self.columns))))[:HEAD]
        why = {name: unused_reason(name, values) for name, values in zip(self.columns, head.T, strict=True)}
        found = {name: reason for name, reason in why.items() if reason}
        return found if len(found) < len(self.columns) else {}

    def _check(self, part: Part, expected: set[str] | None) -> None:
        where = repr(str(part.path))
        places(self.columns, part.columns, where)
        more = [name for name in part.columns if expected is not None and name not in expected]
        if more:
            raise InputError(f"{where} has a column {more[0]!r}, which {str(self._parts[0].path)!r} lacks.")
        part.check(self.columns)

    def batches(self, rows: int = 65_536, start: int = 0) -> Iterator[np.ndarray]:
        """Yield rows of all files, from row `start` on."""
        return of_about(rows, self._parts_from(rows, start))

    def _parts_from(self, rows: int, start: int) -> Iterator[np.ndarray]:
        if self.n_rows is None:
            yield from after(start, (b for part in self._parts for b in part.batches(self.columns, rows)))
            return
        for part in self._parts:
            length = part.n_rows or 0
            if start < length:
                yield from part.batches(self.columns, rows, start)
            start = max(start - length, 0)

    @property
    def about_rows(self) -> int:
        """Rows in all, estimated for text."""
        return sum(map(rows_of, self._parts))

    def fingerprint(self) -> dict[str, Any] | None:
        """Files with their sizes in bytes and times of change in ns, and the columns used."""
        stats = [(part.path.resolve(), part.path.stat()) for part in self._parts]
        files = [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats]
        return {"files": files, "columns": self.columns}
