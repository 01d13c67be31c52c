"""Mini-batch Adam on the envelope (Kingma and Ba 2015), one-cycle learning rate (Smith 2018)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from robustae.predictors import omega
from robustae.solvers.base import Budget, Result, iterate
from robustae.solvers.objective import Problem

__all__ = ["Adam", "one_epoch", "rows_of_step"]

REFRESHED = 15  # times in a run, where it has as many epochs
MOST_EPOCHS = 300
RISE = 0.1  # of a run: the learning rate goes up


@dataclass(frozen=True)
class Adam:
    """Steps on batches of rows, tensors sliced directly.

    Omega weighs batch / n in each batch, so an epoch's losses add up to J.

    Parameters
    ----------
    lr : float
        The largest learning rate, reached after a tenth of the run.
    steps : int
        About how many, where `max_iter` is "auto".
    fall : float in (0, 1]
        Share of the run, at its end, over which the learning rate falls.
    rows : int, optional
        In a step, where `batch_size` is "auto"; else a twentieth of the rows, from 16 to 256.
    epochs : int
        At least so many, however many rows there are; at most 300.
    refresh : callable, optional
        ``refresh(problem, module) -> problem`` before an epoch, 15 to 30 times a run: the joint estimate
        of the noise scale (and with it lam) as the residuals shrink.
    """

    lr: float = 2e-3
    steps: int = 2000
    fall: float = 0.9
    rows: int | None = None
    epochs: int = 20
    refresh: Callable[[Problem, nn.Module], Problem] | None = None
    exact, by_batches, float64 = False, True, False

    def most(self, budget: Budget, n: int) -> int:
        """Epochs at most."""
        return budget.iterations(default=self._epochs(n, self.batch(budget, n)))

    def batch(self, budget: Budget, n: int) -> int:
        """Rows in a step."""
        return budget.batch(self.rows or rows_of_step(n), n)

    def solve(self, problem: Problem, module: nn.Module, budget: Budget, seed: int = 0) -> Result:
        """Train for `max_iter` epochs, or until J settles."""
        n = problem.shape[0]
        batch, at_most = self.batch(budget, n), self.most(budget, n)
        epochs = _Epochs(self, problem, module, batch, at_most, seed)
        return iterate(epochs, problem.value(module), at_most, budget)

    def _epochs(self, n: int, batch: int) -> int:
        """As many as the steps make, within limits."""
        return min(max(self.steps * batch // n, self.epochs), MOST_EPOCHS)

    def rates(self, epoch: int, epochs: int, steps: int) -> list[float]:
        """Learning rates of one epoch: up over the first tenth of the run, down by a cosine at the end."""
        at = (epoch + torch.arange(steps, dtype=torch.float64) / steps) / epochs
        up = 0.1 + 0.9 * at / RISE
        down = 0.5 * (1 + torch.cos(math.pi * ((at - 1) / self.fall + 1).clip(0.0)))
        return (self.lr * torch.where(at < RISE, up, down)).clip(1e-3 * self.lr, None).tolist()


class _Epochs:
    """Optimiser, random order and latest weights of one solve."""

    unit = "epochs"
    stopped = "trained for {} epochs."

    def __init__(
        self,
        solver: Adam,
        problem: Problem,
        module: nn.Module,
        batch: int,
        at_most: int,
        seed: int,
    ):
        self.solver, self.problem, self.module = solver, problem, module
        self.batch, self.at_most, self.epoch = batch, at_most, 0
        self.every = max(1, at_most // REFRESHED)
        self.generator = torch.Generator().manual_seed(seed)
        self.optimiser = torch.optim.Adam(module.parameters(), lr=solver.lr, fused=True)
        self.best = _weights(module)

    def step(self) -> float:
        solver, steps = self.solver, -(-self.problem.shape[0] // self.batch)
        if solver.refresh is not None and self.epoch % self.every == 0:
            self.problem = solver.refresh(self.problem, self.module)
        rates = solver.rates(self.epoch, self.at_most, steps)
        J = one_epoch(self.problem, self.module, self.optimiser, self.batch, rates, self.generator)
        self.best, self.epoch = _weights(self.module), self.epoch + 1
        return J

    def terminate(self, history: list[float], budget: Budget) -> str | None:
        lowers = f"converged: an epoch lowers the objective by less than tol={budget.tol:g}."
        late = self.epoch > self.at_most // 2 + 1
        return lowers if late and budget.converged(history, window=5) else None

    def finish(self) -> None:
        self.module.load_state_dict(self.best)
        self.module.eval()
        self.module.zero_grad(set_to_none=True)


def rows_of_step(n: int) -> int:
    """A power of two of about n / 20, from 16 to 256."""
    return 2 ** min(max(round(math.log2(max(n / 20, 1))), 4), 8)


def one_epoch(
    problem: Problem, module: Any, optimiser: Any, batch: int, rates: list[float], generator: Any
) -> float:
    """Go once through the rows in a fresh order; return the sum of the batches' losses."""
    order = problem.shuffled(generator)
    batches = list(order.split(batch))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]  # a user's batch norm cannot normalise a single row
    module.train()
    total = 0.0
    for rate, rows in zip(rates, batches, strict=False):
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss = problem.loss(module, rows)
        if problem.mu:
            loss = loss + problem.mu / 2 * len(rows) / len(order) * omega(module)
        (loss / len(rows)).backward()
        optimiser.step()
        total += loss.item()
    return total


def _weights(module: nn.Module) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
