"""A fitted model: predictor + penalty + scaling -> reconstruction, outliers, energy of any row.

NumPy in, NumPy out, block by block; everything in float64, the forward pass included, so that a
row's result does not depend on the rows beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from robustae.fit.cells import Cells, SourceCells
from robustae.fit.energies import Energy
from robustae.fit.known import KnownRows
from robustae.fit.sources import Sources
from robustae.penalties import Penalty
from robustae.predictors import encoder_of, predicted, traits_of
from robustae.solvers.objective import row_blocks, soft_clip
from robustae.stats.scales import Weight
from robustae.stats.scaling import Scaling
from robustae.utils.checks import InputError

__all__ = ["LARGEST", "Block", "CellsAlone", "Model"]

FARTHEST = 1e8  # deviations that are told apart
LARGEST = 1e150  # energy: members of an ensemble divide theirs by numbers from 1 / LARGEST on


@dataclass(frozen=True)
class Block:
    """Some rows on the model's scale.

    Attributes
    ----------
    rows : slice
    Z : array, shape (b, d)
        Scaled cells, the column's location where missing.
    observed : array of bool, shape (b, d)
    Zhat, R : array, shape (b, d)
        Reconstruction, and residual Z - Zhat (0 where missing).
    wider : array, shape (b, d), or 1
        How many times wider residuals spread for what is missing in the row.
    """

    rows: slice
    Z: np.ndarray
    observed: np.ndarray
    Zhat: np.ndarray
    R: np.ndarray
    wider: Any = 1.0


@dataclass(frozen=True)
class CellsAlone:
    """What a model that holds no row of its fit needs: quantiles of the log energies, and clean rows'."""

    quantiles: np.ndarray
    clean: np.ndarray


@dataclass(frozen=True)
class Model:
    """All that is needed to treat a row, and all that an artifact holds.

    Attributes
    ----------
    predictor : nn.Module
        In float64, in evaluation mode.
    penalty : Penalty
    lam : float or array, shape (d,)
    scaling : Scaling
    clip : float or None
        Deviations beyond which the encoder's input is soft-clipped.
    noise : array, shape (d,)
        Noise deviation by column, in the model's units.
    fill : array, shape (d,)
        What the encoder sees in a missing cell: the column's location, in the model's units.
    energy : Energy
    unit : float
        Median energy of the training rows, by which members of an ensemble are divided.
    widening : float or array, shape (d,)
        How many times wider than `noise` the scale is by which cells are judged.
    known : KnownRows or None
        Rows of the fit, and their energies as if each had been left out.
    alone : CellsAlone or None
        For a copy that holds no row of the fit.
    sources : Sources or None
        Source columns, where some are encoded as several.
    """

    predictor: nn.Module
    penalty: Penalty
    lam: Any
    scaling: Scaling
    clip: float | None
    noise: np.ndarray
    fill: np.ndarray
    energy: Energy
    unit: float = 1.0
    widening: Any = 1.0
    known: KnownRows | None = None
    alone: CellsAlone | None = None
    sources: Sources | None = None

    def having(self, **changes: Any) -> "Model":
        """Return a copy with some attributes replaced."""
        return replace(self, **changes)

    def blocks(self, X: np.ndarray) -> Iterator[Block]:
        """Go through X, shape (n, d), in the user's units, NaN for missing."""
        return (self._block(X, rows) for rows in row_blocks(*X.shape))

    def _block(self, X: np.ndarray, rows: slice) -> Block:
        Z = self.scaling.transform(np.ascontiguousarray(X[rows], dtype=np.float64))
        observed = ~np.isnan(Z)
        complete = observed.all()
        if not complete:
            Z = np.where(observed, Z, self.fill)
        there = observed if self.sources is None else observed & ~self.sources.unknown(X[rows])
        Zhat, wider = self.reconstruct_scaled(Z, None if there.all() else there)
        R = Z - Zhat
        if not complete:
            R[~observed] = 0.0
        return Block(rows, Z, observed, Zhat, R, wider)

    def reconstruct_scaled(self, Z: np.ndarray, there: np.ndarray | None = None) -> tuple[np.ndarray, Any]:
        """Xhat of rows on the model's scale, and how many times wider residuals spread for what is not there.

        What is not there holds its location, or what it may be; a predictor that can leaves it out.
        """
        predictor: Any = self.predictor
        if there is not None and traits_of(predictor).conditional:
            return predictor.conditional(Z, there)
        seen = None if there is None else torch.from_numpy(there)
        return self._forward(lambda X: predicted(self.predictor, X, seen), soft_clip(Z, self.clip)), 1.0

    @torch.no_grad()
    def _forward(self, function: Any, inputs: np.ndarray) -> np.ndarray:
        device = next((p.device for p in self.predictor.parameters()), torch.device("cpu"))
        return function(torch.from_numpy(inputs).to(device)).cpu().numpy()

    def outliers_of(self, block: Block) -> np.ndarray:
        """N on the model's scale."""
        return self.penalty.prox(block.R, self.lam)

    def cells_of(self, block: Block) -> np.ndarray:
        """Residuals in noise deviations, 0 where missing: what energies are made of."""
        return block.R / (self.noise * block.wider)

    def deviations_of(self, block: Block) -> np.ndarray:
        """Residuals in the deviations by which cells are judged, by source column; 0 where missing."""
        found = (block.R / (self.noise * self.widening * block.wider)).clip(-FARTHEST, FARTHEST)
        if self.sources is None:
            return found
        return self.sources.judged(self._by_source(found, block.observed, block.Z, block.Zhat))

    def cells(self, block: Block) -> Cells:
        """Return what energies are computed from."""
        full = np.where(block.observed, block.Z, block.Zhat) if not block.observed.all() else block.Z
        return self.cells_as(block.R, full, block.observed, block.wider)

    def cells_as(self, R: np.ndarray, full: np.ndarray, observed: np.ndarray, wider: Any) -> Cells:
        """Return the same from residuals, and rows with Xhat where missing."""
        return self._cells(R, full, observed, self.noise * wider)

    def _cells(self, R: np.ndarray, Z: np.ndarray, observed: np.ndarray, noise: np.ndarray) -> Cells:
        by_source = None
        if self.sources is not None:
            by_source = self._by_source(R / noise, observed, Z, Z - R)
        return Cells(R, Z, observed, noise, self.penalty.kept, self.lam, by_source)

    def _by_source(
        self, off: np.ndarray, observed: np.ndarray, Z: np.ndarray, Zhat: np.ndarray
    ) -> SourceCells:
        assert self.sources is not None
        return self.sources.cells(off, observed, self.scaling.inverse(Z), self.scaling.inverse(Zhat))

    def trusting(self, cells: Cells, weight: Weight) -> tuple["Model", Cells]:
        """Learn from rows of the fit how far to trust predictions of levels; return what that changes."""
        if self.sources is None:
            return self, cells
        seen, expected = self.scaling.inverse(cells.Z), self.scaling.inverse(cells.Z - cells.R)
        model = self.having(sources=self.sources.trusting(seen, cells.observed, expected, weight))
        return model, model._cells(cells.R, cells.Z, cells.observed, cells.noise)

    def all_cells(self, X: np.ndarray) -> Cells:
        """Return the cells of all rows of X, shape (n, d)."""
        parts = [self.cells(block) for block in self.blocks(X)]
        R, Z, observed = (
            np.concatenate([getattr(p, name) for p in parts]) for name in ("R", "Z", "observed")
        )
        noise = parts[0].noise
        if any(part.noise.ndim > 1 for part in parts):
            noise = np.concatenate([np.broadcast_to(part.noise, part.R.shape) for part in parts])
        return self._cells(R, Z, observed, noise)

    def energies_of(self, block: Block) -> np.ndarray:
        """Energies of the rows, shape (b,), lower = more normal."""
        return self.energy.rows(self.cells(block))

    def energies(self, X: np.ndarray) -> np.ndarray:
        """Energies of the rows of X, shape (n,); of rows of the fit, where they are known, as if left out.

        Raises
        ------
        InputError
            If one is no number.
        """
        found = np.full(len(X), np.nan) if self.known is None else self.known.of_rows(X)
        new = np.flatnonzero(np.isnan(found))
        X = X if len(new) == len(X) else X[new]
        if len(new):
            found[new] = np.concatenate([self.energies_of(block) for block in self.blocks(X)])
        if np.isnan(found).any():
            raise InputError("the model gives a row no energy: it is damaged, or a cell is too large for it.")
        return found.clip(-LARGEST, LARGEST)

    def near_share(self, block: Block) -> np.ndarray:
        """What part of being odd comes from the distance to the rows of the fit, shape (b,)."""
        return self.energy.near_share(self.cells(block))

    def cell_shares(self, block: Block) -> np.ndarray:
        """Each cell's part of what the residuals bring to its row's energy, adding up to 1 over the row.

        By source column where they are held.
        """
        found = self.energy.shares(self.cells(block))
        return found if self.sources is None or self.energy.by_source else self.sources.summed(found)

    def encode(self, X: np.ndarray) -> np.ndarray:
        """Codes of the rows of X, shape (n, K)."""
        encoder = encoder_of(self.predictor)
        if encoder is None:
            raise InputError("this predictor has no code to give: encode needs an encoder.")
        codes = []
        for block in self.blocks(X):
            codes.append(self._forward(encoder, soft_clip(block.Z, self.clip)))
        return np.concatenate(codes)
