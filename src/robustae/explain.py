"""Which cells are wrong: flags, the repaired table, and a tidy account of the flagged cells."""

from typing import Any

import numpy as np

from robustae.model import Block, Model

__all__ = ["FLAG_AT", "explanation", "flags_of", "repaired"]

FLAG_AT = 3.0  # noise deviations beyond which a cell is called outlying


def flags_of(model: Model, block: Block) -> np.ndarray:
    """Cells whose residual exceeds `FLAG_AT` noise deviations; missing cells are never flagged."""
    return np.abs(model.cells_of(block)) > FLAG_AT


def repaired(model: Model, X: np.ndarray) -> np.ndarray:
    """Return X with flagged and missing cells replaced by Xhat, all others untouched to the last bit."""
    out = X.copy() if X.dtype.kind == "f" else X.astype(np.float64)
    for block in model.blocks(X):
        replace = flags_of(model, block) | ~block.observed
        out[block.rows][replace] = model.scaling.inverse(block.Zhat)[replace]
    return out


def explanation(model: Model, X: np.ndarray, names: Any) -> dict[str, np.ndarray]:
    """Return one entry for each flagged cell, largest deviation first, as a dict of columns."""
    parts = [_account(model, X, block, names) for block in model.blocks(X)]
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    order = np.argsort(-np.abs(columns["deviations"]), kind="stable")
    return {key: values[order] for key, values in columns.items()}


def _account(model: Model, X: np.ndarray, block: Block, names: Any) -> dict[str, np.ndarray]:
    rows, columns = np.nonzero(flags_of(model, block))
    at = (rows, columns)
    outlier_part = model.scaling.outlier_part(block.Zhat, model.outliers_of(block))
    return {
        "row": rows + block.rows.start,
        "column": np.asarray(names)[columns] if names is not None else columns,
        "observed": X[block.rows][at].astype(np.float64),
        "expected": model.scaling.inverse(block.Zhat)[at],
        "outlier_part": outlier_part[at],
        "deviations": model.cells_of(block)[at],
        "share": model.energy_shares(block)[at],
    }
