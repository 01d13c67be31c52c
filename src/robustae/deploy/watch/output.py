"""What is written about rows: CSV or JSON lines."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar

from robustae.utils.json import plain

__all__ = ["CsvWriter", "JsonWriter", "ScoredRow"]


@dataclass
class ScoredRow:
    """A row's place, score and flag, and its worst cells: (column, observed, expected, deviations)."""

    row: int
    score: float
    anomaly: bool
    cells: list[Sequence[Any]] = field(default_factory=list)
    PARTS: ClassVar = ("observed", "expected", "deviations")
    CELL: ClassVar = ("column", *PARTS)


class CsvWriter:
    """One line per row, the cells beside each other: column, observed, ..., column_2, observed_2, ..."""

    def __init__(self, out: IO[str], cells: int):
        self.writer, self.cells = csv.writer(out, lineterminator="\n"), cells
        ends = ["", *(f"_{place}" for place in range(2, cells + 1))][:cells]
        self.writer.writerow(
            ["row", "score", "anomaly", *(part + end for end in ends for part in ScoredRow.CELL)]
        )

    def write(self, rows: list[ScoredRow]) -> None:
        """Write rows."""
        for scored in rows:
            blank = [""] * (len(ScoredRow.CELL) * (self.cells - len(scored.cells)))
            cells = [part for cell in scored.cells for part in cell]
            self.writer.writerow([scored.row, scored.score, scored.anomaly, *cells, *blank])


class JsonWriter:
    """One object per row, its cells as objects."""

    def __init__(self, out: IO[str], cells: int):
        self.out = out

    def write(self, rows: list[ScoredRow]) -> None:
        """Write rows."""
        self.out.writelines(json.dumps(_plain(scored), ensure_ascii=False) + "\n" for scored in rows)


def _plain(scored: ScoredRow) -> dict[str, Any]:
    cells = [dict(zip(ScoredRow.CELL, map(plain, cell), strict=True)) for cell in scored.cells]
    return {"row": scored.row, "score": scored.score, "anomaly": scored.anomaly, "cells": cells}
