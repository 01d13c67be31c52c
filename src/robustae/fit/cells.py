"""Cells of rows as energies are computed from them, for NumPy and torch alike."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from robustae.penalties import Penalty
from robustae.stats.neighbourhood import FARTHEST

__all__ = ["Array", "Cells", "SourceCells"]

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
    """

    off: Array
    observed: Array
    encoded: np.ndarray


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

    @property
    def off(self) -> Array:
        """Residuals in noise deviations; by source column in a mixed table."""
        return self.R / self.noise if self.sources is None else self.sources.off

    @property
    def counted(self) -> Array:
        """Which of these are observed."""
        return self.observed if self.sources is None else self.sources.observed

    @cached_property
    def logs(self) -> Array:
        """log(1 + (r / noise)^2) of every cell."""
        return _log1p((self.off**2).clip(max=FARTHEST**2))


def _log1p(x: Array) -> Array:
    return np.log1p(x) if isinstance(x, np.ndarray) else torch.log1p(x)
