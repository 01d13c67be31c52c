"""Steps of Adam over all rows, each the same to the last bit for any number of processes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustae.fit.auto import Settings
from robustae.fit.distributed.data import Data
from robustae.fit.distributed.flat import Flat
from robustae.fit.distributed.shards import Reader, step_rows
from robustae.fit.distributed.sums import TreeSum
from robustae.fit.members import problem_of
from robustae.solvers.objective import Preprocessing, Problem
from robustae.utils.checks import InputError

__all__ = ["Descent", "RowsToProblem", "State"]

PLACES: dict[str, Callable[[Any], Any]] = {
    "epoch": int,
    "step": int,
    "total": float,
    "history": lambda values: list(map(float, values)),
}


@dataclass
class State:
    """How far a fit is; with the weights and Adam's moments all that it takes to go on.

    Attributes
    ----------
    epoch, step : int
        The next to be done.
    total : float
        Losses of the epoch's steps so far.
    history : list of float
        J by epoch, the start first.
    lam : float or array, shape (d,)
    noise : array, shape (d,)
    """

    lam: Any
    noise: np.ndarray
    epoch: int = 0
    step: int = 0
    total: float = 0.0
    history: list[float] = field(default_factory=list)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what of it is arrays."""
        return {"state.lam": np.atleast_1d(np.asarray(self.lam, float)), "state.noise": self.noise}

    def places(self) -> dict[str, Any]:
        """Return the rest."""
        return {name: getattr(self, name) for name in PLACES}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray], places: dict[str, Any]) -> "State":
        """Undo `arrays` and `places`."""
        lam = arrays["state.lam"]
        known = {name: kind(places[name]) for name, kind in PLACES.items()}
        return cls(lam if len(lam) > 1 else float(lam[0]), arrays["state.noise"], **known)


@dataclass(frozen=True)
class RowsToProblem:
    """How rows become a problem.

    Attributes
    ----------
    preprocessing : Preprocessing
    settings : Settings
    far_off : callable, optional
        Of the encoder's inputs: which rows, too far off, are not learned from.
    """

    preprocessing: Preprocessing
    settings: Settings
    far_off: Callable[[np.ndarray], np.ndarray] | None = None

    def __call__(self, X: np.ndarray, lam: Any) -> Problem:
        """Return the problem that rows pose.

        Raises
        ------
        InputError
            If their squares do not fit the fit's precision.
        """
        problem = problem_of(X, None, self.preprocessing, self.settings)
        if problem.target.dtype != self.settings.dtype:
            raise InputError(
                "the rows hold cells whose squares do not fit dtype='float32': fit with dtype='float64'."
            )
        problem = problem.having(lam=lam, penalty=self.settings.penalty.kept)
        if self.far_off is None:
            return problem
        kept = torch.from_numpy(~self.far_off(problem.inputs.cpu().numpy()))
        return problem.having(weight=kept.to(problem.target))


@dataclass
class Descent:
    """One epoch after the other.

    Attributes
    ----------
    data : Data
    to_problem : RowsToProblem
    flat : Flat
    seed : int
    batch : int
        Rows in a step, of all processes together.
    draws : bool
        Whether the module draws random numbers while it learns.
    """

    data: Data
    to_problem: RowsToProblem
    flat: Flat
    seed: int
    batch: int
    draws: bool
    _readers: tuple[int, dict[int, Reader]] = (-1, {})

    def __post_init__(self) -> None:
        world = self.data.world
        self._sum = TreeSum(world, self.data.layout.owned, world.rank)
        self.p, self.s = len(self.flat.theta), len(self.flat.statistics())

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-self.data.layout.n // self.batch)

    def step(self, state: State, rate: float, stop: bool) -> bool:
        """Take the next step; return whether any process wants to stop.

        Processes send their sums of gradients (p numbers), losses, and running statistics, in one call;
        rows need not be counted by sending: all know whose shards have how many.
        """
        before = self.flat.statistics()
        total = self._sum(lambda shard: self._part(shard, state, before, stop))
        rows = sum(b - a for a, b in (self._places(shard, state) for shard in range(self._shards)))
        share = self.to_problem.settings.mu * rows / self.data.layout.n
        pull = share * self.flat.weights * self.flat.theta.data
        loss, wanted = total[self.p + self.s :].tolist()
        state.total += loss + float(pull @ self.flat.theta.data) / 2
        self.flat.step((total[: self.p] + pull) / rows, rate)
        self.flat.set_statistics(total[self.p : self.p + self.s] / rows)
        state.step += 1
        return wanted > 0

    @property
    def _shards(self) -> int:
        return len(self.data.layout.bounds) - 1

    def _places(self, shard: int, state: State) -> tuple[int, int]:
        return step_rows(self.data.layout.size(shard), state.step, self.steps)

    def _part(self, shard: int, state: State, before: Tensor, stop: bool) -> Tensor:
        """What a shard adds: gradient, running statistics by rows, loss, and whether to stop."""
        sent = torch.zeros(self.p + self.s + 2).to(self.flat.theta)
        sent[-1] = float(stop)
        start, end = self._places(shard, state)
        if start == end:
            return sent
        if self.draws:
            torch.manual_seed(hash((self.seed, state.epoch, state.step, shard)) % 2**63)
        self.flat.set_statistics(before)
        self.flat.collect(sent[: self.p])
        problem = self.to_problem(self._reader(shard, state.epoch).take(start, end), state.lam)
        loss = problem.loss(self.flat.module, slice(None))
        loss.backward()
        sent[self.p : self.p + self.s] = self.flat.statistics() * (end - start)
        sent[-2] = loss.detach() + problem.beyond
        return sent

    def _reader(self, shard: int, epoch: int) -> Reader:
        if self._readers[0] != epoch:
            self._readers = epoch, {}
        readers = self._readers[1]
        if shard not in readers:
            readers[shard] = self.data.reader(shard, self.seed, epoch)
        return readers[shard]
