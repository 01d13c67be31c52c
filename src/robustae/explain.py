"""Which cells are wrong: flags, the repaired table, and a tidy account of the flagged cells."""

from typing import Any

import numpy as np

from robustae.model import Block, Model

__all__ = ["FLAG_AT", "expected_of", "explanation", "flags_of", "repaired"]

FLAG_AT = 3.0  # noise deviations beyond which a cell is called outlying


def flags_of(model: Model, block: Block, cut: float = FLAG_AT) -> np.ndarray:
    """Cells whose residual exceeds `cut` noise deviations; missing cells are never flagged."""
    return np.abs(model.cells_of(block)) > cut


def expected_of(model: Model, block: Block, flags: np.ndarray, passes: int = 0) -> np.ndarray:
    """Xhat in X's units; with `passes`, of X with its flagged and missing cells replaced by Xhat.

    A wrong cell reaches its own reconstruction through the encoder: each pass encodes the rows that
    have one once more with the last reconstruction in its place.
    """
    out = flags | ~block.observed
    rows = np.flatnonzero(out.any(1))
    Zhat = block.Zhat.copy()
    for _ in range(passes if len(rows) else 0):
        Zhat[rows] = model.reconstruct_scaled(np.where(out[rows], Zhat[rows], block.Z[rows]))
    return model.scaling.inverse(Zhat)


def repaired(model: Model, X: np.ndarray, cut: float = FLAG_AT, passes: int = 0) -> np.ndarray:
    """Return X with flagged and missing cells replaced, all others untouched to the last bit."""
    out = X.copy() if X.dtype.kind == "f" else X.astype(np.float64)
    for block in model.blocks(X):
        flags = flags_of(model, block, cut)
        replace = flags | ~block.observed
        out[block.rows][replace] = expected_of(model, block, flags, passes)[replace]
    return out


def explanation(model: Model, X: np.ndarray, names: Any, cut: float = FLAG_AT) -> dict[str, np.ndarray]:
    """Return one entry for each flagged cell, largest deviation first, as a dict of columns."""
    parts = [_account(model, X, block, names, cut) for block in model.blocks(X)]
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    order = np.argsort(-np.abs(columns["deviations"]), kind="stable")
    return {key: values[order] for key, values in columns.items()}


def _account(model: Model, X: np.ndarray, block: Block, names: Any, cut: float) -> dict[str, np.ndarray]:
    flags = flags_of(model, block, cut)
    rows, columns = at = np.nonzero(flags)
    outlier_part = model.scaling.outlier_part(block.Zhat, model.outliers_of(block))
    return {
        "row": rows + block.rows.start,
        "column": np.asarray(names)[columns] if names is not None else columns,
        "observed": X[block.rows][at].astype(np.float64),
        "expected": model.scaling.inverse(block.Zhat)[at],
        "outlier_part": outlier_part[at],
        "deviations": model.cells_of(block)[at],
        "share": model.cell_shares(block)[at],
    }
