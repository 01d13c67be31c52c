"""J(theta): the objective with N put back, a smooth function of the predictor's weights alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from robustae.penalties import L1, NoPenalty, Penalty
from robustae.predictors import omega
from robustae.scaling import Scaling

__all__ = ["CLIP", "Problem", "prepare", "soft_clip", "soft_clip_tensor"]

CLIP = 4.0  # deviations up to which the encoder sees a cell as it is
FAR = 1e3  # deviations at which a cell is a gross outlier for any predictor
BLOCK_CELLS = 2**18  # cells worked on at a time: what the processor's cache holds


def soft_clip(Z: Any, clip: float | None) -> Any:
    """Pull cells beyond `clip` deviations in: clip + log(1 + excess), sign kept.

    It bounds what one wild cell does through the encoder; the residual sees X itself.
    """
    if clip is None or not (abs(Z) > clip).any():
        return Z
    if isinstance(Z, np.ndarray):
        return soft_clip_tensor(torch.from_numpy(Z), clip).numpy()
    return soft_clip_tensor(Z, clip)


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
        Scaled X, 0 where missing.
    inputs : Tensor, shape (n, d)
        What the encoder sees: `target` soft-clipped (the same tensor where nothing is clipped).
    observed : Tensor of bool, shape (n, d), or None
        None when no cell is missing.
    weight : Tensor, shape (n,), or None
        Row weights: w counts like w copies of the row.
    excess : array, shape (d,), or None
        What `near` took off the cells of each column, weighted.
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
    def total_weight(self) -> float:
        """Rows, counted by their weights."""
        return float(len(self.target)) if self.weight is None else float(self.weight.sum())

    def having(self, **changes: Any) -> "Problem":
        """Return a copy with some attributes replaced."""
        return replace(self, **changes)

    def near(self) -> "Problem":
        """Bring cells beyond `FAR` deviations in to it, where the l1 envelope is a straight line anyway.

        The gradient stays what it is and J falls by the constant `beyond`, in whose digits all else
        would be lost. X itself is never clipped: N and the energies are those of X.
        """
        low, high = (float(end) for end in self.target.aminmax())
        if not isinstance(self.penalty, L1) or max(-low, high) <= FAR:
            return self
        weight = (
            torch.ones(len(self.target), 1).to(self.target) if self.weight is None else self.weight[:, None]
        )
        excess = ((self.target.abs() - FAR).clip(0, None).double() * weight).sum(0)
        return self.having(target=self.target.clip(-FAR, FAR), excess=excess.cpu().numpy())

    @property
    def beyond(self) -> float:
        """What is to be added to J for the cells that `near` brought in."""
        return 0.0 if self.excess is None else float((self.lam * self.excess).sum())

    def blocks(self, cells: int = BLOCK_CELLS) -> Iterator[slice]:
        """Slices of rows of about `cells` cells."""
        n, d = self.shape
        step = max(1, cells // d)
        return (slice(start, start + step) for start in range(0, n, step))

    def residual(self, module: nn.Module, rows: Any = slice(None)) -> Tensor:
        """R = X - Xhat on `rows`, 0 where a cell is missing."""
        R = self.target[rows] - module(self.inputs[rows])
        return R if self.observed is None else R * self.observed[rows]

    def loss(self, module: nn.Module, rows: Any) -> Tensor:
        """Sum over `rows` of the weighted envelopes, without Omega; differentiable."""
        if self.weight is None and self.observed is None and np.ndim(self.lam) == 0:
            fused = self._fused(module(self.inputs[rows]), self.target[rows])
            if fused is not None:
                return fused
        weight = None if self.weight is None else self.weight[rows]
        loss: Any = _Envelope.apply(self.residual(module, rows), self.penalty, self.lam, weight)
        return loss

    def _fused(self, Xhat: Tensor, X: Tensor) -> Tensor | None:
        """The l1 envelope is twice the Huber loss: one pass in torch's own kernel."""
        if isinstance(self.penalty, NoPenalty) or (isinstance(self.penalty, L1) and math.isinf(self.lam)):
            return functional.mse_loss(Xhat, X, reduction="sum")
        if isinstance(self.penalty, L1):
            return 2 * functional.huber_loss(Xhat, X, reduction="sum", delta=self.lam / 2)
        return None

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

    @torch.no_grad()
    def value(self, module: nn.Module) -> float:
        """Return J."""
        return float(self.mu / 2 * omega(module)) + sum(
            self.loss(module, rows).item() for rows in self.blocks()
        )

    @torch.no_grad()
    def residuals(self, module: nn.Module, at_most: int | None = None) -> tuple[np.ndarray, Any]:
        """Residuals, NaN where missing, and row weights, of all rows or of `at_most` evenly spread ones."""
        n = len(self.target)
        rows = np.linspace(0, n - 1, min(n, at_most or n)).astype(int)
        R = np.concatenate(
            [self.residual(module, part).cpu().numpy() for part in _parts(rows, self.shape[1])]
        )
        if self.observed is not None:
            R[~self.observed[rows].cpu().numpy()] = np.nan
        return R, None if self.weight is None else self.weight[rows].cpu().numpy().astype(np.float64)

    @torch.no_grad()
    def energies(self, module: nn.Module) -> np.ndarray:
        """Envelope of every row, without its weight."""
        parts = [
            self.penalty.envelope(self.residual(module, rows), self.lam).sum(1) for rows in self.blocks()
        ]
        return torch.cat(parts).cpu().numpy().astype(np.float64)


def _parts(rows: np.ndarray, d: int) -> list[np.ndarray]:
    return np.array_split(rows, max(1, len(rows) * d // BLOCK_CELLS))


def prepare(X: np.ndarray, scaling: Scaling, clip: float | None, dtype: torch.dtype) -> tuple[Any, Any, Any]:
    """Scale X in float64, block by block, and cast: (target, inputs, observed) for a `Problem`."""
    n, d = X.shape
    target = torch.empty((n, d), dtype=dtype)
    missing = X.dtype.kind == "f" and bool(np.isnan(X).any())
    observed = torch.empty((n, d), dtype=torch.bool) if missing else None
    step = max(1, BLOCK_CELLS // d)
    largest = 0.0
    for start in range(0, n, step):
        rows = slice(start, start + step)
        Z = scaling.transform(X[rows].astype(np.float64))
        if observed is not None:
            observed[rows] = torch.from_numpy(~np.isnan(Z))
            Z = np.nan_to_num(Z, copy=False, nan=0.0)
        largest = max(largest, Z.max(), -Z.min())
        target[rows] = torch.from_numpy(Z)
    inputs = soft_clip(target, clip) if clip is not None and largest > clip else target
    return target, inputs, observed
