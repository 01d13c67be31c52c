"""How far a long pass over rows is: rows so far, rows a second, time left, on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Pace", "pace"]

EVERY = {True: 0.2, False: 10.0}  # seconds between two reports to a terminal, to a file


class Pace:
    """Callback for passes over sources: ``pace(rows so far, rows in all or None)``.

    Parameters
    ----------
    about : int or None
        An estimate of the rows in all, for sources that do not know.
    clock : callable
        Seconds.
    """

    def __init__(self, about: int | None = None, clock: Callable[[], float] = time.monotonic):
        self._about, self._clock = about, clock
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
        speed = rows / max(seconds, 1e-9)
        expected = total or self._about
        of = f" of {'' if total else 'about '}{_many(expected)}" if expected else ""
        left = f", {_duration((expected - rows) / speed)} left" if expected and rows <= expected else ""
        return f"{_many(rows)}{of} rows, {_many(round(speed))} rows/s{left}"

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
