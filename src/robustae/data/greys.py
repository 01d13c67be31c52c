"""Frames of any numbers as bytes: which value is black and which is white."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from robustae.utils.checks import InputError

__all__ = ["Range", "between", "bytes_of", "check_numbers", "checked_range"]

Range = tuple[float, float]  # black and white

WHITES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)  # of floats; of 8 to 16 bits
BEYOND = 1e-3  # of the values may lie beyond black or white: a cell or two decide nothing
BELOW = 0.02  # of white that values may lie below 0, as filters leave them
SEEN, FRAMES = 4096, 64  # values of a frame, frames

Frames = Callable[[], Iterator[np.ndarray]]
Convert = Callable[[np.ndarray], np.ndarray]


def bytes_of(name: str, dtype: np.dtype, frames: Frames) -> tuple[Convert, str | None]:
    """Return what makes a frame of this type uint8, and a sentence on the range where it was not obvious.

    Floats and wide integers are read once for it.

    Raises
    ------
    InputError
        If values are no numbers, not finite, or integers beyond 0 to 255 of another type than uint16.
    """
    if dtype == np.uint8:
        return np.asarray, None
    if dtype == np.bool_:
        return lambda frame: frame.astype(np.uint8) * np.uint8(255), None
    check_numbers(name, dtype)
    lowest, highest, usual = _read(name, frames())
    if dtype.kind != "f" and dtype != np.uint16:
        _check_whole(name, dtype, lowest, highest)
        return lambda frame: frame.astype(np.uint8), None
    black, white = _range(usual, 255.0 if dtype == np.uint16 else 1.0)
    obvious = black == 0 and (white == 65535 if dtype == np.uint16 else white <= 255) and highest <= white
    remark = (
        f"Values from {black:g} to {white:g} are taken for black to white (they reach from {lowest:g} to "
        f"{highest:g}): --range sets it."
    )
    return between(black, white), None if obvious else remark


def between(black: float, white: float) -> Convert:
    """Return what makes a frame uint8 for this range; values beyond are clipped."""
    gain = np.float64(255) / (white - black)
    return lambda frame: np.clip(np.rint((frame.astype(np.float64) - black) * gain), 0, 255).astype(np.uint8)


def checked_range(value: Any) -> Range:
    """Return black and white from a pair or from text such as "0,4095".

    Raises
    ------
    InputError
        If it is no pair of finite numbers that rise.
    """
    try:
        black, white = (float(part) for part in (value.split(",") if isinstance(value, str) else value))
    except (TypeError, ValueError):
        black = white = np.nan
    if not (np.isfinite([black, white]).all() and black < white):
        raise InputError(f"range={value!r} must be the values of black and white, for instance 0,4095.")
    return black, white


def check_numbers(name: str, dtype: np.dtype) -> None:
    """Refuse what holds no numbers."""
    if dtype.hasobject:
        raise InputError(f"{name!r} holds Python objects, not numbers.")
    if dtype.kind not in "biuf":
        raise InputError(f"{name!r} holds values of type {dtype}: numbers are needed.")


def _read(name: str, frames: Iterator[np.ndarray]) -> tuple[float, float, np.ndarray]:
    """The least and largest value, and some values of some frames."""
    lowest, highest, some, step = np.inf, -np.inf, [], 1
    for number, frame in enumerate(frames):
        if not np.isfinite(frame).all():
            raise InputError(f"frame {number} of {name!r} has values that are NaN or infinite.")
        lowest, highest = min(lowest, float(frame.min())), max(highest, float(frame.max()))
        if number % step == 0:
            some.append(frame.reshape(-1)[:: max(1, frame.size // SEEN)].astype(np.float64))
        if len(some) > FRAMES:
            some, step = some[::2], 2 * step
    return lowest, highest, np.concatenate(some)


def _range(values: np.ndarray, least: float) -> Range:
    low, high = np.quantile(values, (BEYOND, 1 - BEYOND), method="inverted_cdf")
    white = next((white for white in WHITES if max(high, least) <= white), float(high))
    return (0.0, white) if low >= -BELOW * white else (float(low), float(high))


def _check_whole(name: str, dtype: np.dtype, lowest: float, highest: float) -> None:
    if lowest < 0 or highest > 255:
        found = f"values from {lowest:.0f} to {highest:.0f} of type {dtype}"
        raise InputError(f"{name!r} holds {found}: use uint8 (0 to 255), uint16 (0 to 65535) or floats.")
