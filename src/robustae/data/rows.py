"""What users hand in: arrays, frames and images, checked and made rows of numbers."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from robustae.data.dataframes import frame_like, frame_of, replaced
from robustae.data.kinds import Kind, kind_of
from robustae.utils.checks import InputError

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["NumberRows", "checked", "dense", "read_rows", "read_weight", "valid_image_shape"]

HUGE = 1e100
MOST_DENSE = 2**27  # cells of a sparse matrix


@dataclass(frozen=True)
class NumberRows:
    """X as rows.

    Attributes
    ----------
    values : array, shape (n, d)
        float32, float64 or an integer type; NaN where missing.
    shape : tuple of int
        The shape X came in.
    frame : narwhals frame or None
        X, if it was a pandas or polars DataFrame.
    image_shape : tuple of int or None
        Of images.
    """

    values: np.ndarray
    shape: tuple[int, ...]
    frame: Any = None
    image_shape: tuple[int, ...] | None = None

    plan = None  # how encoded columns came about, where they are
    sources = None  # source columns, where some are encoded as several

    @cached_property
    def kind(self) -> Kind:
        """What kind of data the rows are, by their values and shape."""
        return kind_of(self.values, self.image_shape)

    def like(self, values: np.ndarray) -> np.ndarray:
        """Give results the shape X came in, and float32 where X was."""
        dtype = np.float32 if self.values.dtype == np.float32 else np.float64
        return values.astype(dtype, copy=False).reshape(self.shape)

    # What follows differs where columns are encoded: see `robustae.fit.mixed`.

    def shaped(self, values: np.ndarray) -> np.ndarray:
        """Return results of shape (n, d) in X's shape."""
        return values.reshape(self.shape)

    def framed(self, values: np.ndarray) -> Any:
        """Return results of X's shape as a frame, where X was one."""
        if self.frame is None:
            return self.shaped(values)
        return frame_like(self.frame, dict(zip(map(str, self.frame.columns), values.T, strict=True)))

    decoded = sizes = framed

    def repaired(self, values: np.ndarray) -> Any:
        """Return X with the cells replaced that differ in `values`."""
        if self.frame is None:
            return self.shaped(values)
        columns = zip(map(str, self.frame.columns), values.T, self.values.T, strict=True)
        changed = {name: (np.flatnonzero(new != old), new) for name, new, old in columns}
        return replaced(self.frame, {name: (at, new[at]) for name, (at, new) in changed.items() if len(at)})

    def deviations(self, model: Any, block: Any) -> np.ndarray:
        """How far off the cells of a block are, in noise deviations."""
        return model.deviations_of(block)

    def by_cell(self, flags: np.ndarray) -> np.ndarray:
        """Return flags of source columns for every cell."""
        return flags

    norms = by_cell

    def shares(self, model: Any, block: Any) -> np.ndarray:
        """Each cell's part of its row's energy."""
        return model.cell_shares(block)

    def energies(self, model: Any) -> np.ndarray:
        """Energies of the rows, shape (n,)."""
        return model.energies(self.values)

    def observed(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return cells of X."""
        return self.values[rows, columns].astype(np.float64)

    def expected(self, cells: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return cells of a block's reconstruction."""
        return cells[rows, columns]


def read_rows(
    estimator: "BaseEstimator", X: Any, image_shape: tuple[int, ...] | None, reset: bool = False
) -> NumberRows:
    """Validate X with scikit-learn's own checks, images (n, height, width[, channels]) included.

    Raises
    ------
    InputError
        If images have another shape than `image_shape`, or a row has no observed cell.
    ValueError
        From scikit-learn: infinite values, wrong number of columns, sparse or complex data, text.
    """
    from sklearn.utils.validation import validate_data

    frame = frame_of(X)
    shape = _shape_of(X)
    if frame is None and len(shape) > 2:
        X = _flattened(X, shape, image_shape)
    values: Any = validate_data(
        estimator,
        X,
        dtype="numeric",
        ensure_all_finite="allow-nan",
        reset=reset,
        ensure_min_samples=2 if reset else 1,
    )
    if values.dtype.kind == "b" or values.dtype in (np.float16, np.longdouble):
        values = values.astype(np.float64)
    return NumberRows(checked(values), shape if frame is None else values.shape, frame, image_shape)


def dense(X: Any) -> Any:
    """Return a sparse matrix of SciPy as an array, one of another kind as it is.

    Raises
    ------
    InputError
        If it has more than 2^27 cells (1 GiB).
    """
    if not hasattr(X, "toarray") or not hasattr(X, "nnz"):
        return X
    if X.shape[0] * X.shape[1] > MOST_DENSE:
        raise InputError(
            f"X is sparse with {X.shape[0]} x {X.shape[1]} cells, more than {MOST_DENSE} can be made dense: "
            "leave out columns, or hand in blocks of rows (a function that yields them)."
        )
    return X.toarray()


def checked(values: np.ndarray) -> np.ndarray:
    """Return rows of numbers; refuse one without any observed cell, and cells too large to be squared."""
    _refuse_empty_rows(values)
    _refuse_huge(values)
    return values


def _shape_of(X: Any) -> tuple[int, ...]:
    return tuple(X.shape) if hasattr(X, "shape") else np.asarray(X).shape


def _flattened(X: Any, shape: tuple[int, ...], image_shape: tuple[int, ...] | None) -> np.ndarray:
    if image_shape is not None and shape[1:] != tuple(image_shape) and shape[1:] != (*image_shape, 1):
        raise InputError(f"X holds images of shape {shape[1:]}, and image_shape is {tuple(image_shape)}.")
    return np.asarray(X).reshape(shape[0], -1)


def _refuse_empty_rows(values: np.ndarray) -> None:
    if values.dtype.kind != "f" or not np.isnan(values).any():
        return
    empty = np.flatnonzero(np.isnan(values).all(1))
    if len(empty):
        others = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        raise InputError(f"X: row {empty[0]}{others} has no observed cell: leave it out.")


def _refuse_huge(values: np.ndarray) -> None:
    if values.dtype != np.float64:
        return
    with np.errstate(invalid="ignore"):
        low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    if max(-low, high) > HUGE:
        worst = low if -low > high else high
        raise InputError(
            f"X holds {worst:.3g}: cells beyond {HUGE:g} cannot be squared, choose another unit."
        )


def valid_image_shape(image_shape: Any, X: Any, d: int | None = None) -> tuple[int, ...] | None:
    """Return (height, width[, channels]) as given or from X's own shape, or None for tables.

    Raises
    ------
    InputError
        If it is not two or three whole numbers, or does not make d columns.
    """
    shape = _shape_of(X)
    if image_shape is None:
        return shape[1:] if len(shape) in (3, 4) else None
    sides = tuple(image_shape) if isinstance(image_shape, (tuple, list, np.ndarray)) else ()
    if len(sides) not in (2, 3) or not all(hasattr(side, "__index__") and side >= 1 for side in sides):
        raise InputError(f"image_shape={image_shape!r} must be (height, width) or (height, width, channels).")
    sides = tuple(int(side) for side in sides)
    d = int(np.prod(shape[1:])) if d is None else d
    if int(np.prod(sides)) != d:
        raise InputError(f"image_shape={sides} makes {int(np.prod(sides))} columns, and X has {d}.")
    return sides


def read_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Validate row weights: None, or n numbers from 0 on, not all 0."""
    if sample_weight is None:
        return None
    from sklearn.utils.validation import _check_sample_weight

    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weight < 0).any() or not weight.any():
        raise InputError("sample_weight must hold numbers from 0 on, and one above 0.")
    return weight
