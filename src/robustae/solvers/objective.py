"""J(theta): the objective with N put back, a smooth function of the predictor's weights alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustae.penalties import Penalty
from robustae.predictors import omega, predicted
from robustae.stats.scales import evenly
from robustae.stats.scaling import Scaling

__all__ = [
    "CLIP",
    "FAR",
    "Preprocessing",
    "Problem",
    "prepare",
    "row_blocks",
    "soft_clip",
    "soft_clip_tensor",
]

CLIP = 4.0  # deviations up to which the encoder sees a cell as it is
FAR = 1e3  # deviations at which a cell is a gross outlier for any predictor
SQUARES_FIT = 1e15  # cells up to this may be squared and summed in float32
BLOCK_CELLS = 2**18  # cells worked on at a time: what the processor's cache holds


def soft_clip(Z: Any, clip: float | None) -> Any:
    """Pull cells beyond `clip` deviations in: clip + log(1 + excess), sign kept.

    It bounds what one wild cell does through the encoder; the residual sees X itself.
    """
    if clip is None:
        return Z
    beyond = abs(Z) > clip
    if not beyond.any():
        return Z
    if not isinstance(Z, np.ndarray):
        return soft_clip_tensor(Z, clip)
    out = Z.copy()
    out[beyond] = soft_clip_tensor(torch.from_numpy(Z[beyond]), clip).numpy()  # few cells, as a rule
    return out


def soft_clip_tensor(Z: Tensor, clip: float) -> Tensor:
    """`soft_clip`, without looking whether there is anything to clip."""
    kept = Z.clip(-clip, clip)
    return kept + torch.sign(Z) * torch.log1p((Z - kept).abs())


class _Envelope(torch.autograd.Function):
    """Sum over rows of weight * envelope(R); the gradient 2 (R - N) is exact where autograd meets kinks."""

    @staticmethod
    def forward(ctx: Any, R: Tensor, penalty: Penalty, lam: Any, weight: Tensor | None) -> Tensor:
        pull = penalty.pull(R, lam)
        energies = penalty.envelope(R, lam).sum(1)
        ctx.save_for_backward(pull if weight is None else pull * weight[:, None])
        return energies.sum() if weight is None else energies @ weight

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (pull,) = ctx.saved_tensors
        return 2 * grads[0] * pull, None, None, None


@dataclass(frozen=True)
class Problem:
    """All that defines J: data on the model's scale, penalty, lam and mu.

    Attributes
    ----------
    target : Tensor, shape (n, d)
        Scaled X, the column's location where missing.
    inputs : Tensor, shape (n, d)
        What the encoder sees: `target` soft-clipped (the same tensor where nothing is clipped).
    observed : Tensor of bool, shape (n, d), or None
        None when no cell is missing.
    weight : Tensor, shape (n,), or None
        Row weights: w counts like w copies of the row.
    excess : array, shape (d,), or None
        What `prepare` took off the cells of each column that lie beyond `far`, weighted.
    """

    target: Tensor
    inputs: Tensor
    observed: Tensor | None
    weight: Tensor | None
    penalty: Penalty
    lam: Any
    mu: float
    excess: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.target.shape[0], self.target.shape[1]

    @property
    def distinct_rows(self) -> int:
        """Rows that take part, equal ones counted once."""
        return len(self.target) if self.weight is None else int((self.weight > 0).sum())

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """Numbers of the rows that take part, in a fresh order."""
        if self.weight is None:
            return torch.randperm(len(self.target), generator=generator)
        some = torch.nonzero(self.weight > 0).ravel().cpu()
        return some[torch.randperm(len(some), generator=generator)]

    @property
    def total_weight(self) -> float:
        """Rows, counted by their weights."""
        return float(len(self.target)) if self.weight is None else float(self.weight.sum())

    def having(self, **changes: Any) -> "Problem":
        """Return a copy with some attributes replaced."""
        return replace(self, **changes)

    @property
    def beyond(self) -> float:
        """What is to be added to J for the cells that were brought in."""
        return 0.0 if self.excess is None else float((self.lam * self.excess).sum())

    def blocks(self) -> Iterator[slice]:
        """Slices of rows that the processor's cache holds."""
        return row_blocks(*self.shape)

    def residual(self, module: nn.Module, rows: Any = slice(None)) -> Tensor:
        """R = X - Xhat on `rows`, 0 where a cell is missing."""
        observed = None if self.observed is None else self.observed[rows]
        R = self.target[rows] - predicted(module, self.inputs[rows], observed)
        return R if observed is None else R * observed

    def loss(self, module: nn.Module, rows: Any) -> Tensor:
        """Sum over `rows` of the weighted envelopes, without Omega; differentiable."""
        if self.observed is None and np.ndim(self.lam) == 0 and self._alike(rows):
            fused = self.penalty.fused_loss(module(self.inputs[rows]), self.target[rows], self.lam)
            if fused is not None:
                return fused
        weight = None if self.weight is None else self.weight[rows]
        loss: Any = _Envelope.apply(self.residual(module, rows), self.penalty, self.lam, weight)
        return loss

    def _alike(self, rows: Any) -> bool:
        return self.weight is None or bool((self.weight[rows] == 1).all())

    def value_and_gradient(self, module: nn.Module) -> float:
        """Return J and leave its gradient in the parameters' `.grad`."""
        module.zero_grad(set_to_none=True)
        regulariser = self.mu / 2 * omega(module)
        total = float(regulariser.detach()) if isinstance(regulariser, Tensor) else 0.0
        if isinstance(regulariser, Tensor):
            regulariser.backward()
        for rows in self.blocks():
            loss = self.loss(module, rows)
            loss.backward()
            total += loss.item()
        return total

    def value(self, module: nn.Module) -> float:
        """Return J."""
        with _evaluating(module):
            losses = [self.loss(module, rows).item() for rows in self.blocks()]
            return float(self.mu / 2 * omega(module)) + sum(losses)

    def spread_rows(self, at_most: int | None = None) -> np.ndarray:
        """Numbers of all rows, or of `at_most` evenly spread ones."""
        n = len(self.target)
        return evenly(n, at_most or n)

    def residuals(self, module: nn.Module, at_most: int | None = None) -> tuple[np.ndarray, Any]:
        """Residuals, NaN where missing, and row weights, of all rows or of `at_most` evenly spread ones."""
        rows = self.spread_rows(at_most)
        with _evaluating(module):
            parts = [self.residual(module, part).cpu().numpy() for part in _parts(rows, self.shape[1])]
        R = np.concatenate(parts)
        if self.observed is not None:
            R[~self.observed[rows].cpu().numpy()] = np.nan
        return R, None if self.weight is None else self.weight[rows].cpu().numpy().astype(np.float64)

    def energies(self, module: nn.Module) -> np.ndarray:
        """Envelope of every row, without its weight."""
        with _evaluating(module):
            residuals = (self.residual(module, rows) for rows in self.blocks())
            parts = [self.penalty.envelope(R, self.lam).sum(1) for R in residuals]
        return torch.cat(parts).cpu().numpy().astype(np.float64)


def _parts(rows: np.ndarray, d: int) -> list[np.ndarray]:
    return np.array_split(rows, max(1, len(rows) * d // BLOCK_CELLS))


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Use a module without training it: no gradients, no dropout, no running statistics."""
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(training)


@dataclass(frozen=True)
class Preprocessing:
    """How rows are brought on the model's scale.

    Attributes
    ----------
    scaling : Scaling
    fill : array, shape (d,)
        What a missing cell counts as, in the model's units.
    clip : float or None
        Deviations beyond which the encoder's input is soft-clipped.
    far : float
        Deviations at which cells are brought in; inf for none.
    """

    scaling: Scaling
    fill: np.ndarray
    clip: float | None
    far: float


@dataclass
class Prepared:
    """Rows on the model's scale: the parts of a `Problem` that come from X."""

    target: Tensor
    inputs: Tensor
    observed: Tensor | None
    excess: np.ndarray | None


def prepare(
    X: np.ndarray, weight: np.ndarray | None, preprocessing: Preprocessing, dtype: torch.dtype
) -> Prepared:
    """Scale X, NaN where missing, in float64, block by block, and cast.

    Cells beyond `far` deviations are brought in to it: the l1 envelope is a straight line there, so
    the gradient stays what it is and J falls by lam times `excess`, in whose digits all else would be
    lost. X itself is never clipped: N and the energies are those of X. Where squares of the largest
    cell would overflow, float32 becomes float64.
    """
    n, d = X.shape
    parts = Prepared(torch.empty((n, d), dtype=dtype), torch.empty(0), None, None)
    if X.dtype.kind == "f" and np.isnan(X).any():
        parts.observed = torch.empty((n, d), dtype=torch.bool)
    largest = 0.0
    for rows in row_blocks(n, d):
        Z = _scaled(X[rows], parts, rows, preprocessing)
        most = max(Z.max(), -Z.min())
        if most > preprocessing.far:
            beyond = np.maximum(np.abs(Z) - preprocessing.far, 0.0)
            taken = beyond.sum(0) if weight is None else weight[rows] @ beyond
            parts.excess = taken if parts.excess is None else parts.excess + taken
            most, Z = preprocessing.far, Z.clip(-preprocessing.far, preprocessing.far)
        if most > SQUARES_FIT:
            parts.target = parts.target.double()
        largest = max(largest, most)
        parts.target[rows] = torch.from_numpy(Z)
    clipped = preprocessing.clip is not None and largest > preprocessing.clip
    parts.inputs = soft_clip(parts.target, preprocessing.clip) if clipped else parts.target
    return parts


def _scaled(X: np.ndarray, parts: Prepared, rows: slice, preprocessing: Preprocessing) -> np.ndarray:
    """Scaled rows, missing cells filled and noted in `parts.observed`."""
    Z = preprocessing.scaling.transform(X.astype(np.float64))
    if parts.observed is None:
        return Z
    missing = np.isnan(Z)
    parts.observed[rows] = torch.from_numpy(~missing)
    return np.where(missing, preprocessing.fill, Z)


def row_blocks(n: int, d: int, cells: int = BLOCK_CELLS) -> Iterator[slice]:
    """Slices of n rows of about `cells` cells each."""
    step = max(1, cells // d)
    return (slice(start, min(start + step, n)) for start in range(0, n, step))
