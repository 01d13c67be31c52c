"""Energies: how unlike the model a row is, lower = more normal. One class each, for NumPy and torch alike.

An energy is a sum over cells, and for some a term of the row as a whole. It is fitted to the rows where it
needs more than residuals, and `ENERGIES` names them.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from robustae.penalties import Penalty
from robustae.stats.distances import (
    NEIGHBOUR,
    SELF,
    TINY,
    RobustDistance,
    RowDistances,
    robust_distance,
    row_distances,
)
from robustae.stats.scales import Weight, some_rows

__all__ = ["ENERGIES", "Cells", "Energy"]

Array = Any  # a NumPy array or a torch tensor
SOME = 5000  # rows are enough for a covariance


@dataclass(frozen=True)
class Cells:
    """What an energy is computed from: b rows on the model's scale.

    Attributes
    ----------
    R : array or tensor, shape (b, d)
        Residuals, 0 where missing.
    Z : array or tensor, shape (b, d)
        What the encoder gets: soft-clipped, the column's location where missing.
    observed : array or tensor of bool, shape (b, d)
    noise : array or tensor, shape (d,)
    penalty : Penalty
        Of the rows kept.
    lam : float or array, shape (d,)
    """

    R: Array
    Z: Array
    observed: Array
    noise: Array
    penalty: Penalty
    lam: Any


class Energy:
    """The energy of rows from their cells.

    Attributes
    ----------
    name : str
    power : float
        Of the energies that makes those of clean rows nearly Gaussian: 1/3 for sums of squares (Wilson and
        Hilferty 1931), 1 for sums of logarithms.
    by_source : bool
        In a mixed table it is summed over source columns.
    """

    name: ClassVar[str]
    power: ClassVar[float] = 1 / 3
    by_source: ClassVar[bool] = False

    @classmethod
    def fit(cls, Z: np.ndarray, weight: Weight, clean: bool) -> "Energy":
        """Return it fitted to rows as the encoder gets them, shape (n, d)."""
        return cls()

    def cells(self, cells: Cells) -> Array:
        """What each cell (or group of the penalty) brings, shape (b, groups), 0 where missing."""
        raise NotImplementedError

    def rows(self, cells: Cells) -> Array:
        """Energies, shape (b,): sums of cells scaled by columns / observed cells."""
        return _scaled_sum(self.cells(cells), cells.observed)

    def unseen(self, cells: Cells) -> Array | None:
        """Energies of rows of the fit as if each had been left out; None where that makes no difference."""
        return None

    def shares(self, cells: Cells) -> np.ndarray:
        """Each cell's part of what the residuals bring, adding up to 1 over a row.

        The cells of a group share its part by their squares.
        """
        found = self.cells(cells)
        if found.shape != cells.R.shape:
            found = cells.R**2
        return found / np.maximum(found.sum(1, keepdims=True), np.finfo(float).tiny)

    def arrays(self) -> dict[str, np.ndarray]:
        """What was fitted, by name."""
        return {}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Energy":
        """Undo `arrays`."""
        return cls()

    def graph(self) -> Any:
        """Return what computes `rows` from tensors, for ONNX."""
        return self.rows


def _scaled_sum(found: Array, observed: Array) -> Array:
    counts = observed.sum(1)
    counts = counts.clip(1) if isinstance(counts, np.ndarray) else counts.clamp_min(1)
    return found.sum(1) * (observed.shape[1] / counts)


def _log1p(x: Array) -> Array:
    return np.log1p(x) if isinstance(x, np.ndarray) else torch.log1p(x)


class Squared(Energy):
    """sum r^2."""

    name = "squared"

    def cells(self, cells: Cells) -> Array:
        return cells.R * cells.R


class Envelope(Energy):
    """The penalty's envelope: what the row adds to J."""

    name = "envelope"

    def cells(self, cells: Cells) -> Array:
        return cells.penalty.envelope(cells.R, cells.lam)


class Log(Energy):
    """sum log(1 + (r / noise)^2)."""

    name = "log"
    power = 1.0
    by_source = True

    def cells(self, cells: Cells) -> Array:
        return _log1p((cells.R / cells.noise) ** 2)


@dataclass(frozen=True)
class Combined(Log):
    """`Log` plus d log(1 + d2 / median d2), d2 the robust distance of the row."""

    distance: RobustDistance
    name = "combined"
    power = 1 / 3
    by_source = False

    @classmethod
    def fit(cls, Z: np.ndarray, weight: Weight, clean: bool) -> "Combined":
        return cls(robust_distance(*_some(Z, weight)))

    def rows(self, cells: Cells) -> Array:
        return super().rows(cells) + cells.R.shape[1] * _log1p(self.distance(cells.Z))

    def arrays(self) -> dict[str, np.ndarray]:
        return vars(self.distance)

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Combined":
        return cls(RobustDistance(**arrays))

    def graph(self) -> Any:
        values = {name: torch.as_tensor(array) for name, array in vars(self.distance).items()}
        return replace(self, distance=RobustDistance(**values)).rows


@dataclass(frozen=True)
class Distances(Log):
    """Each cell alone, each from all others, and the nearest rows, whatever the predictor."""

    distance: RowDistances
    name = "distances"
    power = 1 / 3
    by_source = False

    @classmethod
    def fit(cls, Z: np.ndarray, weight: Weight, clean: bool) -> "Distances":
        return cls(row_distances(*_some(Z, weight), clean))

    def rows(self, cells: Cells) -> Array:
        return self.distance(cells.Z, cells.observed)

    def unseen(self, cells: Cells) -> Array | None:
        return self.distance.as_unseen(cells.Z, cells.observed) if self.distance.leaning else None

    def arrays(self) -> dict[str, np.ndarray]:
        return vars(self.distance)

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Distances":
        return cls(RowDistances(**arrays))

    def graph(self) -> Any:
        return _DistanceGraph(self.distance)


class _DistanceGraph(nn.Module):
    """`Distances` on tensors."""

    centre: Tensor
    scale: Tensor
    location: Tensor
    others: Tensor
    others_scale: Tensor
    references: Tensor
    middle: Tensor
    spread: Tensor

    def __init__(self, distances: RowDistances):
        super().__init__()
        for name, values in vars(distances).items():
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float64))

    def forward(self, cells: Cells) -> Tensor:
        Z = cells.Z
        observed = cells.observed.to(Z.dtype)
        share = Z.shape[1] / observed.sum(1)
        deviations = (Z - self.centre) / self.scale, (Z - self.location) @ self.others / self.others_scale
        parts = [(torch.log1p(one**2) * observed).sum(1) * share for one in deviations]
        logs = torch.log(torch.stack([*parts, self._nearest(Z)], 1) + TINY)
        return torch.exp(((logs - self.middle) / self.spread).mean(1))

    def _nearest(self, Z: Tensor) -> Tensor:
        last = min(NEIGHBOUR, len(self.references) - 1)
        squares = (Z * Z).sum(1, keepdim=True) + (self.references**2).sum(1) - 2 * Z @ self.references.T
        near = torch.topk(squares, last + 1, dim=1, largest=False).values.clamp_min(0).sqrt()
        floor = SELF * torch.sqrt(Z.shape[1] + (Z * Z).sum(1))
        return torch.where(near[:, 0] < floor, near[:, last], near[:, max(last - 1, 0)])


def _some(Z: np.ndarray, weight: Weight) -> tuple[np.ndarray, Weight]:
    Z, weight = some_rows(Z, weight, SOME)
    return Z.astype(np.float64), None if weight is None else weight.astype(np.float64)


ENERGIES: dict[str, type[Energy]] = {
    kind.name: kind for kind in (Envelope, Squared, Log, Combined, Distances)
}
