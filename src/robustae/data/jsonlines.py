"""JSON lines, and a list of objects in one JSON file: a row each, its names those of the columns."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from robustae.data.dialect import Dialect
from robustae.data.options import ReadOptions
from robustae.data.text import Block, opened_bytes
from robustae.utils.checks import InputError

__all__ = ["JsonFile", "is_json"]

_BLOCK = 4096  # rows at a time
_SAMPLE = 50  # rows whose names are all columns


def is_json(path: Path) -> bool:
    """Whether a file's first line is a JSON object, or begins a list of them."""
    with opened_bytes(path) as file:
        first = next(
            (line for line in iter(lambda: file.readline(1 << 22), b"") if line.strip()), b""
        ).strip()
    if first.startswith(b"["):
        return first.lstrip(b"[ ")[:1] in (b"", b"{")
    try:
        return first.startswith(b"{") and isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


class JsonFile:
    """One file of JSON objects.

    Attributes
    ----------
    columns : list of str
        The names that occur in the first rows; other ones further down are refused.
    """

    suffix = ".jsonl"
    named = True
    note = ""
    dialect = Dialect()

    def __init__(self, path: Path, options: ReadOptions):
        self.path = path
        first = [row for _, row in islice(self._rows(), _SAMPLE)]
        if not first:
            raise InputError(f"{str(path)!r} is empty.")
        self.columns = list(dict.fromkeys(name for row in first for name in row))
        self.sample = [[row.get(name) for name in self.columns] for row in first]

    @property
    def about_rows(self) -> int:
        """Rows in all, by the first ones."""
        length = sum(len(json.dumps(dict(zip(self.columns, row, strict=True)))) for row in self.sample) or 1
        return max(1, round(self.path.stat().st_size * len(self.sample) / length))

    def blocks(self) -> Iterator[Block]:
        """Yield the rows, some at a time."""
        rows, known = self._rows(), set(self.columns)
        while block := list(islice(rows, _BLOCK)):
            for line, row in block:
                if not row.keys() <= known:
                    new = next(name for name in row if name not in known)
                    raise InputError(
                        f"line {line} of {str(self.path)!r} has {new!r}, which the first rows lack."
                    )
            lines, found = zip(*block, strict=True)
            yield lines, [[row.get(name) for row in found] for name in self.columns]

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        with opened_bytes(self.path) as file:
            start = file.read(1 << 16).lstrip()
            file.seek(0)
            if start.startswith(b"["):
                return (
                    yield from enumerate(map(self._checked, self._parsed(file.read(), 1), iter(int, 1)), 1)
                )
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, self._checked(self._parsed(line, number), number)

    def _parsed(self, text: bytes, line: int) -> Any:
        try:
            return json.loads(text.decode("utf-8-sig"), object_pairs_hook=self._once)
        except (ValueError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"line {line} of {str(self.path)!r} is no JSON: {error}.") from None

    def _once(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) < len(pairs):
            name = next(name for name in row if sum(name == other for other, _ in pairs) > 1)
            raise InputError(
                f"{str(self.path)!r} has {name!r} twice in one object: give each a name of its own."
            )
        return row

    def _checked(self, row: Any, line: int) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise InputError(
                f"row {line} of {str(self.path)!r} is no object: each row needs {{name: value, ...}}."
            )
        return row
