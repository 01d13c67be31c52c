"""What kind of data some rows are: decided once, where they are read, from their values and shape."""

from dataclasses import dataclass

import numpy as np

from robustae.stats.scales import evenly

__all__ = ["KINDS", "WIDEST", "Kind", "kind_of"]

KINDS = ("numbers", "one unit", "mixed", "images")
WIDEST = 4096  # columns of rows that are ranked as wholes
FEWEST = 64  # columns, below which a shared unit is not considered
NARROW, WIDE = 0.01, 3.0  # range of the median and of the widest column, against that of all cells
ENDS = (0.02, 0.98)  # quantiles that make a range
ROWS, COLUMNS = 1000, 512  # evenly spread, that it is decided by


@dataclass(frozen=True)
class Kind:
    """Of some rows; it travels with them and is kept by the fitted model.

    Attributes
    ----------
    name : {"numbers", "one unit", "mixed", "images"}
        Columns with units of their own; many columns that share one; columns that are not all numbers;
        flattened images.
    image_shape : tuple of int or None
        (height, width[, channels]).
    wide : bool
        Whether columns of one unit are more than half as many as the rows, and at most 4096.
    """

    name: str
    image_shape: tuple[int, ...] | None = None
    wide: bool = False

    @property
    def by_column(self) -> bool:
        """Whether columns have scales of their own."""
        return self.name in ("numbers", "mixed")

    def sentence(self, columns: int) -> str:
        """Return what is assumed, and how to override it; empty where nothing was guessed."""
        if self.name != "one unit":
            return ""
        return (
            f"the {columns} columns share one unit (their ranges are alike) and are scaled as a whole; "
            "image_shape=(height, width[, channels]) means that rows are images, scaling='robust' that "
            "columns have units of their own."
        )


def kind_of(values: np.ndarray, image_shape: tuple[int, ...] | None = None, mixed: bool = False) -> Kind:
    """Return the kind of rows of numbers, whatever their type and wherever they come from.

    Columns share one unit where there are 64 or more, the range (from the 2 % to the 98 % quantile) of the
    median column that varies is at least a hundredth of that of all cells together, and the widest column's
    at most three times it: pixels, embeddings, spectra. A price beside a year does not pass.

    Parameters
    ----------
    values : array, shape (n, d)
        NaN for missing.
    image_shape : tuple of int, optional
        As given, or the shape the rows came in.
    mixed : bool
        Whether the columns are encoded ones of a table that holds more than numbers.
    """
    if mixed:
        return Kind("mixed")
    if image_shape is not None:
        return Kind("images", image_shape)
    if not _share_unit(values):
        return Kind("numbers")
    n, d = values.shape
    return Kind("one unit", None, n < 2 * d and d <= WIDEST)


def _share_unit(values: np.ndarray) -> bool:
    n, d = values.shape
    if d < FEWEST:
        return False
    some = values[np.ix_(evenly(n, ROWS), evenly(d, COLUMNS))].astype(np.float64)
    some = some[:, ~np.isnan(some).all(0)]
    low, high = _quantiles(some, 0)
    widths = (high - low)[high > low]
    first, last = _quantiles(some.ravel(), None)
    whole = float(last - first)
    if not len(widths) or not whole:
        return False
    return float(np.median(widths)) >= NARROW * whole and float(widths.max()) <= WIDE * whole


def _quantiles(cells: np.ndarray, axis: int | None) -> np.ndarray:
    quantile = np.nanquantile if np.isnan(cells).any() else np.quantile
    return quantile(cells, ENDS, axis=axis)
