"""Ctrl-C and SIGTERM as a wish that all processes of a fit follow together, between two steps."""

import os
import signal
import threading
import time
from types import TracebackType
from typing import Any

__all__ = ["Stopping"]

PATIENCE = 2.0  # seconds after which a second Ctrl-C is meant: launchers repeat the first


class Stopping:
    """While it lasts, SIGINT and SIGTERM are noted instead of obeyed at once.

    A second Ctrl-C, later than two seconds after the first, interrupts as usual. SIGTERM is obeyed on
    leaving. Handlers that are not Python's own are left alone.

    Attributes
    ----------
    wanted : bool
    """

    def __init__(self) -> None:
        self.wanted, self._since, self._last = False, 0.0, 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is threading.main_thread():
            for number, own in (
                (signal.SIGINT, signal.default_int_handler),
                (signal.SIGTERM, signal.SIG_DFL),
            ):
                if signal.getsignal(number) is own:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, _: Any) -> None:
        if number == signal.SIGINT and self.wanted and time.monotonic() - self._since > PATIENCE:
            raise KeyboardInterrupt
        self._since = self._since if self.wanted else time.monotonic()
        self.wanted, self._last = True, number

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None and self._last == signal.SIGTERM:
            os.kill(os.getpid(), signal.SIGTERM)
