"""Numbers that people write where a value is missing, such as -999."""

from collections.abc import Iterable

import numpy as np

__all__ = ["marks_of"]

MARKS = frozenset(sign * int("9" * digits) for sign in (-1, 1) for digits in range(2, 7)) - {99}
FEWEST = 2


def marks_of(columns: Iterable[tuple[str, np.ndarray]]) -> list[str]:
    """Say which columns of numbers hold such as -999 several times, far from all other values."""
    return [
        f"column {name!r} holds {value:g} in {count} rows, far from all its other values: where that means "
        "missing, empty those cells"
        for name, values in columns
        for value, count in _far(values)
    ]


def _far(values: np.ndarray) -> list[tuple[float, int]]:
    ends = {np.nanmin(values), np.nanmax(values)} if not np.isnan(values).all() else set()
    return [
        (float(end), int((values == end).sum()))
        for end in sorted(ends & MARKS)
        if (values == end).sum() >= FEWEST and _is_far(end, values[(values == values) & (values != end)])
    ]


def _is_far(end: float, others: np.ndarray) -> bool:
    """Whether a value is further from all others than these are from each other."""
    return len(others) > 0 and np.abs(others - end).min() > others.max() - others.min()
