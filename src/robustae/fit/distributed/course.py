"""From the fit of a sample to the fit of all rows: epochs, checkpoints between them, and a way to stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.fit import artifact
from robustae.fit.distributed.checkpoints import Checkpoints
from robustae.fit.distributed.descent import Descent, State
from robustae.fit.distributed.stopping import Stopping
from robustae.fit.lambdas import NoiseRule, lam_of_noise
from robustae.fit.model import Model
from robustae.solvers import Adam, Result

__all__ = ["Course", "Pace", "Progress", "pace_of"]

STEPS = 1500  # about how many, by default
LEAST_ROWS, MOST_ROWS = 1024, 16_384  # in a step
READ, MOST_EPOCHS = 2_000_000, 20  # rows gone through in all, where that takes few epochs
RATE, SLOW_RATE = 1e-3, 3e-4  # networks; and what starts at the sample's optimum already
SECONDS = 60.0  # between checkpoints

Progress = Callable[[int, int], None]
"""Called with the rows gone through so far, and those that will be."""


@dataclass(frozen=True)
class Pace:
    """How often and how fast the rows are gone through.

    Attributes
    ----------
    epochs, batch : int
    adam : Adam
        For its learning rates.
    """

    epochs: int
    batch: int
    adam: Adam


def pace_of(n: int, solver: Any, budget: Any, exact: bool) -> Pace:
    """Choose from the number of rows: 2 million rows in all or one epoch, in about 1500 steps.

    Parameters
    ----------
    n : int
    solver : Adam or any other
        As the user gave it.
    budget : Budget
    exact : bool
        Whether the sample's fit ended at an optimum.
    """
    epochs = budget.iterations(default=max(1, min(MOST_EPOCHS, round(READ / n))))
    wanted = 2 ** round(np.log2(max(n * max(epochs, 1) / STEPS, 1)))
    batch = budget.batch(int(min(max(wanted, LEAST_ROWS), MOST_ROWS)), n)
    adam = solver if hasattr(solver, "rates") else Adam(lr=SLOW_RATE if exact else RATE)
    return Pace(epochs, batch, adam)


@dataclass
class Course:
    """The epochs of one process; rank 0 also writes checkpoints and measures the noise.

    Attributes
    ----------
    descent : Descent
    state : State
    pace : Pace
    model : Model
        The sample's: all but the weights, the noise and lam stay.
    sample : array, shape (m, d)
    rule : NoiseRule
    """

    descent: Descent
    state: State
    pace: Pace
    model: Model
    sample: np.ndarray
    rule: NoiseRule
    kept: Checkpoints | None
    about: dict[str, Any]
    shape: dict[str, Any]
    every: float = SECONDS
    _saved: float = 0.0

    def run(self, callback: Callable[[int, int, float], Any] | None, progress: Progress | None) -> Result:
        """Go through the rows until the epochs are done, or someone wants to stop."""
        self.descent.flat.module.train()
        self._saved = time.monotonic()
        with Stopping() as stopping:
            status = self._epochs(stopping, callback, progress)
        self.descent.flat.module.eval()
        return Result(self.state.history, status, interrupted=status.startswith("interrupted"))

    def _epochs(self, stopping: Stopping, callback: Any, progress: Progress | None) -> str:
        state, n = self.state, self.descent.data.layout.n
        while state.epoch < self.pace.epochs:
            if self._one(stopping, progress):
                self.save()
                at = f"after {state.step} of {self.descent.steps} steps of epoch {state.epoch + 1}"
                more = "" if self.kept is None else ", and its checkpoint to go on from"
                return f"interrupted {at}; the fit so far is kept{more}."
            self._end_epoch()
            if callback is not None:
                callback(state.epoch, self.pace.epochs, state.history[-1])
        times = "1 epoch" if self.pace.epochs == 1 else f"{self.pace.epochs} epochs"
        return f"trained for {times} over {n} rows."

    def _one(self, stopping: Stopping, progress: Progress | None) -> bool:
        """Go on to the end of the epoch; return True where it was stopped."""
        state, steps = self.state, self.descent.steps
        rates = self.pace.adam.rates(state.epoch, self.pace.epochs, steps)
        n = self.descent.data.layout.n
        while state.step < steps:
            if self.descent.step(state, rates[state.step], stopping.wanted):
                return True
            if progress is not None:
                progress(state.epoch * n + n * state.step // steps, self.pace.epochs * n)
            if time.monotonic() - self._saved >= self.every:
                self.save()
        return False

    def _end_epoch(self) -> None:
        """Bring noise and lam up to date with the sample; processes that differ by rounding meet again."""
        state, world = self.state, self.descent.data.world
        state.history.append(state.total)
        state.epoch, state.step, state.total = state.epoch + 1, 0, 0.0
        if world.rank == 0:
            self._measure()
        flat = self.descent.flat
        state.noise, state.lam, moments = world.of_first((state.noise, state.lam, flat.moments()))
        flat.restore(moments)
        self.save()

    def _measure(self) -> None:
        flat, state = self.descent.flat, self.state
        problem = self.descent.to_problem(self.sample, state.lam)
        state.noise = self.rule(problem, flat.module)
        if self.descent.to_problem.settings.auto_lam and np.all(np.isfinite(state.lam)):
            state.lam = lam_of_noise(state.noise, problem)

    def save(self) -> None:
        """Write a checkpoint: what is known is the same in every process, so one writes."""
        self._saved = time.monotonic()
        if self.kept is not None and self.descent.data.world.rank == 0:
            self.kept.write(*self.packed())

    def packed(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return all that it takes to go on, as arrays and a description."""
        arrays, described = artifact.pack([self.model], self.shape)
        moments = {f"adam.{name}": held.numpy() for name, held in self.descent.flat.moments().items()}
        more = {"about": self.about, "model": described, "seed": self.descent.seed}
        return arrays | moments | self.state.arrays(), self.state.places() | more

    def fitted(self) -> Model:
        """Return the model as it is now."""
        module = self.descent.flat.module
        for parameter in module.parameters():  # of its own again, not a part of one vector
            parameter.data, parameter.grad = parameter.data.clone(), None
        module = module.double().eval().requires_grad_(False)
        return self.model.having(predictor=module, noise=self.state.noise, lam=self.state.lam)
