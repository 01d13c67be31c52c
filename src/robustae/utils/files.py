"""Files out: written under a temporary name beside their place, then renamed: whole or absent."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from robustae.utils.checks import InputError
from robustae.utils.temporaries import beside

__all__ = [
    "PathLike",
    "check_folder",
    "check_writable",
    "locked",
    "replacing",
    "replacing_folder",
    "write_bytes",
    "write_text",
]

LOCK = ".lock"
# Of what goes wrong while a file is written; a user's own iterator may raise others in between.
NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}

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
    temporary = beside(target)
    with _explained(path, temporary), _removed_on_error(temporary):
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
    target = check_folder(path, names)
    temporary = beside(target)
    with _explained(path, temporary), _removed_on_error(temporary):
        temporary.mkdir()
        yield temporary
        _swap(temporary, target)


def check_folder(path: PathLike, names: Iterable[str]) -> Path:
    """Refuse early a folder that could not be written late; takes and raises as `replacing_folder`.

    Returns
    -------
    Path
        The place itself, links followed.
    """
    target, ours = check_writable(path), set(names)
    if not target.exists():
        return target
    if not target.is_dir():
        raise InputError(f"cannot write the folder {str(target)!r}: a file has that name.")
    others = [entry.name for entry in target.iterdir() if entry.name not in ours]
    if others:
        raise InputError(
            f"the folder {str(target)!r} holds other files ({min(others)!r}): name a new folder."
        )
    return target


def write_bytes(path: PathLike, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with replacing(path) as file:
        file.write(data)


def write_text(path: PathLike, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all; bytes of names that are none become ``?``."""
    write_bytes(path, text.encode("utf-8", "replace"))


@contextmanager
def locked(folder: Path, wait: bool) -> Iterator[None]:
    """Hold a folder, by a file in it, for one process; one that is killed lets go by itself.

    Raises
    ------
    TimeoutError
        If another process holds it, unless that is to be waited for.
    """
    from filelock import FileLock

    with FileLock(folder / LOCK, timeout=-1 if wait else 0):
        yield


@contextmanager
def _explained(path: PathLike, temporary: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if not _is_of_writing(error, temporary):
            raise
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}.") from error


def _is_of_writing(error: OSError, temporary: Path) -> bool:
    if isinstance(error.filename, str | bytes | os.PathLike):
        return os.fsdecode(error.filename).startswith(str(temporary))
    return error.errno in NO_ROOM or "requested and" in str(error)  # so says NumPy of a full disk


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


def _swap(temporary: Path, target: Path) -> None:
    old = beside(target).with_suffix(".old")  # kept where this is killed in between
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(temporary, target)
    except BaseException:
        if old.exists():
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
