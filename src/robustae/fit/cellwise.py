"""Cells judged by the sound ones: what is far off is set aside, and its row predicted again without it."""

from dataclasses import replace
from typing import Any

import numpy as np

from robustae.data.rows import NumberRows
from robustae.fit.model import Block, Model
from robustae.predictors import traits_of

__all__ = ["judged"]

NEAR = 0.8  # cells so far off against the worst of their row are set aside with it
MOST = 0.5  # of a row's cells are set aside: beyond that nothing says which are sound
STEPS = 50


def judged(model: Model, rows: NumberRows, block: Block, cut: float) -> Block:
    """Return the block with every cell predicted from those of its row that are sound.

    In every step the cells farthest off in their row, if over `cut` deviations, are set aside
    (an idea of Raymaekers and Rousseeuw 2021), and the row is predicted again from the others.
    A row of which more than half would be set aside is
    left as it is, and so is all where the predictor cannot leave cells out.
    """
    if not traits_of(model.predictor).conditional:
        return block
    aside = np.zeros(block.R.shape, bool)
    room = MOST * block.observed.sum(1)
    active = np.arange(len(block.R))
    found = block
    for _ in range(STEPS):
        more = _worst(model, rows, found, active, aside, cut)
        full = np.flatnonzero(more.any(1) & ((aside | more).sum(1) > room))
        aside[full] = more[full] = False
        active = np.flatnonzero(more.any(1))
        if not len(active) and not len(full):
            break
        aside[active] |= more[active]
        found = _again(model, found, aside, np.concatenate([active, full]))
    return _reconsidered(model, rows, found, aside, cut)


def _worst(
    model: Model, rows: NumberRows, block: Block, active: np.ndarray, aside: np.ndarray, cut: float
) -> np.ndarray:
    """Cells to be set aside next, of the rows last predicted again."""
    sizes = np.zeros(block.R.shape)
    sizes[active] = rows.by_cell(np.abs(rows.deviations(model, block)))[active]
    sizes[aside] = 0.0
    worst = sizes.max(1, keepdims=True)
    return (sizes > cut) & (sizes >= NEAR * worst)


def _again(model: Model, block: Block, aside: np.ndarray, at: np.ndarray) -> Block:
    """Predict some rows again, without what is set aside."""
    there = block.observed[at] & ~aside[at]
    Zhat, wider = block.Zhat.copy(), np.array(np.broadcast_to(block.wider, block.R.shape))
    Zhat[at], wider[at] = model.reconstruct_scaled(block.Z[at], there)
    return replace(block, Zhat=Zhat, R=np.where(block.observed, block.Z - Zhat, 0.0), wider=wider)


def _reconsidered(model: Model, rows: NumberRows, block: Block, aside: np.ndarray, cut: float) -> Any:
    """Once more with what turned out to be sound after all."""
    sound = rows.by_cell(np.abs(rows.deviations(model, block))) <= cut
    changed = np.flatnonzero((aside & sound).any(1))
    return _again(model, block, aside & ~sound, changed) if len(changed) else block
