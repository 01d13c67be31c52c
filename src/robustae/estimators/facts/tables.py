"""Facts of a table: columns, cells, the most anomalous rows, and what the page recomputes."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.estimators.cells import CellMethods
from robustae.estimators.facts.cellmap import CellTally, cell_map, tally
from robustae.estimators.facts.cells import (
    MOST_CELLS,
    TableCells,
    by_column,
    cells_of,
    residuals,
    spread,
    take,
)
from robustae.estimators.facts.sliders import lam_slider, trim_slider
from robustae.report.packing import pack, pack_json
from robustae.utils.checks import InputError
from robustae.utils.json import plain

__all__ = ["table_facts"]

Facts = dict[str, Any]

MOST_COLUMNS = 40  # shown of the most anomalous rows
MOST_SAMPLED = 5000  # rows from which the columns' scales are estimated
MOST_ENERGIES = 100_000  # scores inlined, from the highest down
MOST_EXPORTED = 200_000  # cells inlined for download
LEAST_EXPORTED = 50  # rows
CELLS_PER_ROW = 3  # cells named for each anomalous row


@dataclass(frozen=True)
class ScoredTable:
    """A table, its rows in order of their energies, and the names of its rows and columns."""

    model: CellMethods
    X: Any
    energy: np.ndarray
    order: np.ndarray
    names: list[str]
    labels: Any  # array of n names of the rows, or None

    def label(self, row: int) -> str:
        """What a row is called; empty where it has but its number."""
        return "" if self.labels is None else _text(plain(self.labels[row]))

    @property
    def plan(self) -> Any:
        """How the columns are encoded; None where all are numbers."""
        return getattr(self.model, "plan_", None)

    @property
    def used(self) -> np.ndarray:
        """Positions of the columns that the model uses."""
        return np.arange(len(self.names)) if self.plan is None else np.array(self.plan.used)

    @property
    def taken_for(self) -> list[str]:
        """What every column was taken for, in words."""
        return self.kinds if self.plan is None else [column.taken_for for column in self.plan.columns]

    @property
    def kinds(self) -> list[str]:
        """Kind of every column."""
        return (
            ["number"] * len(self.names)
            if self.plan is None
            else [column.kind for column in self.plan.columns]
        )


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return "" if value is None else str(int(value) if whole else value)


def table_facts(model: CellMethods, X: Any, energy: np.ndarray, names: Any, source: Any, worst: int) -> Facts:
    """Facts of a table, of which `source` (a `data.Table`) may know what was left out in reading."""
    order = np.argsort(-energy, kind="stable")
    table = ScoredTable(model, X, energy, order, _names(model, names), _labels(model, X, source))
    shown, cells = order[:worst], tally(model, X, order, table.used)
    part, worst_rows = take(X, shown), cells_of(model, X, shown)
    return {
        "read": _read(table, cells),
        "by_others": getattr(model, "predictor_name_", None) != "constant",
        "sources": _sources(table, source),
        "flagged": _share(cells.flagged.sum(), len(energy) * len(table.used)),
        "labels": [table.label(row) for row in shown],
        "lines": _lines(source, shown),
        "causes": _causes(table, worst_rows),
        "wholes": _wholes(table, worst_rows),
        "truth": _truth(table, source),
        "columns": _columns(table, cells),
        "map": _map(table, worst_rows),
        "cells": cell_map(cells, table.names, _row_labels(table)),
        "slider": lam_slider(model, part),
        "trim": trim_slider(model, X, part),
        "threshold": _threshold(table),
        "export": _exported(table),
    }


def _share(count: int, of: int) -> Facts:
    return {"count": count, "share": count / max(of, 1)}


def _names(model: CellMethods, names: Sequence[str] | None) -> list[str]:
    d = model.n_features_in_
    found = [
        str(name) for name in (getattr(model, "feature_names_in_", range(d)) if names is None else names)
    ]
    if len(found) != d:
        raise InputError(f"names: {len(found)} were given for {d} columns.")
    return found


def _labels(model: CellMethods, X: Any, source: Any) -> Any:
    """Names of the rows: of a column that only identifies them, texts before numbers, or pandas' index."""
    plan = getattr(model, "plan_", None)
    if plan is not None:
        found = [
            (column.why.startswith("row"), values)
            for column, values in zip(plan.columns, by_column(model, X), strict=True)
            if column.kind == "identifier" and values[0] is not None
        ]
        return min(found, key=lambda pair: pair[0])[1] if found else None
    if source is not None and source.spare:
        return next(iter(source.spare.values()))
    index = getattr(X, "index", None)
    return None if index is None or type(index).__name__ == "RangeIndex" else index.to_numpy()


def _row_labels(table: ScoredTable) -> list[str]:
    n = len(table.energy)
    return [table.label(row) for row in range(n)] if table.labels is not None and n <= 1000 else []


def _read(table: ScoredTable, cells: CellTally) -> Facts:
    n, d, missing = len(table.energy), len(table.names), int(cells.missing.sum())
    return {"rows": n, "columns": d, "missing": missing, "missing_share": missing / (n * d)}


def _sources(table: ScoredTable, source: Any) -> Facts:
    """How many columns there are of each kind, and what is left out or taken as missing, with reasons."""
    of_all = table.kinds
    kinds = [of_all[j] for j in table.used]
    by_count = sorted(set(kinds), key=lambda kind: (-kinds.count(kind), kind))
    left_out = {} if source is None else dict(source.dropped)
    return {
        "kinds": {kind: kinds.count(kind) for kind in by_count},
        "left_out": left_out | ({} if table.plan is None else table.plan.left_out),
        "slips": {} if source is None else dict(source.slips),
    }


def _columns(table: ScoredTable, cells: CellTally) -> list[Facts]:
    """By column used: kind, what is missing or flagged, how far its values lie off; most flagged first."""
    n = len(table.energy)
    rows = spread(n, min(MOST_SAMPLED, MOST_CELLS // len(table.names)))
    sampled, scales = cells_of(table.model, table.X, rows), _scales(table, rows)
    kinds = table.kinds
    facts = [
        {
            "name": table.names[j],
            "kind": kinds[j],
            "taken_for": table.taken_for[j],
            "missing": cells.missing[j] / n,
            "flagged": cells.flagged[j] / max(n - cells.missing[j], 1),
            "differs": _differs(sampled, j) if kinds[j] in ("boolean", "category") else None,
        }
        | scales.get(j, {"residual_scale": None, "unexplained": None})
        for j in table.used
    ]
    return sorted(facts, key=lambda column: -column["flagged"])


def _differs(cells: TableCells, j: int) -> float:
    """Share of a category's cells whose level is not the likeliest."""
    pairs = zip(cells.observed[j], cells.expected[j], cells.missing[:, j], strict=True)
    differ = [str(a).strip() != str(b).strip() for a, b, missing in pairs if not missing]
    return sum(differ) / max(len(differ), 1)


def _scales(table: ScoredTable, rows: np.ndarray) -> dict[int, Facts]:
    """Robust scale of the residuals of numbers and dates, alone and as a share of the column's own."""
    found = residuals(table.model, take(table.X, rows))
    kinds = table.kinds
    measured = [k for k, j in enumerate(found.index) if kinds[j] in ("number", "date")]
    off = found.values[:, measured] - found.expected[:, measured]
    values = found.values[:, measured]
    own = _mad(values - _median(values))
    scale = _mad(off)
    shares = np.divide(scale, own, out=np.full(len(own), np.nan), where=own > 0)
    return {
        int(found.index[k]): {"residual_scale": scale[i], "unexplained": shares[i]}
        for i, k in enumerate(measured)
    }


def _mad(off: np.ndarray) -> np.ndarray:
    return 1.4826 * _median(np.abs(off))


def _median(values: np.ndarray) -> np.ndarray:
    """By column, 0 where every cell is missing."""
    return np.nanmedian(np.where(np.isnan(values).all(0), 0.0, values), axis=0)


def _map(table: ScoredTable, cells: TableCells) -> Facts:
    """The worst rows cell by cell, those columns first that deviate most."""
    weight = np.abs(cells.deviations).max(0)[table.used]
    shown = table.used[np.argsort(-weight, kind="stable")[:MOST_COLUMNS]]
    return {
        "rows": cells.rows,
        "columns": [table.names[j] for j in shown],
        "of_columns": len(table.used),
        "index": shown,
        "observed": _by_row(cells.observed, cells.missing, shown),
        "expected": _by_row(cells.expected, np.zeros_like(cells.missing), shown),
        "deviations": cells.deviations[:, shown],
        "flagged": cells.flagged[:, shown],
    }


def _by_row(columns: list[np.ndarray], missing: np.ndarray, shown: np.ndarray) -> list[list[Any]]:
    return [[None if gone[j] else plain(columns[j][i]) for j in shown] for i, gone in enumerate(missing)]


def _causes(table: ScoredTable, cells: TableCells) -> list[list[Facts]]:
    """For each worst row the flagged cells that weigh most in its score."""
    part = take(table.X, cells.rows)
    account = table.model.explain(_numbered(part))
    places = {name: j for j, name in enumerate(table.names)}
    found: list[list[Facts]] = [[] for _ in cells.rows]
    for i, column, share in zip(*(account[key] for key in ("row", "column", "share")), strict=True):
        j = places[column] if isinstance(column, str) else int(column)
        found[i].append({"share": float(share)} | _cell(table, cells, i, j))
    return [sorted(cells, key=lambda cell: -cell["share"])[:CELLS_PER_ROW] for cells in found]


def _wholes(table: ScoredTable, cells: TableCells) -> list[list[Facts]]:
    """For each worst row none of whose cells is flagged: the cells that weigh most in its score."""
    found: list[list[Facts]] = [[] for _ in cells.rows]
    whole = np.flatnonzero(~cells.flagged.any(axis=1))
    if not len(whole):
        return found
    part = take(table.X, cells.rows[whole])
    account = table.model.explain(_numbered(part), cut=0.0)
    places = {name: j for j, name in enumerate(table.names)}
    keys = ("row", "column", "share", "neighbours")
    for i, column, share, near in zip(*(account[key] for key in keys), strict=True):
        j, at = places[column] if isinstance(column, str) else int(column), int(whole[i])
        found[at].append({"share": float(share), "near": float(near)} | _cell(table, cells, at, j))
    return [sorted(row, key=lambda cell: -cell["share"])[:CELLS_PER_ROW] for row in found]


def _numbered(part: Any) -> Any:
    """A frame whose rows are called by their numbers."""
    return part.reset_index(drop=True) if hasattr(part, "reset_index") else part


def _lines(source: Any, rows: np.ndarray) -> list[int] | None:
    """Where rows stand in the file that they were read from."""
    lines = getattr(source, "lines", None)
    return None if lines is None else lines[rows].tolist()


def _truth(table: ScoredTable, source: Any) -> Facts | None:
    """How well the threshold calls the rows that a label marks."""
    from robustae.metrics import of_calls

    labels = getattr(source, "labels", None)
    if labels is None or len(np.unique(labels)) < 2:
        return None
    return of_calls(labels, table.energy > -table.model.offset_) | {"anomalies": int(labels.sum())}


def _cell(table: ScoredTable, cells: TableCells, i: int, j: int) -> Facts:
    return {
        "column": table.names[j],
        "observed": plain(cells.observed[j][i]),
        "expected": plain(cells.expected[j][i]),
        "deviations": cells.deviations[i, j],
    }


def _threshold(table: ScoredTable) -> Facts:
    """The highest scores, by which the page moves the threshold."""
    flagged = int((table.energy > -table.model.offset_).sum())
    held = min(max((len(table.energy) + 1) // 2, flagged), MOST_ENERGIES)
    return {"energies": pack(table.energy[table.order[:held]])}


# The most anomalous rows as lines of CSV -------------------------------------------------------------


def _exported(table: ScoredTable) -> Facts:
    """Header and lines, the highest score first: row, score, whether flagged, cells, the row as written."""
    most = max(LEAST_EXPORTED, MOST_EXPORTED // len(table.names))
    rows = table.order[:most]
    part = take(table.X, rows)
    columns, flagged = by_column(table.model, part), np.asarray(table.model.flags(part), dtype=bool)
    named = table.labels is not None and table.plan is None
    threshold = -table.model.offset_
    lines = [
        _line(
            [
                row,
                *([table.label(row)] if named else []),
                table.energy[row],
                bool(table.energy[row] > threshold),
            ]
            + ["; ".join(table.names[j] for j in np.flatnonzero(flagged[i]))]
            + [column[i] for column in columns]
        )
        for i, row in enumerate(rows)
    ]
    header = ["row", *(["name"] if named else []), "anomaly_score", "flagged", "cells", *table.names]
    return {"header": _line(header), "rows": len(lines), "lines": pack_json(lines)}


def _line(cells: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([_written(cell) for cell in cells])
    return out.getvalue()


def _written(value: Any) -> str:
    """Numbers in as many digits as give them back."""
    value = plain(value)
    return "" if value is None else repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
