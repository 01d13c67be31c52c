"""The paper's solver: back-propagation for theta, soft-thresholding (6) for N, in turn."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustae.penalties import NoPenalty
from robustae.solvers.base import Budget, Result
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
        result = Result([problem.value(module)], f"stopped after {budget.in_all(at_most)} alternations.")
        inner = Budget(max_iter=self.steps, tol=0.0)
        try:
            while result.n_iter < at_most:
                if LBFGS().solve(self._with_n_fixed(problem, module), module, inner).interrupted:
                    raise KeyboardInterrupt
                result.history.append(problem.value(module))
                budget.tell(result, at_most)
                if budget.settled(result.history):
                    result.status = (
                        f"converged: an alternation lowers the objective by less than tol={budget.tol:g}."
                    )
                    break
        except KeyboardInterrupt:
            result.interrupted = True
            result.status = f"interrupted after {result.n_iter} alternations; the fit so far is kept."
        return result

    def _with_n_fixed(self, problem: Problem, module: nn.Module) -> Problem:
        """The squared loss in theta for the N of today."""
        clean = problem.target - outliers(problem, module)
        inputs = clean if self.variant == "clean input" else problem.inputs
        target = problem.target if self.variant == "plain target" else clean
        return problem.having(target=target, inputs=inputs, penalty=NoPenalty())


@torch.no_grad()
def outliers(problem: Problem, module: nn.Module) -> Tensor:
    """N for all rows, in the model's units."""
    return torch.cat(
        [problem.penalty.prox(problem.residual(module, rows), problem.lam) for rows in problem.blocks()]
    )
