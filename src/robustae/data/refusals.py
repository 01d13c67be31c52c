"""What went wrong while reading a file, in one sentence."""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robustae.utils.checks import InputError, suggestion

__all__ = ["readable", "similar"]


@contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what a file cannot give into an `InputError` that names it."""
    try:
        yield
    except InputError:
        raise
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {str(path)!r}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        byte = f"0x{error.object[error.start]:02x}"
        return f"its text is not UTF-8 (byte {byte}); save it as UTF-8, or name its encoding (--encoding)"
    return " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")


def similar(file: Path) -> str:
    """End the sentence that there is no such file: with the name of one much like it, if there is any."""
    if not file.parent.is_dir():
        return f", nor a folder {str(file.parent)!r}."
    hint = suggestion(file.name, (entry.name for entry in file.parent.iterdir() if entry.is_file()))
    return f": {hint}" if hint.startswith("did you mean") else "."
