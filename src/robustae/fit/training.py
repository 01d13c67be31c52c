"""One fit: start, then solve with lam and the trimmed rows brought up to date."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from robustae.fit.concentration import linear_energies
from robustae.fit.lambdas import NoiseRule, lam_of_noise
from robustae.penalties import Penalty
from robustae.predictors import start
from robustae.solvers import Budget, Result, Solver
from robustae.solvers.objective import Problem

__all__ = ["Refresh", "Trained", "cutoff_of", "train", "trimmed_rows"]

ROUNDS = 20  # of lam and concentration steps at most
STEADY = 0.02  # relative change of lam below which it stands


@dataclass(frozen=True)
class Refresh:
    """Bring lam (if automatic) and the rows kept (if trimmed) up to date with the residuals."""

    noise: NoiseRule
    auto_lam: bool
    trimmed: Penalty | None
    weight: torch.Tensor | None  # of all rows, before any is dropped

    @property
    def active(self) -> bool:
        """True where there is anything to bring up to date."""
        return self.auto_lam or self.trimmed is not None

    def __call__(self, problem: Problem, module: nn.Module) -> Problem:
        """Return the problem of the next round."""
        if self.trimmed is not None:
            problem = self.trim(problem, problem.energies(module))
        return self.of_lam(problem, module)

    def of_lam(self, problem: Problem, module: nn.Module) -> Problem:
        """Return the problem with lam alone brought up to date."""
        if self.auto_lam:
            problem = problem.having(lam=lam_of_noise(self.noise(problem, module), problem))
        return problem

    def trim(self, problem: Problem, energies: np.ndarray) -> Problem:
        """Give weight 0 to the rows farthest off: one concentration step."""
        assert self.trimmed is not None
        return trimmed_rows(problem.having(weight=self.weight), self.trimmed, energies)


def trimmed_rows(problem: Problem, trimmed: Penalty, energies: np.ndarray) -> Problem:
    """Give weight 0 to the rows that `trimmed` drops by their energies."""
    base = torch.ones(len(energies)).to(problem.target) if problem.weight is None else problem.weight
    keep = trimmed.keep(energies, base.cpu().numpy())
    return problem.having(weight=base * torch.from_numpy(keep).to(base))


@dataclass(frozen=True)
class Trained:
    """A module at the end of its fit, the problem it solves (with the final lam), and how it went."""

    module: nn.Module
    problem: Problem
    result: Result
    solver: Solver
    cutoff: float | None  # energy of the worst row kept, where rows were trimmed


def train(
    problem: Problem, module: nn.Module, solver: Solver, budget: Budget, refresh: Refresh, seed: int
) -> Trained:
    """Fit `module` to `problem`; the penalty may be `Trimmed`, lam anything where it is automatic."""
    by_batches = solver.by_batches
    problem = _begin(problem, module, refresh, by_batches)
    if by_batches:
        in_batches: Any = solver
        result = replace(in_batches, refresh=refresh.of_lam).solve(problem, module, budget, seed)
        problem = refresh(problem, module)
        result.history[-1] = problem.value(module)
    else:
        problem, result = _rounds(problem, module, solver, budget, refresh, seed)
    result.history = [J + problem.beyond for J in result.history]
    cutoff = None if refresh.trimmed is None else cutoff_of(problem, problem.energies(module))
    return Trained(module, problem, result, solver, cutoff)


def cutoff_of(problem: Problem, energies: np.ndarray) -> float:
    """Energy of the worst row kept."""
    assert problem.weight is not None
    return float(energies[(problem.weight > 0).cpu().numpy()].max())


def _begin(problem: Problem, module: nn.Module, refresh: Refresh, by_batches: bool) -> Problem:
    """Choose the first rows to keep, and set the start."""
    if refresh.trimmed is not None:
        problem = problem.having(penalty=refresh.trimmed.kept)
        problem = refresh.trim(problem, _first_energies(problem, refresh.trimmed, by_batches))
    robust = bool(refresh.auto_lam or np.all(np.isfinite(problem.lam)))
    weight = None if problem.weight is None else problem.weight.cpu().numpy()
    start(module, problem.inputs.cpu().numpy(), weight, robust)
    if refresh.auto_lam:
        problem = problem.having(lam=np.inf)
        problem = problem.having(lam=lam_of_noise(refresh.noise(problem, module), problem))
    return problem


def _first_energies(problem: Problem, trimmed: Penalty, by_batches: bool) -> np.ndarray:
    """By the cells' distances from the centre; for batches, which drop no rows later, by rows as wholes.

    Networks fit whatever rows they are given, so their own residuals show little of which to drop: a
    linear model does.
    """
    if not by_batches:
        return torch.log1p(problem.inputs**2).sum(1).cpu().numpy()
    weight = None if problem.weight is None else problem.weight.cpu().numpy()
    return linear_energies(problem.inputs.cpu().numpy(), weight, trimmed)


def _rounds(
    problem: Problem, module: nn.Module, solver: Solver, budget: Budget, refresh: Refresh, seed: int
) -> tuple[Problem, Result]:
    """Solve roughly and refresh until lam and the kept rows stand, then solve to the end."""
    damped = Damped()
    done = 0
    for _ in range(ROUNDS if refresh.active else 0):
        left = budget.less(done)
        result = solver.solve(problem, module, left if solver.exact else left.rough(), seed)
        result.before += done
        done = result.n_iter
        proposed = refresh(problem, module)
        steady = _steady(problem, proposed)
        if result.interrupted or steady and solver.exact:
            return problem, result
        if steady:
            break
        problem = proposed.having(lam=damped(problem.lam, proposed.lam))
    result = solver.solve(problem, module, budget.less(done), seed)
    result.before += done
    return problem, result


class Damped:
    """Steps from one lam to the next, halved whenever they turn round.

    A column that is fitted well gets a small lam, which lets go of it in the next fit: with few
    columns that swings, and settles when the steps shrink.
    """

    def __init__(self):
        self.share, self.last = 1.0, 0.0

    def __call__(self, before: Any, after: Any) -> Any:
        """Return the lam to use: on the way from `before` to `after`, in logarithms."""
        if np.any(np.isinf(before)) or np.any(np.isinf(after)):
            return after
        step = np.log(after) - np.log(before)
        if np.sum(step * self.last) < 0:
            self.share /= 2
        self.last = step
        return before * np.exp(self.share * step)


def _steady(before: Problem, after: Problem) -> bool:
    rows = [torch.ones(0) if p.weight is None else p.weight for p in (before, after)]
    return torch.equal(*rows) and bool(np.allclose(before.lam, after.lam, rtol=STEADY))
