"""What is written about rows: CSV or JSON lines."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar

from robustae.utils.json import plain

__all__ = ["CsvTeller", "JsonTeller", "Told"]


@dataclass
class Told:
    """A row's place, score and flag, and its worst cells: (column, observed, expected, deviations)."""

    row: int
    score: float
    anomaly: bool
    cells: list[Sequence[Any]] = field(default_factory=list)
    PARTS: ClassVar = ("observed", "expected", "deviations")
    CELL: ClassVar = ("column", *PARTS)


class CsvTeller:
    """One line per row, the cells beside each other: column, observed, ..., column_2, observed_2, ..."""

    def __init__(self, out: IO[str], cells: int):
        self.writer, self.cells = csv.writer(out, lineterminator="\n"), cells
        ends = ["", *(f"_{place}" for place in range(2, cells + 1))][:cells]
        self.writer.writerow(["row", "score", "anomaly", *(part + end for end in ends for part in Told.CELL)])

    def tell(self, rows: list[Told]) -> None:
        """Write rows."""
        for told in rows:
            blank = [""] * (len(Told.CELL) * (self.cells - len(told.cells)))
            cells = [part for cell in told.cells for part in cell]
            self.writer.writerow([told.row, told.score, told.anomaly, *cells, *blank])


class JsonTeller:
    """One object per row, its cells as objects."""

    def __init__(self, out: IO[str], cells: int):
        self.out = out

    def tell(self, rows: list[Told]) -> None:
        """Write rows."""
        self.out.writelines(json.dumps(_plain(told), ensure_ascii=False) + "\n" for told in rows)


def _plain(told: Told) -> dict[str, Any]:
    cells = [dict(zip(Told.CELL, map(plain, cell), strict=True)) for cell in told.cells]
    return {"row": told.row, "score": told.score, "anomaly": told.anomaly, "cells": cells}
