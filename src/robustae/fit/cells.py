"""Cells of rows as energies are computed from them, for NumPy and torch alike."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from robustae.penalties import Penalty
from robustae.stats.neighbourhood import FARTHEST
from robustae.stats.scales import Weight, evenly, most_usual

__all__ = ["Array", "Cells", "SourceCells"]

TELL = 2000  # rows that tell which cells are wild

Array = Any  # a NumPy array or a torch tensor


@dataclass(frozen=True)
class SourceCells:
    """Cells of a mixed table by source column.

    Attributes
    ----------
    off : array, shape (b, s)
        How far off they are, in noise deviations; 0 where missing.
    observed : array of bool, shape (b, s)
    encoded : array of int, shape (s,)
        The encoded column of each that is one number, -1 for others.
    usual : array, shape (2, b, s), or None
        Mean and variance that log(1 + off^2) of a level has by its probabilities, where cells are missing
        in its row; 0 for others.
    """

    off: Array
    observed: Array
    encoded: np.ndarray
    usual: Array = None

    def of(self, rows: np.ndarray) -> "SourceCells":
        """Return those of some rows."""
        usual = None if self.usual is None else self.usual[:, rows]
        return replace(self, off=self.off[rows], observed=self.observed[rows], usual=usual)

    def within(self, most: np.ndarray) -> "SourceCells":
        """Return them at most so far off, by source column."""
        return replace(self, off=np.clip(self.off, -most, most))


@dataclass(frozen=True)
class Cells:
    """What an energy is computed from: b rows on the model's scale.

    Attributes
    ----------
    R : array or tensor, shape (b, d)
        Residuals, 0 where missing.
    Z : array or tensor, shape (b, d)
        Cells as they are, Xhat where missing.
    observed : array or tensor of bool, shape (b, d)
    noise : array or tensor, shape (d,) or (b, d)
        Scales of the residuals, given what is observed.
    penalty : Penalty
        Of the rows kept.
    lam : float or array, shape (d,)
    sources : SourceCells or None
        Of a mixed table.
    """

    R: Array
    Z: Array
    observed: Array
    noise: Array
    penalty: Penalty
    lam: Any
    sources: SourceCells | None = None

    def of(self, rows: np.ndarray) -> "Cells":
        """Return those of some rows."""
        noise = self.noise if self.noise.ndim == 1 else self.noise[rows]
        sources = None if self.sources is None else self.sources.of(rows)
        return replace(
            self, R=self.R[rows], Z=self.Z[rows], observed=self.observed[rows], noise=noise, sources=sources
        )

    def tamed(self, weight: Weight) -> "Cells":
        """Return arrays with wild cells brought in to where others end (`most_usual`)."""
        encoded = np.arange(self.R.shape[1]) if self.sources is None else self.sources.encoded
        numbers = np.flatnonzero(encoded >= 0)
        if not len(numbers):
            return self
        most, limit = np.full(len(encoded), np.inf), np.full(self.R.shape[1], np.inf)
        limit[encoded[numbers]] = most[numbers] = self._most_usual(numbers, encoded[numbers], weight)
        limit = limit * self.noise
        wild = np.abs(self.R) > limit
        R, Z = self.R.copy(), self.Z.copy()
        R[wild] = np.sign(R[wild]) * np.broadcast_to(limit, R.shape)[wild]
        Z[wild] += R[wild] - self.R[wild]
        sources = None if self.sources is None else self.sources.within(most)
        return replace(self, R=R, Z=Z, sources=sources)

    def _most_usual(self, numbers: np.ndarray, encoded: np.ndarray, weight: Weight) -> np.ndarray:
        rows = evenly(len(self.R), TELL)
        few = self.of(rows)
        sizes = np.where(few.counted, np.abs(few.off), np.nan)[:, numbers]
        return most_usual(sizes, few.Z[:, encoded], None if weight is None else weight[rows])

    @property
    def off(self) -> Array:
        """Residuals in noise deviations; by source column in a mixed table."""
        return self.R / self.noise if self.sources is None else self.sources.off

    @property
    def counted(self) -> Array:
        """Which of these are observed."""
        return self.observed if self.sources is None else self.sources.observed

    @property
    def usual(self) -> tuple[Array, Array]:
        """Least mean and variance of `logs`, given what is observed in the row."""
        found = None if self.sources is None else self.sources.usual
        return (0.0, 0.0) if found is None else (found[0], found[1])

    @cached_property
    def logs(self) -> Array:
        """log(1 + (r / noise)^2) of every cell."""
        return _log1p((self.off**2).clip(max=FARTHEST**2))


def _log1p(x: Array) -> Array:
    return np.log1p(x) if isinstance(x, np.ndarray) else torch.log1p(x)
