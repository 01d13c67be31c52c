"""How far long work is: a bar for fits in memory, rows a second and time left for passes over many rows."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Callback", "Pace", "RowsTold", "pace", "rows_shown", "shown"]

EVERY = {True: 0.2, False: 10.0}  # seconds between two reports to a terminal, to a file

Callback = Callable[[int, int, float], Any]
"""Called with the iteration, iterations at most, and J."""

RowsTold = Callable[[str, int, int | None], None]
"""Called with what is done ("read", "fit"), the rows so far, and the rows in all, None where not known."""


@contextmanager
def shown(verbose: int, callback: Callback | None) -> Iterator[Callback | None]:
    """Yield the callback to hand to a solver: the user's, and with `verbose` a bar on standard error."""
    if not verbose:
        yield callback
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("fit"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  J = {task.fields[J]:.6g}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("fit", total=None, J=float("nan"))

        def tell(iteration: int, at_most: int, J: float) -> None:
            bar.update(task, completed=iteration, total=at_most, J=J)
            if callback is not None:
                callback(iteration, at_most, J)

        yield tell


class Pace:
    """Callback for passes over sources: ``pace(rows so far, rows in all or None)``.

    Parameters
    ----------
    about : int or None
        An estimate of the rows in all, for sources that do not know.
    clock : callable
        Seconds.
    what : str
        What is done with the rows, in a word.
    begun : int
        Rows that were done before.
    """

    def __init__(
        self,
        about: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        what: str = "",
        begun: int = 0,
    ):
        self._about, self._clock, self._what, self._begun = about, clock, what, begun
        self._terminal = sys.stderr.isatty()
        self._start = self._told = clock()
        self._shown = False

    def __call__(self, rows: int, total: int | None) -> None:
        now = self._clock()
        if now - self._told < EVERY[self._terminal]:
            return
        self._told, self._shown = now, True
        text = self.text(rows, total, now - self._start)
        sys.stderr.write(f"\r{text}\033[K" if self._terminal else f"{text}\n")
        sys.stderr.flush()

    def text(self, rows: int, total: int | None, seconds: float) -> str:
        """Return the report in words."""
        speed = (rows - self._begun) / max(seconds, 1e-9)
        expected = total or self._about
        of = f" of {'' if total else 'about '}{_many(expected)}" if expected else ""
        left = (
            f", {_duration((expected - rows) / speed)} left"
            if speed and expected and rows <= expected
            else ""
        )
        return f"{self._what} {_many(rows)}{of} rows, {_many(round(speed))} rows/s{left}".lstrip()

    def clear(self) -> None:
        """Take the report off the terminal."""
        if self._shown and self._terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def _many(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


@contextmanager
def pace(about: int | None = None) -> Iterator[Pace]:
    """Yield a callback that reports, and clear up after it."""
    shown = Pace(about)
    try:
        yield shown
    finally:
        shown.clear()


@contextmanager
def rows_shown(verbose: Any, progress: RowsTold | None) -> Iterator[RowsTold | None]:
    """Yield what is told of rows read or fitted: the user's, and with `verbose` a `Pace` of each."""
    if not verbose:
        yield progress
        return
    paces: dict[str, Pace] = {}

    def tell(what: str, rows: int, of: int | None) -> None:
        if what not in paces:
            paces[what] = Pace(what=what, begun=rows)
        paces[what](rows, of)
        if progress is not None:
            progress(what, rows, of)

    try:
        yield tell
    finally:
        for shown in paces.values():
            shown.clear()
