"""Summaries as tables to read: a block for each group, a line for each method, chance at the end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from robustae.lab.jobs import Row
from robustae.lab.methods import OURS

__all__ = ["NOTE", "ResultTable", "tables"]

NOTE = (
    f"± is the standard deviation over draws; {OURS} - it is {OURS} minus the method by the first measure, "
    "with the ends of its paired 95 % t interval over draws (over pairs, where the title says so)."
)
TITLES = {
    "auprc": "AUPRC",
    "auroc": "AUROC",
    "p_at_10": "P@10",
    "best_f1": "best F1",
    "auprc_dogs": "AUPRC, dogs positive",
    "background_error": "background error (grey levels)",
    "oracle_at": "oracle at",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "f1": "F1",
    "f1_otsu": "F1, Otsu",
    "ms": "ms a frame",
    "pass_ms": "without the fit",
    "mib": "MiB",
}
STATISTICS = ("method", "measure", "draws", "mean", "deviation", "chance", "difference", "low", "high")


@dataclass(frozen=True)
class ResultTable:
    """A title, the titles of the columns, and lines of cells."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def tables(summary: list[Row], reference: str = OURS) -> list[ResultTable]:
    """Return a summary as tables; one that is not tidy (see `summaries`) as a single table.

    `reference` is the method whose difference to the others it has.
    """
    if not summary:
        return []
    if "measure" not in summary[0]:
        return [_plain(summary)]
    groups: dict[tuple, list[Row]] = {}
    for row in summary:
        groups.setdefault(tuple(value for name, value in row.items() if name not in STATISTICS), []).append(
            row
        )
    return [_block(group, rows, reference) for group, rows in groups.items()]


def _plain(summary: list[Row]) -> ResultTable:
    columns = list(dict.fromkeys(name for row in summary for name in row))
    rows = [[_number(row.get(name)) for name in columns] for row in summary]
    return ResultTable("", [TITLES.get(name, name) for name in columns], rows)


def _block(group: Sequence[Any], rows: list[Row], reference: str) -> ResultTable:
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    by_method: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_method.setdefault(row["method"], {})[row["measure"]] = row
    lines = [
        [method, *(_mean(of.get(name)) for name in measures), _difference(of.get(measures[0]), reference)]
        for method, of in by_method.items()
    ]
    columns = ["method", *(TITLES.get(name, name) for name in measures), f"{reference} - it"]
    return ResultTable(_title(group, rows), columns, [*lines, *_chance(measures, rows)])


def _title(group: Sequence[Any], rows: list[Row]) -> str:
    draws = max(row["draws"] for row in rows)
    return f"{', '.join(map(str, group))} ({draws} draw{'s' if draws > 1 else ''})"


def _chance(measures: list[str], rows: list[Row]) -> Iterator[list[str]]:
    levels = {row["measure"]: row["chance"] for row in rows}
    if any(level is not None for level in levels.values()):
        yield ["chance", *(_number(levels[name]) for name in measures), ""]


def _mean(row: Row | None) -> str:
    if row is None:
        return ""
    return _number(row["mean"]) + ("" if row["deviation"] is None else f" ± {_number(row['deviation'])}")


def _difference(row: Row | None, reference: str) -> str:
    if row is None or row["difference"] is None or row["method"] == reference:
        return ""
    ends = "" if row["low"] is None else f" [{_signed(row['low'])}, {_signed(row['high'])}]"
    return _signed(row["difference"]) + ends


def _signed(value: float) -> str:
    return f"{value:+.3f}" if abs(value) < 10 else f"{value:+.1f}"


def _number(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
