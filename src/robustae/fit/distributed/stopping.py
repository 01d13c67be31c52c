"""Ctrl-C and SIGTERM as a wish that all processes of a fit follow together, between two steps."""

import os
import signal
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from robustae.utils.signals import ENDING, handled

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
        self._handled = ExitStack()

    def __enter__(self) -> "Stopping":
        own = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        ours = [number for number in ENDING if signal.getsignal(number) is own[number]]
        self._handled.enter_context(handled(self._note, *ours))
        return self

    def _note(self, number: int, _: Any) -> None:
        if number == signal.SIGINT and self.wanted and time.monotonic() - self._since > PATIENCE:
            raise KeyboardInterrupt
        self._since = self._since if self.wanted else time.monotonic()
        self.wanted, self._last = True, number

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._handled.close()
        if kind is None and self._last == signal.SIGTERM:
            os.kill(os.getpid(), signal.SIGTERM)
