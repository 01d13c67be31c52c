"""What an experiment consists of: jobs, each named by its key, that give rows of measures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Cannot", "Experiment", "Job", "Plan", "Row"]

Row = dict[str, Any]


class Cannot(Exception):
    """A method that cannot do a job; the reason becomes the row's `status`."""


@dataclass(frozen=True)
class Job:
    """Something to measure.

    Attributes
    ----------
    key : dict
        Names the row, for instance {"set": "USPS 1v7", "draw": 3, "method": "RPCA"}.
    run : callable
        Returns the measures: one row, or several with key columns of their own. It loads what data it
        needs (a job that never runs costs nothing). It may name its own `status` and `seconds`. Raises
        Cannot where the method cannot, and `robustae.utils.checks.NotFound` where the data are not here.
    """

    key: dict[str, str | int | float]
    run: Callable[[], list[Row] | Row]


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes
    ----------
    quick : bool
        Small data that come along, few draws: shows that it runs.
    draws : int or None
        Draws of each set; None: as many as the experiment has.
    methods, sets : tuple of str, or None
        The only ones to run; None: all. The runner leaves the others' jobs out.
    seed : int
        Of the draws and methods.
    """

    quick: bool = False
    draws: int | None = None
    methods: tuple[str, ...] | None = None
    sets: tuple[str, ...] | None = None
    seed: int = 0

    def numbers(self, draws: int) -> range:
        """Return the numbers of the draws, of which the experiment has `draws` by default."""
        return range(draws if self.draws is None else self.draws)

    def seed_of(self, draw: int) -> int:
        """Seed of a draw: its number for seed 0, and never another seed's below 1000 draws."""
        return 1000 * self.seed + draw


class Experiment(Protocol):
    """A module that is an experiment.

    It may have PROTOCOL (int), to be raised when old rows are no longer comparable, NOTE (str), what
    to know to read its table, and REFERENCE (str), the method that its summary compares with the others.
    """

    NAME: str
    KEY: tuple[str, ...]

    def jobs(self, plan: Plan) -> Iterator[Job]:
        """All jobs, ordered by set, draw and method, so that data are loaded once."""
        ...

    def summary(self, rows: list[Row]) -> list[Row]:
        """Mean, deviation over draws, paired difference with its interval, chance (see `summaries`)."""
        ...

    def pictures(self, folder: Any, plan: Plan) -> list[Any]:
        """Write NAME_*.png, from folder/NAME.csv or by new fits, and return their paths."""
        ...
