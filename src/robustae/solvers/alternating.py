"""The paper's solver: back-propagation for theta, soft-thresholding (6) for N, in turn."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustae.penalties import NoPenalty
from robustae.solvers.base import Budget, Result, iterate
from robustae.solvers.lbfgs import LBFGS
from robustae.solvers.objective import Problem
from robustae.utils.checks import one_of

__all__ = ["Alternating"]

VARIANTS = ("written", "clean input", "plain target")


@dataclass(frozen=True)
class Alternating:
    """Alternate between theta (a few descent steps) and N (the exact proximal step).

    Parameters
    ----------
    variant : {"written", "clean input", "plain target"}
        "written": equation (4), the encoder sees X and the residual is X - (Xhat + N); J never rises.
        For comparison two others found in circulation: "clean input", where the encoder is given
        X - N too (Zhou and Paffenroth 2017), and "plain target", where theta is fitted to X itself
        and N read off afterwards. Neither descends on J.
    steps : int
        L-BFGS steps on theta between two updates of N.
    """

    variant: str = "written"
    steps: int = 5
    exact, by_batches, float64 = False, False, True

    def most(self, budget: Budget, n: int) -> int:
        """Iterations at most."""
        return budget.iterations(default=200)

    def batch(self, budget: Budget, n: int) -> int:
        """All n rows in every step."""
        return n

    def solve(self, problem: Problem, module: nn.Module, budget: Budget, seed: int = 0) -> Result:
        """Alternate until J settles."""
        one_of("variant", self.variant, VARIANTS)
        at_most = self.most(budget, problem.shape[0])
        return iterate(_Alternation(problem, module, self), problem.value(module), at_most, budget)


class _Alternation:
    """Theta by descent, then N by its proximal step."""

    unit = "alternations"
    stopped = "stopped after {} alternations."

    def __init__(self, problem: Problem, module: nn.Module, solver: Alternating):
        self.problem, self.module, self.variant = problem, module, solver.variant
        self.inner = Budget(max_iter=solver.steps, tol=0.0)

    def step(self) -> float:
        if LBFGS().solve(self._with_n_fixed(), self.module, self.inner).interrupted:
            raise KeyboardInterrupt
        return self.problem.value(self.module)

    def terminate(self, history: list[float], budget: Budget) -> str | None:
        lowers = f"converged: an alternation lowers the objective by less than tol={budget.tol:g}."
        return lowers if budget.converged(history) else None

    def finish(self) -> None:
        """The inner descent leaves the module as it should be."""

    def _with_n_fixed(self) -> Problem:
        """The squared loss in theta for the N of today."""
        problem = self.problem
        clean = problem.target - outliers(problem, self.module)
        inputs = clean if self.variant == "clean input" else problem.inputs
        target = problem.target if self.variant == "plain target" else clean
        return problem.having(target=target, inputs=inputs, penalty=NoPenalty())


@torch.no_grad()
def outliers(problem: Problem, module: nn.Module) -> Tensor:
    """N for all rows, in the model's units."""
    return torch.cat(
        [problem.penalty.prox(problem.residual(module, rows), problem.lam) for rows in problem.blocks()]
    )
