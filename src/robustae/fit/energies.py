"""Energies: how unlike the model a row is, lower = more normal. One class each, for NumPy and torch alike.

An energy is a sum over cells, and for some a term of the row as a whole. It is fitted to the rows where it
needs more than residuals, and `ENERGIES` names them.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from robustae.fit.cells import Array, Cells
from robustae.solvers.objective import soft_clip_tensor
from robustae.stats.drawn import Drawn
from robustae.stats.kernel import KernelComponents, fit_kernel
from robustae.stats.neighbourhood import CLIP, FARTHEST, SAME, TINY, Neighbourhood, neighbourhood
from robustae.stats.scales import WIDE, Weight, mad_scale, quantile, some_columns
from robustae.utils.checks import InputError

__all__ = ["ENERGIES", "Energy", "Fit", "OfWholeRows", "dependence"]

FLOOR = 1e-3  # of a squared deviation in each column: distances below are rounding
LEAST, LEAST_SPREAD = 1e-9, 0.01  # of an energy; of the deviation of its logarithm
DRAWN = 500  # columns of many whose sum is not taken for Gaussian
SHARE_OF_NEAR = (0.1, 0.5)  # of neighbours, against cells: least, most
PER_STRUCTURE, PER_DEPENDENCE = 5.0, 8.0  # how fast it falls and grows
INNER, SOME = 0.9, 1000  # share and number of the rows that tell
LOW, CHANCE = 0.1, 0.15  # quantile of the distances that is compared, and how far it may differ by chance


@dataclass(frozen=True)
class Fit:
    """An energy fitted to rows, and the energies they have as unseen."""

    energy: "Energy"
    energies: np.ndarray


class Energy:
    """The energy of rows from their cells.

    Attributes
    ----------
    name : str
    power : float
        Of the energies that makes those of clean rows nearly Gaussian: 1/3 for sums of squares (Wilson and
        Hilferty 1931), 1 for sums of logarithms.
    needs_rows : bool
        It is fitted to the rows.
    of_cells : bool
        What clean rows have of it can be drawn, cell by cell.
    """

    name: ClassVar[str]
    power: ClassVar[float] = 1 / 3
    needs_rows: ClassVar[bool] = False
    of_cells: ClassVar[bool] = True

    @classmethod
    def fit(cls, cells: Cells, weight: Weight, kept: np.ndarray) -> "Fit":
        """Fit it to rows.

        Parameters
        ----------
        cells : Cells
            Of rows of the fit, residuals as if each row had been left out where the predictor can give them.
        weight : array, shape (n,), optional
        kept : array of bool, shape (n,)
            The rows nearest to the centre, at least three quarters.
        """
        energy = cls()
        return Fit(energy, energy.rows(cells))

    def cells(self, cells: Cells) -> Array:
        """What each cell (or group of the penalty) brings, shape (b, groups), 0 where missing."""
        raise NotImplementedError

    def rows(self, cells: Cells) -> Array:
        """Energies, shape (b,): sums of cells scaled by columns / observed cells."""
        return _scaled_sum(self.cells(cells), cells.observed)

    def continued(self, Z: np.ndarray, share: float) -> "Energy":
        """Return it after a batch of rows Z, a share of which takes the place of rows before."""
        return self

    def drawn(self, cells: Cells, weight: Weight, draw: Drawn) -> np.ndarray:
        """Energies of rows whose cells are drawn independently from those of the fit."""
        return draw.sums(self.cells(cells), cells.observed)

    def near_share(self, cells: Cells) -> np.ndarray:
        """What part of being odd comes from the row as a whole, not from its cells, shape (b,)."""
        return np.zeros(len(cells.R))

    def without_rows(self) -> "Energy":
        """Return one of the cells alone, that holds no row of the fit."""
        return ENERGIES["log"]()

    def shares(self, cells: Cells) -> np.ndarray:
        """Each cell's part of what the residuals bring, adding up to 1 over a row.

        The cells of a group share its part by their squares.
        """
        found = self.cells(cells)
        if found.shape not in (cells.R.shape, cells.counted.shape):
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


@dataclass(frozen=True)
class Log(Energy):
    """A = sum log(1 + (r / noise)^2), over source columns.

    Where cells are missing it is scaled in proportion; of mixed tables, whose columns differ more, it is that
    of whole rows of the same deviation, (A - m) / sqrt(v) with m and v the sums over the observed columns of
    the mean and the variance of their cells, those of levels at least what their probabilities give.

    Attributes
    ----------
    mean, variance : array, shape (s,), or None
        Of the cells' parts of A.
    """

    mean: np.ndarray | None = None
    variance: np.ndarray | None = None
    name = "log"
    power = 1.0

    @classmethod
    def fit(cls, cells: Cells, weight: Weight, kept: np.ndarray) -> "Fit":
        energy = Log() if cells.sources is None else _standardised(cells, weight)
        return Fit(energy, energy.rows(cells))

    def cells(self, cells: Cells) -> Array:
        return cells.logs

    def rows(self, cells: Cells) -> Array:
        return self._sums(self.cells(cells), cells.counted, cells.usual)

    def drawn(self, cells: Cells, weight: Weight, draw: Drawn) -> np.ndarray:
        found, counted = self.cells(cells), cells.counted
        if counted.shape[1] <= WIDE:
            return draw.sums(found, counted)
        columns = some_columns(counted.shape[1], DRAWN)
        some = draw.sums(found[:, columns], counted[:, columns])
        return some + draw.others(found, counted, columns)

    def _sums(self, found: Array, observed: Array, least: tuple[Array, Array]) -> Array:
        total = found.sum(1)
        if observed.all():
            return total
        if self.mean is None or self.variance is None:
            return _scaled_sum(found, observed)
        pairs = zip((self.mean, self.variance), least, strict=True)
        mean, variance = ((observed * np.maximum(own, one)).sum(1) for own, one in pairs)
        scaled = (total - mean) * np.sqrt(self.variance.sum() / np.maximum(variance, 1e-12))
        return np.maximum(self.mean.sum() + scaled, 0.0)

    def arrays(self) -> dict[str, np.ndarray]:
        return {} if self.mean is None else {"mean": self.mean, "variance": np.asarray(self.variance)}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Log":
        return cls(arrays.get("mean"), arrays.get("variance"))

    def graph(self) -> Any:
        return lambda cells: self.cells(cells).sum(1)


def _standardised(cells: Cells, weight: Weight) -> Log:
    """A with the mean and the variance of the cells observed, by column."""
    found, observed = Log().cells(cells), cells.counted
    w = np.ones(len(found)) if weight is None else weight
    count = np.maximum(w @ observed, 1e-9)
    mean = w @ (found * observed) / count
    return Log(mean, np.maximum(w @ (found**2 * observed) / count - mean**2, 1e-9))


@dataclass(frozen=True)
class Neighbours(Energy):
    """Mean squared distance to the nearest rows of the fit: no residual takes part in it."""

    near: Neighbourhood
    name = "neighbours"
    needs_rows = True

    @classmethod
    def fit(cls, cells: Cells, weight: Weight, kept: np.ndarray) -> "Fit":
        near = neighbourhood(cells.Z, weight, kept)
        return Fit(cls(near), _floored(near, near(cells.Z)))

    def cells(self, cells: Cells) -> Array:
        """What each cell adds to the distance from the centre, for lack of anything nearer."""
        return ((cells.Z - self.near.location) / self.near.scale) ** 2 * cells.observed

    def rows(self, cells: Cells) -> Array:
        return _floored(self.near, self.near(cells.Z))

    def near_share(self, cells: Cells) -> np.ndarray:
        return np.ones(len(cells.R))

    def drawn(self, cells: Cells, weight: Weight, draw: Drawn) -> np.ndarray:
        Z = _drawn_rows(cells, cells.off, draw, self.near)[1]
        return _floored(self.near, self.near.of_narrowed(Z))

    def continued(self, Z: np.ndarray, share: float) -> "Neighbours":
        return replace(self, near=self.near.continued(Z, share))

    def arrays(self) -> dict[str, np.ndarray]:
        return _arrays(self.near)

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Neighbours":
        return cls(Neighbourhood(**arrays))

    def graph(self) -> Any:
        near = _NeighbourGraph(self.near)
        return lambda cells: near(cells.Z) + FLOOR * near.references.shape[1]


@dataclass(frozen=True)
class Combined(Log):
    """A B^k: A the energy `Log`, B the `Neighbours` of the row.

    k makes the logarithm of B, in robust deviations over the rows of the fit, weigh half of that of A, and
    less where columns predict one another and cells err independently (`near_weight`).

    Attributes
    ----------
    near : Neighbourhood or None
    power_of_near : float
        k.
    usual : array, shape (2,)
        Medians of log A and log B over the rows of the fit.
    """

    near: Neighbourhood | None = None
    power_of_near: float = 0.0
    usual: Any = (0.0, 0.0)
    name = "combined"
    needs_rows = True

    @classmethod
    def fit(cls, cells: Cells, weight: Weight, kept: np.ndarray) -> "Fit":
        near = neighbourhood(cells.Z, weight, kept)
        alone = _standardised(cells, weight)
        A, B = alone.rows(cells) + LEAST, _floored(near, near(cells.Z))
        power = near_weight(near, cells, weight) * _spread(A, weight) / _spread(B, weight)
        usual = np.array([float(quantile(np.log(part), 0.5, weight)) for part in (A, B)])
        return Fit(cls(**vars(alone), near=near, power_of_near=power, usual=usual), A * B**power)

    def rows(self, cells: Cells) -> Array:
        return (super().rows(cells) + LEAST) * self._near(cells.Z)

    def drawn(self, cells: Cells, weight: Weight, draw: Drawn) -> np.ndarray:
        assert self.near is not None
        A, Z = _drawn_rows(cells, self.cells(cells), draw, self.near)
        return (A + LEAST) * _floored(self.near, self.near.of_narrowed(Z)) ** self.power_of_near

    def near_share(self, cells: Cells) -> np.ndarray:
        """Of what log A + k log B has above the usual."""
        A, B = super().rows(cells) + LEAST, self._near(cells.Z)
        over_A = np.maximum(np.log(A) - self.usual[0], 0.0)
        over_B = np.maximum(np.log(B) - self.power_of_near * self.usual[1], 0.0)
        return over_B / np.maximum(over_A + over_B, LEAST)

    def _near(self, Z: np.ndarray) -> np.ndarray:
        assert self.near is not None
        return _floored(self.near, self.near(Z)) ** self.power_of_near

    def continued(self, Z: np.ndarray, share: float) -> "Combined":
        assert self.near is not None
        return replace(self, near=self.near.continued(Z, share))

    def without_rows(self) -> Energy:
        return Log(self.mean, self.variance)

    def arrays(self) -> dict[str, np.ndarray]:
        assert self.near is not None
        own = {"power_of_near": np.array(self.power_of_near), "usual": np.asarray(self.usual)}
        return _arrays(self.near) | super().arrays() | own

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Combined":
        near = Neighbourhood(*(arrays[name] for name in ("location", "scale", "references")))
        if arrays["usual"].shape != (2,):
            raise ValueError("the usual energies are no two")
        return cls(arrays["mean"], arrays["variance"], near, float(arrays["power_of_near"]), arrays["usual"])

    def graph(self) -> Any:
        return _CombinedGraph(self)


@dataclass(frozen=True)
class OfWholeRows(Energy):
    """What components in a kernel's feature space leave of a row, as a whole: `stats.kernel`."""

    components: KernelComponents
    name = "kernel"
    power = 0.02  # nearly the logarithm: the upper tail is that of a lognormal
    needs_rows = True
    of_cells = False

    @classmethod
    def fit(cls, cells: Cells, weight: Weight, kept: np.ndarray) -> "Fit":
        energy = cls(fit_kernel(cells.Z, weight, clean=bool(kept.all())))
        return Fit(energy, energy.rows(cells))

    def cells(self, cells: Cells) -> Array:
        """The squared residuals, for lack of parts of its own."""
        return cells.R * cells.R

    def rows(self, cells: Cells) -> Array:
        return self.components.energies(cells.Z, None if cells.observed.all() else cells.observed)

    def continued(self, Z: np.ndarray, share: float) -> "OfWholeRows":
        return OfWholeRows(self.components.continued(Z, share))

    def arrays(self) -> dict[str, np.ndarray]:
        return self.components.arrays()

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "OfWholeRows":
        return cls(KernelComponents.of(arrays))

    def graph(self) -> Any:
        raise InputError("energy='kernel' cannot be exported: fit with another energy, energy='squared' say.")


class _NeighbourGraph(nn.Module):
    """A `Neighbourhood` on tensors."""

    location: Tensor
    scale: Tensor
    references: Tensor

    def __init__(self, near: Neighbourhood):
        super().__init__()
        self.count = near.count
        self.columns = None if len(near.columns) == len(near.location) else near.columns.tolist()
        for name, values in _arrays(near).items():
            self.register_buffer(name, torch.as_tensor(near.narrowed(values), dtype=torch.float64))

    def forward(self, Z: Tensor) -> Tensor:
        Z = Z if self.columns is None else Z[:, self.columns]
        Y = soft_clip_tensor(((Z - self.location) / self.scale).clip(-FARTHEST, FARTHEST), CLIP)
        size = (Y * Y).sum(1)
        squares = size[:, None] + (self.references**2).sum(1) - 2 * Y @ self.references.T
        near = torch.topk(squares, self.count + 1, dim=1, largest=False).values
        others, farthest = (near.sum(1) - near[:, 0]) / self.count, near[:, -1]
        itself = near[:, 0] <= SAME * others + TINY * (1 + size)
        return torch.where(itself, others, (near.sum(1) - farthest) / self.count).clamp_min(0)


class _CombinedGraph(nn.Module):
    """`Combined` on tensors, of whole rows."""

    def __init__(self, energy: Combined):
        super().__init__()
        assert energy.near is not None
        self.near, self.power = _NeighbourGraph(energy.near), energy.power_of_near

    def forward(self, cells: Cells) -> Tensor:
        B = self.near(cells.Z) + FLOOR * self.near.references.shape[1]
        return (Log().cells(cells).sum(1) + LEAST) * B**self.power


def near_weight(near: Neighbourhood, cells: Cells, weight: Weight) -> float:
    """Return how much the distance to neighbours counts, against the cells.

    Where columns predict one another (the logarithm of their spread over that of residuals, on average) cells
    tell more, if there are rows enough to tell, but where cells err together, neighbours do.
    """
    least, most = SHARE_OF_NEAR
    enough = len(cells.R) > cells.R.shape[1]
    cells, weight = _inner(cells, weight)
    spread, left = (np.maximum(mad_scale(part, weight, 0.0), LEAST) for part in (cells.Z, cells.R))
    structure = float(np.maximum(np.log(spread / left), 0.0).mean()) if enough else 0.0
    together = max(_dependence(near, cells, weight) - CHANCE, 0.0)
    found = least + (most - least) / (1 + PER_STRUCTURE * structure)
    return min(found + PER_DEPENDENCE * together, most)


def dependence(near: Neighbourhood, cells: Cells, weight: Weight) -> float:
    """Tell how far what is left of cells depends on one another.

    Rows, the tenth farthest off apart, against as many drawn ones, their reconstructions with cells that err
    independently: by how much the logarithm of the distance to the nearest rows is larger for these, at the
    tenth quantile. It is about 0 where cells err independently, and more near clusters and bent shapes.
    """
    return _dependence(near, *_inner(cells, weight))


def _dependence(near: Neighbourhood, cells: Cells, weight: Weight) -> float:
    energy, count = Neighbours(near), len(cells.R)
    drawn = energy.drawn(cells, weight, Drawn(count, weight, np.zeros(count, bool), SOME))
    return float(np.log(quantile(drawn, LOW) / quantile(energy.rows(cells), LOW, weight)))


def _inner(cells: Cells, weight: Weight) -> tuple[Cells, Weight]:
    """Some rows, without those farthest off."""
    sums = cells.logs.sum(1)
    rows = np.flatnonzero(sums <= quantile(sums, INNER, weight))
    rows = rows[:: max(1, len(rows) // SOME)]
    return cells.of(rows), None if weight is None else weight[rows]


def _floored(near: Neighbourhood, distances: np.ndarray) -> np.ndarray:
    """Distances of rows that lie on rows of the fit are rounding: a small share of a deviation is added."""
    return distances + FLOOR * len(near.columns)


def _spread(energies: np.ndarray, weight: Weight) -> float:
    return max(float(mad_scale(np.log(energies), weight)), LEAST_SPREAD)


def _arrays(near: Neighbourhood) -> dict[str, np.ndarray]:
    return {one.name: getattr(near, one.name) for one in fields(near)}


def _drawn_rows(
    cells: Cells, found: np.ndarray, draw: Drawn, near: Neighbourhood
) -> tuple[np.ndarray, np.ndarray]:
    """Return sums of `found` drawn independently, and narrowed reconstructions with residuals drawn alike.

    Levels and texts have no residuals to be added: they stay those of the row that is reconstructed.
    """
    d = cells.R.shape[1]
    encoded = np.arange(d) if cells.sources is None else np.asarray(cells.sources.encoded)
    place = np.full(d + 1, -1)  # among those that are looked at; the last is that of no column
    place[near.columns] = np.arange(len(near.columns))
    moved = np.isin(near.columns, encoded)
    R = np.where(moved, near.narrowed(cells.R), 0.0)
    Z = (near.narrowed(cells.Z) - R)[draw.rows()]
    Z, R, by_column = (np.asfortranarray(part) for part in (Z, R, found))  # each column is read by itself
    total = np.zeros(len(Z))
    drawn = np.flatnonzero((place[encoded] >= 0) | (len(near.columns) == d))
    for k, rows in zip(drawn, draw.columns(cells.counted[:, drawn]), strict=True):
        if (j := place[encoded[k]]) >= 0:
            Z[:, j] += R[:, j][rows]
        total += by_column[:, k][rows]
    return total + draw.others(found, cells.counted, drawn), Z


ENERGIES: dict[str, type[Energy]] = {
    kind.name: kind for kind in (Envelope, Squared, Log, Combined, Neighbours, OfWholeRows)
}
