"""What every loader returns, and how rows are drawn."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from robustae.utils.checks import InputError


@dataclass(frozen=True)
class Dataset:
    """Rows to fit, and what is known about them.

    Attributes
    ----------
    X : array of shape (n, d)
        An image is one flattened row.
    y : int array of shape (n,), or None
        1 = anomaly, 0 = normal, unless the description says otherwise; None where unknown.
    image_shape : tuple of int, or None
        (height, width[, channels]) of a row; None for tables.
    description : str
        What it is and where it comes from.
    columns : list of d str, or None
        Names of the columns of a table.
    cells : bool array of shape (n, d), or None
        The cells made wrong, where cells were planted.
    clean : array of shape (n, d), or None
        X before anything was planted.
    """

    X: np.ndarray
    y: np.ndarray | None
    image_shape: tuple[int, ...] | None
    description: str
    columns: list[str] | None = None
    cells: np.ndarray | None = None
    clean: np.ndarray | None = None


def drawn(
    pools: list[np.ndarray],
    counts: Iterable[int],
    random_state: int | None,
    image_shape: tuple[int, ...],
    description: str,
) -> Dataset:
    """Draw rows without replacement from the normal and the anomalous ones, and shuffle them."""
    rng = np.random.default_rng(random_state)
    parts = []
    for pool, count in zip(pools, counts, strict=True):
        if not 0 <= count <= len(pool) or not len(pool):
            raise InputError(f"cannot draw {count} rows: there are {len(pool)} of that kind ({description}).")
        parts.append(pool[rng.permutation(len(pool))[:count]])
    order = rng.permutation(len(parts[0]) + len(parts[1]))
    y = np.repeat([0, 1], [len(part) for part in parts])
    return Dataset(np.concatenate(parts)[order], y[order], image_shape, description)


def film(frames: np.ndarray, description: str) -> Dataset:
    """Return frames (n, height, width) as rows."""
    return Dataset(
        frames.reshape(len(frames), -1), None, frames.shape[1:], f"film by a fixed camera: {description}"
    )
