"""The most memory a piece of work held, where the system reports it (Linux)."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["with_peak"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def with_peak(work: Callable[[], Any]) -> tuple[Any, float | None]:
    """Return what `work` returns, and the MiB it held at most beyond those held before (None: not known)."""
    gc.collect()
    before = _resident("VmRSS") if _restarted() else None
    found = work()
    return found, None if before is None else max(0.0, _resident("VmHWM") - before)


def _restarted() -> bool:
    """Let the system's high-water mark begin anew, without memory that was freed but not given back."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        _RESET.write_text("5")
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return False
    return True


def _resident(name: str) -> float:
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024
