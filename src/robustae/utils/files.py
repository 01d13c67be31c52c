"""Files out: written under a temporary name beside their place, then renamed: whole or absent."""

import csv
import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from robustae.utils.checks import InputError, need, suggestion

__all__ = [
    "TABLE_SUFFIXES",
    "appending",
    "check_writable",
    "clear_left",
    "csv_bytes",
    "locked",
    "replacing",
    "replacing_folder",
    "write_bytes",
    "write_matrix",
    "write_table",
    "write_text",
]

TABLE_SUFFIXES = (".csv", ".parquet", ".npy")
TEMPORARY = ".robustae-*.tmp"  # names of what is not whole yet

PathLike = str | os.PathLike[str]


def check_writable(path: PathLike, suffixes: Iterable[str] = ()) -> Path:
    """Refuse early what could not be written late.

    Parameters
    ----------
    path : str or path
        The file (or folder) that is to be written; it need not exist.
    suffixes : iterable of str
        The file name endings that would do; any where empty.

    Returns
    -------
    Path
        The place itself, links followed.

    Raises
    ------
    InputError
        If the folder around it is missing or may not be written to, if a folder or a device
        is in its place, or if its ending is not one of `suffixes`.
    """
    target = Path(os.path.realpath(Path(path).expanduser()))
    suffixes = tuple(suffixes)
    if suffixes and target.suffix.lower() not in suffixes:
        raise InputError(f"cannot write {str(path)!r}: its ending must be {' or '.join(suffixes)}.")
    if not target.parent.is_dir():
        raise InputError(f"cannot write {str(path)!r}: there is no folder {str(target.parent)!r}.")
    if not os.access(target.parent, os.W_OK):
        raise InputError(f"cannot write {str(path)!r}: no permission to write to {str(target.parent)!r}.")
    return target


@contextmanager
def replacing(path: PathLike) -> Iterator[IO[bytes]]:
    """Open a binary file that takes its name only once it is whole.

    Parameters
    ----------
    path : str or path
        Where the file is to lie; a file of that name is replaced.

    Yields
    ------
    binary file
        A temporary file in the same folder; removed if the block raises.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    target = check_writable(path)
    if target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "no regular file"
        raise InputError(f"cannot write {str(path)!r}: it is {what}.")
    temporary = _beside(target)
    with _explained(path), _removed_on_error(temporary):
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)


@contextmanager
def replacing_folder(path: PathLike, names: Iterable[str]) -> Iterator[Path]:
    """Make a folder that takes its name only once it is whole.

    Parameters
    ----------
    path : str or path
        Where the folder is to lie.
    names : iterable of str
        What will be written. An existing folder is replaced only if it holds nothing else.

    Yields
    ------
    Path
        A temporary folder beside it; removed if the block raises.

    Raises
    ------
    InputError
        If the place cannot be written to, or a folder there holds other files.
    """
    target = check_writable(path)
    _check_replaceable(target, set(names))
    temporary = _beside(target)
    with _explained(path), _removed_on_error(temporary):
        temporary.mkdir()
        yield temporary
        _swap(temporary, target)


def write_bytes(path: PathLike, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with replacing(path) as file:
        file.write(data)


def write_text(path: PathLike, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_table(path: PathLike, columns: Mapping[str, Any]) -> None:
    """Write columns of one length as CSV, Parquet or .npy (a structured array), by the ending.

    Parameters
    ----------
    path : str or path
        Ends in .csv, .parquet or .npy.
    columns : mapping of str to (n,) arrays
        Name and values of each column. Floats in CSV read back to the very same value.

    Raises
    ------
    InputError
        If the ending is none of these, or the place cannot be written to.
    """
    writer = _writer(path, _TABLE_WRITERS)
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    with replacing(path) as file:
        writer(file, arrays)


def write_matrix(path: PathLike, values: np.ndarray, columns: Iterable[str] | None = None) -> None:
    """Write rows by columns (or images) as CSV, Parquet, .npy or .npz (under the name X), by the ending.

    Parameters
    ----------
    path : str or path
        Ends in .csv, .parquet, .npy or .npz.
    values : array of shape (n, d) or (n, height, width[, channels])
        CSV and Parquet take the first form only.
    columns : iterable of d str, optional
        Names for CSV and Parquet; without them CSV gets no header and Parquet "0", "1", ...

    Raises
    ------
    InputError
        If the ending is none of these, or the place cannot be written to.
    """
    writer = _writer(path, _MATRIX_WRITERS)
    with replacing(path) as file:
        writer(file, values, None if columns is None else list(columns))


@contextmanager
def appending(path: PathLike) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write a table of any length part by part; it takes its name only once it is whole.

    Parameters
    ----------
    path : str or path
        Ends in .csv, .parquet or .npy: the formats of `write_table`.

    Yields
    ------
    callable
        Takes the columns of the next rows, always of the same names and types.

    Raises
    ------
    InputError
        If the ending is none of these, or the place cannot be written to.
    """
    appender = _writer(path, _APPENDERS)
    with replacing(path) as file, appender(file) as append:
        yield lambda columns: append({name: np.asarray(values) for name, values in columns.items()})


def _beside(target: Path) -> Path:
    # Short: the name of the file itself may already be as long as a name can be.
    return target.with_name(TEMPORARY.replace("*", secrets.token_hex(6)))


def clear_left(folder: Path) -> None:
    """Clear away what processes that were killed have left half in a folder, which nobody else writes to."""
    for left in folder.glob(TEMPORARY):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, wait: bool) -> Iterator[None]:
    """Hold a file, made if it is not there, or a folder for one process; who is killed lets go by itself.

    Raises
    ------
    BlockingIOError
        If another process holds it, unless that is to be waited for.
    """
    try:
        import fcntl
    except ImportError:  # where there are no such locks
        yield
        return
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(opened)


@contextmanager
def _explained(path: PathLike) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}.") from error


@contextmanager
def _removed_on_error(temporary: Path) -> Iterator[None]:
    # BaseException: an interrupt must not leave the temporary behind either.
    try:
        yield
    except BaseException:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        raise


def _check_replaceable(target: Path, names: set[str]) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"cannot write the folder {str(target)!r}: a file has that name.")
    others = sorted(entry.name for entry in target.iterdir() if entry.name not in names)
    if others:
        raise InputError(f"the folder {str(target)!r} holds other files ({others[0]!r}): name a new folder.")


def _swap(temporary: Path, target: Path) -> None:
    old = _beside(target)
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(temporary, target)
    except BaseException:
        if old.exists():
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _writer(path: PathLike, writers: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        hint = suggestion(suffix, writers)
        raise InputError(f"cannot write {str(path)!r}: ending {suffix!r} is not known; {hint}")
    return writers[suffix]


def _cells(values: np.ndarray) -> list[Any]:
    # str of a numpy or Python float is the shortest text that reads back to the same value.
    if values.dtype.kind != "f":
        return values.tolist()
    exact = values.tolist() if values.dtype == np.float64 else values
    return ["" if cell != cell else str(cell) for cell in exact]


def _csv(file: IO[bytes], names: list[str] | None, columns: Iterable[np.ndarray]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    if names is not None:
        writer.writerow(names)
    writer.writerows(zip(*map(_cells, columns), strict=True))
    text.flush()
    text.detach()


def csv_bytes(columns: Mapping[str, np.ndarray]) -> bytes:
    """Return columns of one length as CSV, as `write_table` writes it."""
    file = io.BytesIO()
    _table_csv(file, columns)
    return file.getvalue()


def _parquet(file: IO[bytes], columns: Mapping[str, np.ndarray]) -> None:
    arrow = need("parquet", "pyarrow", "writing Parquet")
    need("parquet", "pyarrow.parquet", "writing Parquet").write_table(arrow.table(dict(columns)), file)


@contextmanager
def _csv_parts(file: IO[bytes]) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    def append(columns: Mapping[str, np.ndarray]) -> None:
        _csv(file, None if file.tell() else list(columns), columns.values())

    yield append


@contextmanager
def _parquet_parts(file: IO[bytes]) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    arrow = need("parquet", "pyarrow", "writing Parquet")
    parquet = need("parquet", "pyarrow.parquet", "writing Parquet")
    with ExitStack() as stack:
        writers: list[Any] = []

        def append(columns: Mapping[str, np.ndarray]) -> None:
            rows = arrow.table(dict(columns))
            if not writers:
                writers.append(stack.enter_context(parquet.ParquetWriter(file, rows.schema)))
            writers[0].write_table(rows)

        yield append


@contextmanager
def _npy_parts(file: IO[bytes]) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    """NumPy's header leaves room for the number of rows to grow: it is written again at the end."""
    kinds: list[np.dtype] = []

    def append(columns: Mapping[str, np.ndarray]) -> None:
        record = _record(columns)
        if not kinds:
            kinds.append(record.dtype)
            _npy_header(file, record.dtype, 0)
        file.write(record.tobytes())

    yield append
    if kinds:
        start, end = _npy_header(file, kinds[0], 0), file.seek(0, os.SEEK_END)
        _npy_header(file, kinds[0], (end - start) // kinds[0].itemsize)
        file.seek(end)


def _npy_header(file: IO[bytes], kind: np.dtype, rows: int) -> int:
    """Write the header, and return where it ends."""
    file.seek(0)
    facts = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": (rows,)}
    np.lib.format.write_array_header_1_0(file, facts)
    return file.tell()


def _record(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    rows = len(next(iter(columns.values())))
    record = np.empty(rows, dtype=[(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        record[name] = values
    return record


def _table_csv(file: IO[bytes], columns: Mapping[str, np.ndarray]) -> None:
    _csv(file, list(columns), columns.values())


def _table_npy(file: IO[bytes], columns: Mapping[str, np.ndarray]) -> None:
    np.save(file, _record(columns), allow_pickle=False)


def _matrix_csv(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    _csv(file, names, _flat(values).T)


def _matrix_parquet(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    flat = _flat(values)
    _parquet(file, dict(zip(names or map(str, range(flat.shape[1])), flat.T, strict=True)))


def _matrix_npy(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    np.save(file, values, allow_pickle=False)


def _matrix_npz(file: IO[bytes], values: np.ndarray, names: list[str] | None) -> None:
    np.savez(file, X=values)


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


_TABLE_WRITERS: dict[str, Callable[..., None]] = {
    ".csv": _table_csv,
    ".parquet": _parquet,
    ".npy": _table_npy,
}
_APPENDERS: dict[str, Callable[..., Any]] = {
    ".csv": _csv_parts,
    ".parquet": _parquet_parts,
    ".npy": _npy_parts,
}
_MATRIX_WRITERS: dict[str, Callable[..., None]] = {
    ".csv": _matrix_csv,
    ".parquet": _matrix_parquet,
    ".npy": _matrix_npy,
    ".npz": _matrix_npz,
}
