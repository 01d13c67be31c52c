"""The constant predictor, exactly: the Huber M-estimate of location of every column (Huber 1964)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustae.objective import Problem
from robustae.predictors import Constant
from robustae.solvers.base import Budget, Result

__all__ = ["Newton"]


@dataclass(frozen=True)
class Newton:
    """Safeguarded Newton steps on b, all columns at once.

    J is piecewise quadratic and convex in every b_j: with c = clip(r, -lam/2, lam/2) its slope is
    -2 sum c and its curvature 2 (number of cells not clipped). A step is cut to the bracket that
    the signs of the slopes seen so far leave, so it ends in a few steps at the exact minimum.
    """

    name = "newton"

    def solve(self, problem: Problem, module: nn.Module, budget: Budget, seed: int = 0) -> Result:
        """Minimise J over the constant; `tol` is not needed, the end is exact to rounding."""
        assert isinstance(module, Constant)
        result = Result([problem.value(module)], "converged: the column-wise M-estimate of location is exact.")
        at_most = budget.iterations(default=60)
        low, high = _range(problem)
        for _ in range(at_most):
            b = module.b.data
            slope, curvature = _slope_and_curvature(problem, b)
            low, high = torch.where(slope > 0, b, low), torch.where(slope < 0, b, high)
            target = b + slope / curvature.clip(0.5, None)
            outside = (target <= low) | (target >= high) | (curvature == 0)
            step = torch.where(slope == 0, b, torch.where(outside, (low + high) / 2, target)) - b
            if float(step.abs().max()) <= 4 * torch.finfo(b.dtype).eps * (1 + float(b.abs().max())):
                break
            module.b.data = b + step
            result.history.append(problem.value(module))
            budget.tell(result, at_most)
        else:
            result.status = f"stopped after max_iter={at_most} iterations; a larger max_iter may fit better."
        return result


def _range(problem: Problem) -> tuple[Tensor, Tensor]:
    return problem.target.min(0).values - 1, problem.target.max(0).values + 1


def _slope_and_curvature(problem: Problem, b: Tensor) -> tuple[Tensor, Tensor]:
    """Minus half of J's slope, and half of its curvature, by column."""
    slope, curvature = torch.zeros_like(b), torch.zeros_like(b)
    for rows in problem.blocks():
        R = problem.target[rows] - b
        c = problem.penalty.pull(R, problem.lam)
        free = c == R
        if problem.observed is not None:
            c, free = c * problem.observed[rows], free & problem.observed[rows]
        w = torch.ones(len(R), dtype=b.dtype) if problem.weight is None else problem.weight[rows]
        slope += w @ c
        curvature += w @ free.to(b.dtype)
    return slope, curvature
