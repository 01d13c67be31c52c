"""Texts of many kinds as a few numbers: least hashes of their letter groups (Cerda and Varoquaux 2020)."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from robustae.data.column_kinds import TEXT_PARTS
from robustae.data.values import is_level_missing
from robustae.utils.checks import need

__all__ = ["parts_of", "unusable"]

HALF = 2.0**31  # hashes lie within +- this


def unusable() -> str:
    """Why texts cannot be used here; empty where they can."""
    if find_spec("skrub") and find_spec("pandas"):
        return ""
    return "pip install 'robustae[text]' makes numbers of them"


def parts_of(values: np.ndarray) -> np.ndarray:
    """Return numbers of about [0, 20] for each text, NaN where missing, shape (n, TEXT_PARTS).

    A least hash h out of m letter groups is uniform ** (1 / m): -log of its place is exponential.
    """
    missing = is_level_missing(values)
    parts = np.full((len(values), TEXT_PARTS), np.nan)
    if not missing.all():
        parts[~missing] = _hashes([str(cell) for cell in values[~missing]])
    return parts


def _hashes(texts: list[str]) -> np.ndarray:
    encoder: Any = need("text", "skrub", "making numbers of texts").MinHashEncoder(n_components=TEXT_PARTS)
    series = need("text", "pandas", "making numbers of texts").Series(texts, name="text")
    hashes = np.asarray(encoder.fit_transform(series), dtype=np.float64)
    return -np.log(np.clip((hashes + HALF) / (2 * HALF), 2.0**-32, 1.0))
