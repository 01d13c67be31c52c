"""A CSV that grows job by job and survives being killed: what is in it is whole."""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from robustae.lab.jobs import Row
from robustae.utils.checks import InputError
from robustae.utils.files import write_text

__all__ = ["Ledger", "read_csv"]

LAST = ("seconds", "status")


class Ledger:
    """Rows in FOLDER/NAME.csv, and the settings they were measured under in FOLDER/NAME_settings.json.

    Parameters
    ----------
    path : Path
        The CSV; it may exist, from an earlier run that was cut short.
    key : sequence of str
        The first columns, which name a row.
    job : sequence of str
        Those of them that name a job: one job may have several rows.
    settings : mapping
        What must be alike for rows to stand in one file.

    Raises
    ------
    InputError
        If the CSV was written under other settings.
    """

    def __init__(
        self, path: Path, key: Iterable[str], job: Iterable[str], settings: Mapping[str, Any]
    ) -> None:
        self.path, self.key, self.job = path, tuple(key), tuple(job)
        self.columns = [*self.key, *LAST]
        self.rows: list[dict[str, str]] = []
        beside = path.with_name(f"{path.stem}_settings.json")
        if path.exists():
            _check_settings(path, beside, settings)
            self._read()
        else:
            write_text(beside, json.dumps(dict(settings)) + "\n")
        self.done = {self._job_of(row) for row in self.rows}

    def has(self, key: Mapping[str, Any]) -> bool:
        """Whether the job of this key is done."""
        return tuple(str(key[name]) for name in self.job) in self.done

    def append(self, rows: Iterable[Row]) -> None:
        """Add a job's rows: on the disk when this returns."""
        texts = [{name: _text(value) for name, value in row.items()} for row in rows]
        self.rows += texts
        self.done |= {self._job_of(row) for row in texts}
        new = [
            name for name in dict.fromkeys(name for row in texts for name in row) if name not in self.columns
        ]
        if new or not self.path.exists():
            self.columns[-len(LAST) : -len(LAST)] = new
            write_text(self.path, self._csv(self.rows, header=True))
            return
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(self._csv(texts, header=False))
            file.flush()
            os.fsync(file.fileno())

    def values(self) -> list[Row]:
        """Return all rows; numbers as numbers, empty cells as None."""
        return [{name: _value(row.get(name, "")) for name in self.columns} for row in self.rows]

    def _job_of(self, row: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(row[name] for name in self.job)

    def _csv(self, rows: Iterable[Mapping[str, str]], header: bool) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def _read(self) -> None:
        text = self.path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]
        reader = csv.DictReader(io.StringIO(whole, newline=""))
        self.rows = list(reader)
        self.columns = list(reader.fieldnames or self.columns)
        if whole != text:
            self._drop_last()

    def _drop_last(self) -> None:
        """Killed while writing a line: the rows before it that may be of the same job go, too."""
        if self.job != self.key and self.rows:
            last = self._job_of(self.rows[-1])
            self.rows = [row for row in self.rows if self._job_of(row) != last]
        write_text(self.path, self._csv(self.rows, header=True))


def read_csv(path: Path) -> list[Row]:
    """Return the rows of a CSV; numbers as numbers, empty cells as None."""
    with open(path, encoding="utf-8", newline="") as file:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _check_settings(path: Path, beside: Path, settings: Mapping[str, Any]) -> None:
    try:
        before = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{str(path)!r} is there without the settings it was written under ({beside.name}): "
            "choose another folder with --out, or remove it."
        ) from None
    for name, value in settings.items():
        if before.get(name) != value:
            raise InputError(
                f"{str(path)!r} was written with {name}={before.get(name)!r}, and this run has {value!r}: "
                "choose another folder with --out, or remove it."
            )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(str(value).split())


def _value(text: str | None) -> Any:
    if not text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
