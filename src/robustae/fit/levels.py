"""How far off a cell of a mixed table is, in deviations: one number for each source column.

For numbers and dates it is the residual in noise deviations. A level has a probability p by its
prediction; it is as far off as a Gaussian value beyond which, both ways, lies p. What a text should
be no prediction knows: texts count in their row's energy only.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from robustae.data import MixedTable
from robustae.data.coding import class_values, classes_of, level_codes
from robustae.data.column_kinds import Column
from robustae.data.columns import Columns
from robustae.fit.model import Block, Model

__all__ = ["deviations", "log_cells", "trusting"]

LEAST = 1e-9  # the probability of a level that the fit did not meet: 6.1 deviations
ENOUGH = 20_000  # rows to learn trust from
TRUST = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def deviations(plan: Columns, table: MixedTable, model: Model, block: Block) -> np.ndarray:
    """Return how far off the cells of a block are, shape (b, source columns); 0 where missing."""
    return _deviations(plan, table, model, block, model.deviations_of(block))


def _deviations(
    plan: Columns, table: MixedTable, model: Model, block: Block, cells: np.ndarray
) -> np.ndarray:
    views = cells, model.scaling.inverse(block.Zhat)
    parts = zip(plan.columns, *map(plan.parts, views), strict=True)
    rows = [
        _of_column(column, table.columns.get(column.name), cells, expected, block.rows)
        for column, cells, expected in parts
    ]
    return np.column_stack(rows)


def log_cells(plan: Columns, table: MixedTable, model: Model, block: Block) -> np.ndarray:
    """Return log(1 + noise deviation^2) by source column; of a text the mean over what stands for it."""
    cells = model.cells_of(block)
    logs = np.log1p(_deviations(plan, table, model, block, cells) ** 2)
    for j, part in enumerate(plan.parts(cells)):
        if plan.columns[j].kind == "text" and part.size:
            logs[:, j] = np.log1p(part**2).mean(1)
    return logs


def _of_column(
    column: Column, values: Any, cells: np.ndarray, expected: np.ndarray, rows: slice
) -> np.ndarray:
    if column.why or column.kind == "text":
        return np.zeros(len(cells))
    if column.graded:
        codes = level_codes(column, values[rows])
        return _surprise(np.where(codes == -1, 1.0, _probability(column, codes, expected)))
    return cells[:, 0]


def _surprise(p: np.ndarray) -> np.ndarray:
    return np.abs(ndtri(np.clip(p, LEAST, 1.0) / 2))


def _probability(column: Column, codes: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Probability of each cell's level: the prediction's and the level's share, mixed by trust."""
    shares = np.append(column.shares, [0.0, 0.0])  # of codes -2 and -1, the last two
    pooled = np.bincount(classes_of(column, np.arange(len(column.levels))), column.shares)
    values = np.clip(class_values(expected), 0.0, 1.0)
    values /= values.sum(1, keepdims=True)
    group = np.maximum(classes_of(column, codes), 0)
    within = shares[codes] / pooled[group]
    predicted = values[np.arange(len(codes)), group]
    return within * (column.trust * predicted + (1 - column.trust) * pooled[group])


def trusting(plan: Columns, table: MixedTable, model: Model, X: np.ndarray) -> Columns:
    """Return the plan with the trust in each category's predictions under which its cells are likeliest."""
    some = slice(None, None, max(1, len(X) // ENOUGH))
    table, X = table[some], X[some]
    expected = np.concatenate([model.scaling.inverse(block.Zhat) for block in model.blocks(X)])
    parts = zip(plan.columns, plan.parts(expected), strict=True)
    return plan.having(
        {
            column.name: replace(column, trust=_trust(column, table.columns[column.name], part))
            for column, part in parts
            if column.graded
        }
    )


def _trust(column: Column, values: np.ndarray, expected: np.ndarray) -> float:
    codes = level_codes(column, values)
    known = codes >= 0
    likelihoods = [_likelihood(replace(column, trust=t), codes[known], expected[known]) for t in TRUST]
    return TRUST[int(np.argmax(likelihoods))]


def _likelihood(column: Column, codes: np.ndarray, expected: np.ndarray) -> float:
    return float(np.log(np.maximum(_probability(column, codes, expected), LEAST)).mean())
