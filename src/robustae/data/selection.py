"""Which frames of a clip, and how large: what `start`, `stop`, `every` and `scale` mean."""

import math
from collections.abc import Callable
from typing import Any

from robustae.utils.checks import InputError

NumberAt = Callable[[float], int]
"""From seconds to the first frame that is shown at that time or later."""

_LARGEST = 16384  # pixels a side, more than any film has


def frame_window(start: Any, stop: Any, every: Any, number_at: NumberAt) -> tuple[int, int | None, int]:
    """Return the number of the first frame, that of the first one left out (or None), and the stride."""
    first = 0 if start is None else _frame("start", start, number_at)
    last = None if stop is None else _frame("stop", stop, number_at)
    if last is not None and last <= first:
        begin = "the first frame" if start is None else f"start={start!r}"
        raise InputError(f"stop={stop!r} must come after {begin}: no frame is left.")
    if isinstance(every, bool) or not hasattr(every, "__index__") or every < 1:
        raise InputError(f"every={every!r} must be a whole number from 1: 2 keeps every second frame.")
    return first, last, int(every)


def new_size(scale: Any, height: int, width: int) -> tuple[int, int]:
    """Return height and width in pixels of frames after scaling."""
    if scale is None:
        return height, width
    try:
        size = _size(scale, height, width)
    except (TypeError, ValueError, OverflowError):
        example = "a factor (0.5), (width, height) or '320x240'"
        raise InputError(f"scale={scale!r} is not understood: use {example}.") from None
    if min(size) < 1 or max(size) > _LARGEST:
        made = f"{size[1]} x {size[0]} pixels of {width} x {height}"
        raise InputError(f"scale={scale!r} would make {made}: each side must be from 1 to {_LARGEST}.")
    return size


def _size(scale: Any, height: int, width: int) -> tuple[int, int]:
    if isinstance(scale, str) and "x" in scale.lower():
        scale = [int(side) for side in scale.lower().split("x")]
    if isinstance(scale, list | tuple):
        across, down = scale
        return int(down), int(across)
    factor = float(scale)
    if factor <= 0:
        raise ValueError
    return round(height * factor), round(width * factor)


def _frame(argument: str, value: Any, number_at: NumberAt) -> int:
    number = _number(value, number_at)
    if number is None or number < 0:
        hint = "a number of a frame from 0, or a time such as '12.5s' or '1:02'"
        raise InputError(f"{argument}={value!r} is not understood: use {hint}.")
    return number


def _number(value: Any, number_at: NumberAt) -> int | None:
    if not isinstance(value, str):
        return int(value) if hasattr(value, "__index__") and not isinstance(value, bool) else None
    if value.strip().isdecimal():
        return int(value)
    seconds = _seconds(value.strip())
    return None if seconds is None else number_at(seconds)


def _seconds(text: str) -> float | None:
    clock = text.split(":") if ":" in text else [text.removesuffix("s")] if text.endswith("s") else []
    try:
        parts = [float(part) for part in clock]
    except ValueError:
        return None
    usable = 1 <= len(parts) <= 3 and all(0 <= part < math.inf for part in parts)
    if not usable or any(part >= 60 for part in parts[1:]):
        return None
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))
