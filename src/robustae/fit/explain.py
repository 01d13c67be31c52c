"""Which cells are wrong: flags, the repaired table, and a tidy account of the flagged cells."""

from typing import Any

import numpy as np

from robustae.data.rows import NumberRows
from robustae.fit.cellwise import judged
from robustae.fit.model import Block, Model

__all__ = ["FLAG_AT", "expected_of", "explanation", "flags_of", "repaired"]

FLAG_AT = 3.0  # noise deviations beyond which a cell is called outlying


def flags_of(model: Model, rows: NumberRows, block: Block, cut: float = FLAG_AT) -> np.ndarray:
    """Cells more than `cut` deviations off, given the sound ones; missing cells are never flagged."""
    return np.abs(rows.deviations(model, judged(model, rows, block, cut))) > cut


def expected_of(model: Model, block: Block, flags: np.ndarray, passes: int = 0) -> np.ndarray:
    """Xhat in X's units; with `passes`, of X with its flagged and missing cells replaced by Xhat.

    A wrong cell reaches its own reconstruction through the encoder: each pass encodes the rows that
    have one once more with the last reconstruction in its place.
    """
    out = flags | ~block.observed
    rows = np.flatnonzero(out.any(1))
    Zhat = block.Zhat.copy()
    for _ in range(passes if len(rows) else 0):
        Zhat[rows] = model.reconstruct_scaled(np.where(out[rows], Zhat[rows], block.Z[rows]), ~out[rows])[0]
    return model.scaling.inverse(Zhat)


def repaired(model: Model, rows: NumberRows, cut: float = FLAG_AT, passes: int = 0) -> np.ndarray:
    """Return the rows with flagged and missing cells replaced, all others untouched to the last bit."""
    X = rows.values
    out = X.copy() if X.dtype.kind == "f" else X.astype(np.float64)
    for block in model.blocks(X):
        block = judged(model, rows, block, cut)
        flags = rows.by_cell(np.abs(rows.deviations(model, block)) > cut)
        replace = flags | ~block.observed
        out[block.rows][replace] = expected_of(model, block, flags, passes)[replace]
    return out


def explanation(model: Model, rows: NumberRows, names: Any, cut: float = FLAG_AT) -> dict[str, np.ndarray]:
    """Return one entry for each flagged cell, largest deviation first, as a dict of columns."""
    parts = [_account(model, rows, block, names, cut) for block in model.blocks(rows.values)]
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    order = np.argsort(-np.abs(columns["deviations"]), kind="stable")
    return {key: values[order] for key, values in columns.items()}


def _account(model: Model, rows: NumberRows, block: Block, names: Any, cut: float) -> dict[str, np.ndarray]:
    near = model.near_share(block)
    shares = rows.shares(model, block) * (1 - near[:, None])
    block = judged(model, rows, block, cut)
    deviations = rows.deviations(model, block)
    row, column = at = np.nonzero(np.abs(deviations) > cut)
    outlier_part = model.scaling.outlier_part(block.Zhat, model.outliers_of(block))
    return {
        "row": row + block.rows.start,
        "column": np.asarray(names)[column] if names is not None else column,
        "observed": rows.observed(row + block.rows.start, column),
        "expected": rows.expected(model.scaling.inverse(block.Zhat), *at),
        "outlier_part": rows.norms(outlier_part)[at],
        "deviations": deviations[at],
        "share": shares[at],
        "neighbours": near[row],
    }
