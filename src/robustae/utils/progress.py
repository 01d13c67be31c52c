"""How far long work is: one line on standard error with what is done, how fast, and what is left."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Callback", "Progress", "StageCallback", "fit_shown", "shown", "stages_shown"]

EVERY = {True: 0.2, False: 10.0}  # seconds between two reports to a terminal, to a file

Callback = Callable[[int, int, float], Any]
"""Called with the iteration, iterations at most, and J."""

StageCallback = Callable[[str, int, int | None], None]
"""Called with the stage ("read", "fit"), what is done of it, and how much it is in all, None if not known."""


class Progress:
    """Callback for long work: ``progress(done so far, in all or None, note)``.

    On a terminal one line that changes, elsewhere a line every ten seconds.

    Parameters
    ----------
    what : str
        What is done, in a word.
    unit : str
        What is counted.
    about : int or None
        An estimate of how many in all, where that is not known.
    begun : int
        How many were done before.
    every : float or None
        Seconds between two reports that go to a file.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        what: str = "",
        unit: str = "rows",
        about: int | None = None,
        begun: int = 0,
        every: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._what, self._unit, self._about, self._begun, self._clock = what, unit, about, begun, clock
        self._terminal = sys.stderr.isatty()
        self._every = EVERY[self._terminal] if self._terminal or every is None else every
        self._start = self._latest = clock()
        self._shown = False

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        now = self._clock()
        if now - self._latest >= self._every:
            self._latest = now
            self.show(self.text(done, total, now - self._start, note))

    def show(self, text: str) -> None:
        """Write a line, over the one before on a terminal."""
        self._shown = True
        sys.stderr.write(f"\r{text}\033[K" if self._terminal else f"{text}\n")
        sys.stderr.flush()

    def text(self, done: int, total: int | None, seconds: float, note: str = "") -> str:
        """Return the report in words."""
        speed = (done - self._begun) / max(seconds, 1e-9)
        expected = total or self._about or 0
        of = f" of {'' if total else 'about '}{_many(expected)}" if expected else ""
        parts = [
            f"{self._what} {_many(done)}{of} {self._unit}".lstrip(),
            f"{_many(round(speed))} {self._unit}/s" if round(speed) else "",
            f"{_duration((expected - done) / speed)} left" if speed > 0 and done <= expected else "",
            note,
        ]
        return ", ".join(part for part in parts if part)

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
def shown(*args: Any, **settings: Any) -> Iterator[Progress]:
    """Yield a `Progress`, and clear up after it."""
    progress = Progress(*args, **settings)
    try:
        yield progress
    finally:
        progress.clear()


@contextmanager
def fit_shown(verbose: int, callback: Callback | None) -> Iterator[Callback | None]:
    """Yield the callback to hand to a solver: the user's, and with `verbose` a report that ends in a line."""
    if not verbose:
        yield callback
        return
    begin, last = time.monotonic(), None
    with shown("fit", "iterations") as progress:

        def report(iteration: int, at_most: int, J: float) -> None:
            nonlocal last
            last = f"fit: {iteration} iterations of at most {at_most}, J = {J:.6g}"
            progress(iteration, at_most, f"J = {J:.6g}")
            if callback is not None:
                callback(iteration, at_most, J)

        yield report
    if last:
        sys.stderr.write(f"{last}, {_duration(time.monotonic() - begin)}\n")


@contextmanager
def stages_shown(
    verbose: Any, callback: StageCallback | None = None, unit: str = "rows"
) -> Iterator[StageCallback | None]:
    """Yield the callback for work in stages: the user's, and with `verbose` a `Progress` of each stage."""
    if not verbose:
        yield callback
        return
    each: dict[str, Progress] = {}

    def clear() -> None:
        for progress in each.values():
            progress.clear()

    def report(what: str, done: int, of: int | None) -> None:
        if what not in each:
            clear()
            each[what] = Progress(what, unit, begun=done)
        each[what](done, of)
        if callback is not None:
            callback(what, done, of)

    try:
        yield report
    finally:
        clear()
