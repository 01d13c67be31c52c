"""Columns that number or name the rows: no measurement."""

import re

import numpy as np

__all__ = ["index_reason"]

# How data frames call the row numbers that they write before their columns, and how people call keys.
_TITLES = re.compile(
    r"(unnamed: \d+|column 0|rownames|row(_?(id|num|number|nr|no))?|index|level_0|.*[ _.-]id|id)"
)
_FEW_ROWS = 20  # rows from which whole numbers in equal steps are no accident


def index_reason(name: str, values: np.ndarray) -> str:
    """Why a column of numbers only numbers the rows; empty where it measures something.

    Parameters
    ----------
    name : str
    values : array, shape (n,)
        NaN where missing.
    """
    titled = bool(_TITLES.fullmatch(name.strip().lower()))
    if len(values) < (3 if titled else _FEW_ROWS) or not _whole(values):
        return ""
    steps = np.diff(np.sort(values))
    if steps[0] > 0 and (steps == steps[0]).all():
        return "row numbers"
    return "an identifier: another number in every row" if titled and (steps > 0).all() else ""


def _whole(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all() and (values == np.floor(values)).all())
