"""Mini-batch Adam on the envelope (Kingma and Ba 2015), one-cycle learning rate (Smith 2018)."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from robustae.objective import Problem
from robustae.predictors import omega
from robustae.solvers.base import Budget, Result

__all__ = ["Adam", "batch_size_of", "one_epoch"]


@dataclass(frozen=True)
class Adam:
    """Steps on batches of rows, tensors sliced directly.

    Omega weighs batch / n in each batch, so an epoch's losses add up to J.

    Parameters
    ----------
    lr : float
        The largest learning rate, reached after a tenth of the run.
    refresh : callable, optional
        ``refresh(problem, module) -> problem`` before each epoch: the joint estimate of the noise
        scale (and with it lam) as the residuals shrink.
    """

    lr: float = 2e-3
    refresh: Any = None
    exact = False

    def solve(self, problem: Problem, module: nn.Module, budget: Budget, seed: int = 0) -> Result:
        """Train for `max_iter` epochs, or until J settles."""
        batch = batch_size_of(problem.shape[0], budget.batch_size)
        at_most = budget.iterations(default=_epochs(problem.shape[0], batch))
        result = Result([problem.value(module)], f"trained for max_iter={at_most} epochs.")
        generator = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.Adam(module.parameters(), lr=self.lr, fused=True)
        module.train()
        best = _weights(module)
        try:
            for epoch in range(at_most):
                if self.refresh is not None:
                    problem = self.refresh(problem, module)
                rates = _rates(self.lr, epoch, at_most, -(-problem.shape[0] // batch))
                result.history.append(one_epoch(problem, module, optimiser, batch, rates, generator))
                best = _weights(module)
                budget.tell(result, at_most)
                if epoch > at_most // 2 and budget.settled(result.history, window=5):
                    result.status = (
                        f"converged: an epoch lowers the objective by less than tol={budget.tol:g}."
                    )
                    break
        except KeyboardInterrupt:
            module.load_state_dict(best)
            result.interrupted = True
            result.status = f"interrupted after {result.n_iter} epochs; the fit so far is kept."
        module.eval()
        module.zero_grad(set_to_none=True)
        return result


def batch_size_of(n: int, batch_size: Any) -> int:
    """A power of two of about n / 20 rows, from 16 to 256, where it is "auto"."""
    if not isinstance(batch_size, str):
        return min(int(batch_size), n)
    return min(n, 2 ** min(max(round(math.log2(max(n / 20, 1))), 4), 8))


def _epochs(n: int, batch: int) -> int:
    """About 2000 steps, but from 20 to 300 epochs."""
    return min(max(2000 * batch // n, 20), 300)


def _rates(largest: float, epoch: int, epochs: int, steps: int) -> list[float]:
    """Learning rates of one epoch: up over the first tenth of the run, then down by a cosine."""
    at = (epoch + torch.arange(steps, dtype=torch.float64) / steps) / epochs
    up = 0.1 + 0.9 * at / 0.1
    down = 0.5 * (1 + torch.cos(math.pi * (at - 0.1) / 0.9))
    return (largest * torch.where(at < 0.1, up, down)).clip(1e-3 * largest, None).tolist()


def one_epoch(
    problem: Problem, module: Any, optimiser: Any, batch: int, rates: list[float], generator: Any
) -> float:
    """Go once through the rows in a fresh order; return the sum of the batches' losses."""
    n = problem.shape[0]
    batches = list(torch.randperm(n, generator=generator).split(batch))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]  # a user's batch norm cannot normalise a single row
    module.train()
    total = 0.0
    for rate, rows in zip(rates, batches, strict=False):
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss = problem.loss(module, rows)
        if problem.mu:
            loss = loss + problem.mu / 2 * len(rows) / n * omega(module)
        (loss / len(rows)).backward()
        optimiser.step()
        total += loss.item()
    return total


def _weights(module: nn.Module) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
