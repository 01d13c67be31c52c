"""The whole table cell by cell, as cell maps show it (Rousseeuw and Van den Bossche 2018; R's cellWise)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.estimators.cells import CellMethods
from robustae.estimators.facts.cells import matrix, runs, take
from robustae.report.packing import pack

__all__ = ["CellTally", "cell_map", "tally"]

Facts = dict[str, Any]

MOST_ROWS, MOST_COLUMNS = 400, 200  # of the map; beyond, neighbours are drawn as one
FAINTEST, FULL = 0.4, 10.0  # tone of a cell just flagged, and deviations from which it is strongest


@dataclass(frozen=True)
class CellTally:
    """What all cells of a table add up to.

    Attributes
    ----------
    flagged, missing : array of int, shape (d,)
        Cells by column, of all d source columns.
    used : array of int
        The columns in the map.
    in_file, by_score : array, shape (row blocks, column blocks, 3)
        Mean tone above and below expectation, and share missing, of the rows in both orders.
    row_step, column_step : int
        Rows and columns in a block.
    """

    flagged: np.ndarray
    missing: np.ndarray
    used: np.ndarray
    in_file: np.ndarray
    by_score: np.ndarray
    row_step: int
    column_step: int


def tally(model: CellMethods, X: Any, order: np.ndarray, used: np.ndarray) -> CellTally:
    """Go through all cells of X once; `order` are its rows, the highest score first."""
    n, d, width = len(order), model.n_features_in_, len(used)
    row_step, column_step = -(-n // MOST_ROWS), -(-width // MOST_COLUMNS)
    rank = np.empty(n, dtype=np.intp)
    rank[order] = np.arange(n)
    flagged, missing = np.zeros(d, dtype=int), np.zeros(d, dtype=int)
    maps = np.zeros((2, -(-n // row_step), -(-width // column_step), 3))
    for rows in runs(X):
        layers = _layers(model, take(X, rows))
        flagged += ((layers[..., 0] > 0) | (layers[..., 1] > 0)).sum(0)
        missing += (layers[..., 2] > 0).sum(0)
        sums = np.add.reduceat(layers[:, used], np.arange(0, width, column_step), axis=1)
        for into, place in zip(maps, (rows, rank[rows]), strict=True):
            _add(into, place // row_step, sums)
    maps /= _sizes(n, row_step)[:, None, None] * _sizes(width, column_step)[:, None]
    return CellTally(flagged, missing, used, maps[0], maps[1], row_step, column_step)


def _layers(model: CellMethods, X: Any) -> np.ndarray:
    """Tone above, tone below, and whether missing, of every cell, shape (m, d, 3)."""
    from robustae.fit.explain import FLAG_AT
    from robustae.fit.mixed import missing_of

    deviations = matrix(model.cell_scores(X)).astype(np.float32)
    beyond = np.abs(deviations) - FLAG_AT
    share = np.minimum(beyond / (FULL - FLAG_AT), 1.0)
    tone = np.where(beyond > 0, FAINTEST + (1 - FAINTEST) * share, 0.0).astype(np.float32)
    missing = np.asarray(missing_of(model, X)).reshape(tone.shape)
    return np.stack([tone * (deviations > 0), tone * (deviations < 0), missing], axis=-1)


def _add(into: np.ndarray, block: np.ndarray, sums: np.ndarray) -> None:
    order = np.argsort(block, kind="stable")
    found, starts = np.unique(block[order], return_index=True)
    into[found] += np.add.reduceat(sums[order], starts, axis=0)


def _sizes(n: int, step: int) -> np.ndarray:
    """How many of n are in each block."""
    return np.minimum(step, n - np.arange(0, n, step))


def cell_map(found: CellTally, names: list[str], labels: list[str]) -> Facts:
    """The map as facts; `labels` name the rows where they are few enough to stand alone."""
    return {
        "rows": int(len(found.in_file)),
        "columns": int(found.in_file.shape[1]),
        "row_step": found.row_step,
        "column_step": found.column_step,
        "names": [names[j] for j in found.used],
        "labels": labels if found.row_step == 1 else [],
        "file": pack(_as_bytes(found.in_file)),
        "score": pack(_as_bytes(found.by_score)),
    }


def _as_bytes(shares: np.ndarray) -> np.ndarray:
    """A cell just touched does not vanish."""
    return np.ceil(255 * np.clip(shares, 0, 1) - 1e-6).astype(np.uint8)
