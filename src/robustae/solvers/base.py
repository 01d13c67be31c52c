"""What every solver gives and needs: a result that reads as advice, a progress callback, a stopping rule."""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from torch import nn

from robustae.solvers.objective import Problem
from robustae.utils.checks import InputError
from robustae.utils.progress import Callback

__all__ = ["Budget", "Callback", "Iteration", "Result", "Solver", "check_budget", "iterate"]

FEW = 6  # iterations of a fit that only leads to the next


@dataclass
class Result:
    """How a solve went.

    Attributes
    ----------
    history : list of float
        J by iteration, the start first.
    status : str
        Converged or why not, as a sentence.
    before : int
        Iterations before `history` begins: of earlier rounds, with another lam or other rows.
    interrupted : bool
        True after Ctrl-C; the module then holds the best weights so far.
    """

    history: list[float] = field(default_factory=list)
    status: str = ""
    interrupted: bool = False
    before: int = 0

    @property
    def n_iter(self) -> int:
        """Iterations done, those before `history` begins included."""
        return self.before + max(len(self.history) - 1, 0)


@dataclass(frozen=True)
class Budget:
    """When to stop: after `max_iter` iterations, or when J falls by less than `tol` of itself.

    `done` counts the iterations of rounds before, which `max_iter` no longer holds.
    """

    max_iter: Any = "auto"
    tol: float = 1e-4
    callback: Callback | None = None
    batch_size: Any = "auto"
    done: int = 0

    def iterations(self, default: int) -> int:
        """`max_iter`, or the solver's default where it is "auto"."""
        if isinstance(self.max_iter, str):
            return default
        return int(self.max_iter)

    def batch(self, default: int, n: int) -> int:
        """`batch_size`, or the solver's default where it is "auto"; at most n."""
        return min(default if isinstance(self.batch_size, str) else int(self.batch_size), n)

    def less(self, done: int) -> "Budget":
        """Return what is left of the budget after `done` iterations; the callback counts on from there."""
        left = self.max_iter if isinstance(self.max_iter, str) else max(self.max_iter - done, 0)
        return replace(self, max_iter=left, callback=self._counting_on(done), done=self.done + done)

    def in_all(self, at_most: int) -> str:
        """Return `at_most`, and what rounds before have used of it, as advice on the parameter."""
        return f"max_iter={self.done + at_most}"

    def _counting_on(self, done: int) -> Callback | None:
        callback = self.callback
        if callback is None or not done:
            return callback
        return lambda iteration, at_most, J: callback(iteration + done, at_most + done, J)

    def rough(self) -> "Budget":
        """Return a budget for a fit that only leads to the next: few iterations, ten times the tolerance."""
        return replace(self, tol=10 * self.tol, max_iter=min(self.iterations(FEW), FEW))

    def converged(self, history: list[float], window: int = 1) -> bool:
        """True when the last `window` iterations lowered J by less than `tol` of it, each on average."""
        if len(history) <= window:
            return False
        fall = history[-1 - window] - history[-1]
        return fall <= window * self.tol * max(abs(history[-1]), 1e-300)


class Iteration(Protocol):
    """One way down: what a step does, when to stop, and how the module is left.

    Attributes
    ----------
    unit : str
        What a step is called, in the plural.
    stopped : str
        The status where the budget ends it, with a place for that number.
    """

    unit: str
    stopped: str

    def step(self) -> float:
        """Take a step; return J after it. KeyboardInterrupt may come at any point."""
        ...

    def terminate(self, history: list[float], budget: "Budget") -> str | None:
        """Return why to stop, as a status, or None."""
        ...

    def finish(self) -> None:
        """Leave the weights of the last whole step in the module."""
        ...


def iterate(iteration: Iteration, J: float, at_most: int, budget: "Budget") -> Result:
    """Take steps from the objective J until the iteration or the budget ends; Ctrl-C keeps the fit so far."""
    result = Result([J], iteration.stopped.format(budget.in_all(at_most)))
    try:
        while result.n_iter < at_most:
            result.history.append(iteration.step())
            if budget.callback is not None:
                budget.callback(result.n_iter, at_most, result.history[-1])
            if status := iteration.terminate(result.history, budget):
                result.status = status
                break
    except KeyboardInterrupt:
        result.interrupted = True
        result.status = f"interrupted after {result.n_iter} {iteration.unit}; the fit so far is kept."
    iteration.finish()
    return result


class Solver(Protocol):
    """Finds weights of `module` that make J small; changes the module in place.

    Attributes
    ----------
    exact : bool
        Ends at the minimum whatever the tolerance.
    by_batches : bool
        Goes through the rows in batches: lam is brought up to date as it goes, and rows larger than memory
        may be fitted.
    float64 : bool
        Always works in float64.
    """

    exact: bool
    by_batches: bool
    float64: bool

    def most(self, budget: Budget, n: int) -> int:
        """Iterations at most, for n rows."""
        ...

    def batch(self, budget: Budget, n: int) -> int:
        """Rows in a step, of n."""
        ...

    def solve(self, problem: Problem, module: nn.Module, budget: Budget, seed: int = 0) -> Result:
        """Run until it converges or the budget ends."""
        ...


def check_budget(max_iter: Any, tol: Any, batch_size: Any) -> None:
    """Refuse a budget that cannot be spent."""
    for name, value, least in (("max_iter", max_iter, 0), ("batch_size", batch_size, 1)):
        whole = isinstance(value, int) and not isinstance(value, bool) or hasattr(value, "__index__")
        if value != "auto" and not (whole and value >= least):
            raise InputError(f"{name}={value!r} must be 'auto' or a whole number from {least} on.")
    if not isinstance(tol, (int, float, np.number)) or not tol >= 0:
        raise InputError(f"tol={tol!r} must be a number from 0 on.")
