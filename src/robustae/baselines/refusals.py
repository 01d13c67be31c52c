"""What the compared methods ask of their rows and numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from robustae.data.rows import read_rows
from robustae.utils.checks import InputError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


__all__ = ["complete_rows", "number_above", "whole_number"]


def complete_rows(estimator: "BaseEstimator", X: Any, reset: bool = False) -> np.ndarray:
    """Rows as float64, shape (n, d), of a method that has no place for missing cells."""
    X = read_rows(estimator, X, None, reset).values.astype(np.float64)
    holes = np.argwhere(np.isnan(X))
    if len(holes):
        row, column = holes[0]
        raise InputError(
            f"X: row {row}, column {column} is missing (NaN): {type(estimator).__name__} needs every cell, "
            "fill or leave out."
        )
    return X


def number_above(argument: str, value: Any, bound: float) -> None:
    """Refuse what is not a number above `bound`."""
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not (real and bound < value < np.inf):
        raise InputError(f"{argument}={value!r} must be a number above {bound:g}.")


def whole_number(argument: str, value: Any, least: int = 1) -> None:
    """Refuse what is not a whole number from `least` on."""
    if not hasattr(value, "__index__") or isinstance(value, bool) or value < least:
        raise InputError(f"{argument}={value!r} must be a whole number from {least} on.")
