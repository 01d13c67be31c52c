"""Full-batch L-BFGS on the envelope (Nocedal and Wright 2006, algorithms 7.4 and 7.5)."""

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from robustae.predictors import Traits
from robustae.solvers.base import Budget, Result, iterate
from robustae.solvers.curvature import inverse_curvature
from robustae.solvers.objective import Problem

__all__ = ["LBFGS"]

FULL_BATCH_CELLS = 20_000_000
Pairs = deque  # of (step, change of gradient, 1 / their product)


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS with a backtracking line search; J never rises.

    Parameters
    ----------
    memory : int
        Pairs of steps and gradient changes that model the curvature.
    """

    memory: int = 10
    exact, by_batches, float64 = False, False, False

    @staticmethod
    def suits(traits: Traits, problem: Problem) -> bool:
        """A predictor that starts near its optimum, up to 20 million cells; beyond, batches are quicker."""
        return traits.at_optimum and problem.target.numel() <= FULL_BATCH_CELLS

    def most(self, budget: Budget, n: int) -> int:
        """Iterations at most."""
        return budget.iterations(default=200)

    def batch(self, budget: Budget, n: int) -> int:
        """All n rows in every step."""
        return n

    def solve(self, problem: Problem, module: nn.Module, budget: Budget, seed: int = 0) -> Result:
        """Lower J from where the module stands."""
        module.eval()  # one and the same function throughout: no dropout, no running statistics
        at_most = self.most(budget, problem.shape[0])
        state = _State(problem, module, self.memory)
        return iterate(state, state.J, at_most, budget)


class _State:
    """Weights, J, gradient and curvature pairs of one solve."""

    unit = "iterations"
    stopped = "stopped after {} iterations; a larger max_iter may fit better."

    def __init__(self, problem: Problem, module: nn.Module, memory: int):
        self.problem, self.module, self.stuck = problem, module, False
        self.pairs: Pairs = deque(maxlen=memory)
        self.inverse = inverse_curvature(problem, module)
        self.x = parameters_to_vector(module.parameters()).detach().clone()
        self.J, self.g = self.evaluate(self.x)

    def step(self) -> float:
        self.stuck = not self.advance()
        return self.J

    def terminate(self, history: list[float], budget: Budget) -> str | None:
        if self.stuck:
            return "converged: no step lowers the objective further."
        falls = f"converged: the objective falls by less than tol={budget.tol:g} an iteration."
        return falls if budget.converged(history, window=3) else None

    def evaluate(self, x: Tensor) -> tuple[float, Tensor]:
        vector_to_parameters(x, self.module.parameters())
        J = self.problem.value_and_gradient(self.module)
        grads = (torch.zeros_like(p) if p.grad is None else p.grad for p in self.module.parameters())
        return J, torch.cat([g.reshape(-1) for g in grads])

    def direction(self) -> Tensor:
        """Two-loop recursion: minus the inverse Hessian's estimate times the gradient."""
        q, alphas = self.g.clone(), []
        for s, y, rho in reversed(self.pairs):
            alphas.append(rho * (s @ q))
            q -= alphas[-1] * y
        q = self._first_guess(q)
        for (s, y, rho), alpha in zip(self.pairs, reversed(alphas), strict=True):
            q += (alpha - rho * (y @ q)) * s
        return -q

    def _first_guess(self, q: Tensor) -> Tensor:
        """Inverse curvature before any pair is applied, scaled to agree with the latest one."""
        if not self.pairs:
            return self.inverse(q)
        _, y, rho = self.pairs[-1]
        return self.inverse(q) * float(1 / (rho * (y @ self.inverse(y))))

    def advance(self) -> bool:
        """Take one step that lowers J; False if there is none, with the curvature pairs or without."""
        while True:
            p = self.direction()
            slope = float(self.g @ p)
            if slope < 0 and self._search(p, slope):
                return True
            if not self.pairs:
                return False
            self.pairs.clear()

    def _search(self, p: Tensor, slope: float) -> bool:
        """Backtrack by quadratic interpolation until J falls enough (Armijo), or rounding hides any fall."""
        least = torch.finfo(p.dtype).eps * abs(self.J)
        step = 1.0
        while -step * slope > least:
            x = self.x + step * p
            J, g = self.evaluate(x)
            if self.J + 1e-4 * step * slope >= J and J < self.J:
                self._accept(x, J, g)
                return True
            rise = J - self.J - step * slope
            shrunk = -0.5 * slope * step**2 / rise if rise > 0 else 0.0
            step = min(max(shrunk, 0.1 * step), 0.5 * step)
        return False

    def _accept(self, x: Tensor, J: float, g: Tensor) -> None:
        s, y = x - self.x, g - self.g
        product = float(s @ y)
        if product > 1e-10 * float(y @ y):
            self.pairs.append((s, y, 1 / product))
        self.x, self.J, self.g = x, J, g

    def finish(self) -> None:
        """Leave the best weights in the module, and no gradients."""
        vector_to_parameters(self.x, self.module.parameters())
        for p in self.module.parameters():
            p.data = p.data.clone()  # else all would stay views of one vector
            p.grad = None
