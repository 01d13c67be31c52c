"""Signals: another handler for a while."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["ENDING", "handled", "interrupting"]

ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def handled(handler: Callable[[int, Any], Any], *numbers: int) -> Iterator[None]:
    """Have signals handled by `handler` inside the block, and as before after it.

    Only the main thread gets signals: in another one nothing is changed.
    """
    try:
        before = {number: signal.signal(number, handler) for number in numbers}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def interrupting() -> Any:
    """Let Ctrl-C raise KeyboardInterrupt inside the block: a long pass then finishes what is done."""
    return handled(signal.default_int_handler, signal.SIGINT)
