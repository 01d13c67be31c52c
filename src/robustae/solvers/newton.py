"""The constant predictor, exactly: the Huber M-estimate of location of every column (Huber 1964)."""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from robustae.predictors import Traits
from robustae.solvers.base import Budget, Result, iterate
from robustae.solvers.objective import Problem

__all__ = ["Newton"]

EXACT = "converged: the column-wise M-estimate of location is exact."


@dataclass(frozen=True)
class Newton:
    """Safeguarded Newton steps on b, all columns at once.

    J is piecewise quadratic and convex in every b_j: with c = clip(r, -lam/2, lam/2) its slope is
    -2 sum c and its curvature 2 (number of cells not clipped). A step that leaves the bracket given
    by the slopes seen so far becomes a secant, so every column ends, in about four steps, at its exact
    minimum; columns that have ended are not updated again.
    """

    exact, by_batches, float64 = True, False, False

    @staticmethod
    def suits(traits: Traits, problem: Problem) -> bool:
        """A constant, and a penalty that splits into cells and leaves every row in."""
        return traits.constant and problem.penalty.by_cell

    def most(self, budget: Budget, n: int) -> int:
        """Iterations at most."""
        return budget.iterations(default=100)

    def batch(self, budget: Budget, n: int) -> int:
        """All n rows in every step."""
        return n

    def solve(self, problem: Problem, module: nn.Module, budget: Budget, seed: int = 0) -> Result:
        """Minimise J over the constant; `history` holds the end alone, which is exact to rounding."""
        at_most = self.most(budget, problem.shape[0])
        columns = _Columns(problem, module, watched=budget.callback is not None)
        result = iterate(columns, math.nan, at_most if columns.open else 0, budget)
        if not columns.open and not result.interrupted:
            result.status = EXACT
        return replace(result, before=result.n_iter, history=[problem.value(module)])


class _Columns:
    """b, and the columns whose b is still open: their data, limits and brackets."""

    unit = "iterations"
    stopped = "stopped after {} iterations; a larger max_iter may fit better."

    def __init__(self, problem: Problem, module: Any, watched: bool):
        self.problem, self.module, self.watched = problem, module, watched
        b: Tensor = module.b.data
        self.b = b.clone()
        self.weight = problem.weight
        self.data: dict[str, Any] = {
            "X": problem.target,
            "observed": problem.observed,
            "lam": torch.as_tensor(problem.lam, dtype=b.dtype, device=b.device).expand(len(b)),
            "low": torch.full_like(b, -torch.inf),
            "high": torch.full_like(b, torch.inf),
            "slope_low": torch.zeros_like(b),
            "slope_high": torch.zeros_like(b),
            "where": torch.arange(len(b), device=b.device),
        }

    def step(self) -> float:
        self.advance()
        self.module.b.data = self.b
        return self.problem.value(self.module) if self.watched else math.nan

    def terminate(self, history: list[float], budget: Budget) -> str | None:
        return None if self.open else EXACT

    def finish(self) -> None:
        """Every step leaves the module as it should be."""

    @property
    def open(self) -> int:
        return len(self.data["where"])

    def advance(self) -> None:
        where = self.data["where"]
        b = self.b[where]
        slope, curvature = self._slope_and_curvature(b)
        self._narrow(b, slope)
        step = self._target(b, slope, curvature) - b
        step[slope == 0] = 0
        self.b[where] = b + step
        self._keep_open(step.abs() > self._rounding(b))

    def _narrow(self, b: Tensor, slope: Tensor) -> None:
        """Move an end of the bracket to b; the other end's slope is halved (Illinois rule)."""
        data = self.data
        for end, other, here in (("low", "high", slope > 0), ("high", "low", slope < 0)):
            data[end] = torch.where(here, b, data[end])
            data[f"slope_{end}"] = torch.where(here, slope, data[f"slope_{end}"])
            data[f"slope_{other}"] = torch.where(here, data[f"slope_{other}"] / 2, data[f"slope_{other}"])

    def _target(self, b: Tensor, slope: Tensor, curvature: Tensor) -> Tensor:
        """Newton's step where it stays in the bracket, else the secant's.

        The minimum lies within lam/2 of the median, where b starts: no longer step is ever needed.
        """
        low, high = self.data["low"], self.data["high"]
        half = self.data["lam"] / 2
        newton = b + (slope / curvature.clip(1e-30, None)).clip(-half, half)
        inside = (newton > low) & (newton < high) | torch.isinf(low) | torch.isinf(high)
        share = self.data["slope_low"] / (self.data["slope_low"] - self.data["slope_high"])
        return torch.where(inside, newton, low + (high - low) * share)

    def _rounding(self, b: Tensor) -> Tensor:
        """Steps below this are rounding: against b itself, and 1e-9 (float32: 1e-4) of lam."""
        eps = torch.finfo(b.dtype).eps
        lam = torch.nan_to_num(self.data["lam"], posinf=0.0)
        return 4 * eps * b.abs() + lam * max(1e-9, 1e3 * eps)

    def _keep_open(self, still: Tensor) -> None:
        # Copying the open columns pays once few are left; a closed column updated again stays put.
        if int(still.sum()) > len(still) // 2:
            return
        self.data = {
            name: None if values is None else values[..., still].contiguous()
            for name, values in self.data.items()
        }

    def _slope_and_curvature(self, b: Tensor) -> tuple[Tensor, Tensor]:
        """Minus half of J's slope, and half of its curvature, by column."""
        X, observed, half = self.data["X"], self.data["observed"], self.data["lam"] / 2
        slope, curvature = torch.zeros_like(b), torch.zeros_like(b)
        step = max(1, 2**18 // len(b))
        for start in range(0, len(X), step):
            rows = slice(start, start + step)
            R = X[rows] - b
            c = R.clip(-half, half)
            free = c == R
            if observed is not None:
                c, free = c * observed[rows], free & observed[rows]
            w = torch.ones(len(R)).to(b) if self.weight is None else self.weight[rows]
            slope += w @ c
            curvature += w @ free.to(b.dtype)
        return slope, curvature
