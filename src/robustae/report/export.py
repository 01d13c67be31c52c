"""The most anomalous rows as lines of CSV, which the page hands out."""

import csv
import io
from typing import Any

import numpy as np

from robustae.report.packing import pack_json
from robustae.report.seen import by_column, take
from robustae.utils.json import plain

__all__ = ["exported"]

Facts = dict[str, Any]

MOST_CELLS = 200_000  # inlined in the page
LEAST_ROWS = 50


def exported(seen: Any) -> Facts:
    """Header and lines, the highest score first: row, score, flagged cells, and the row as written."""
    most = max(LEAST_ROWS, MOST_CELLS // len(seen.names))
    rows = seen.order[:most]
    part = take(seen.X, rows)
    columns, flagged = by_column(seen.model, part), np.asarray(seen.model.flags(part), dtype=bool)
    named = seen.labels is not None and seen.plan is None
    lines = [
        _line(
            [row, *([seen.label(row)] if named else []), seen.energy[row]]
            + ["; ".join(seen.names[j] for j in np.flatnonzero(flagged[i]))]
            + [column[i] for column in columns]
        )
        for i, row in enumerate(rows)
    ]
    header = ["row", *(["name"] if named else []), "score", "flagged", *seen.names]
    return {"header": _line(header), "rows": len(lines), "lines": pack_json(lines)}


def _line(cells: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(value: Any) -> str:
    """Numbers in as many digits as give them back."""
    value = plain(value)
    return "" if value is None else repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
