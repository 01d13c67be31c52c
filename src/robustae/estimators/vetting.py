"""A model read from a file is tried before anybody gets it: what a description claims need not be so."""

import math
from typing import Any

import numpy as np

from robustae.data.columns import Columns
from robustae.data.rows import NumberRows
from robustae.estimators.rows import RowMethods
from robustae.fit.mixed import MixedRows
from robustae.fit.model import LARGEST, Model

__all__ = ["vetted"]

# Deviations from the centre, in every column, of the rows that are scored. What has as many rows by chance
# is found out by another number of them.
TRIED = ((-2.0, 0.0, 2.0), (-1.0, 1.0))
MOST_GAIN = 100  # powers of ten: of all weights' sizes, multiplied
MOST_DIGITS = 3  # in the number of digits after the point
NUMBERS = ("mu_", "objective_", "offset_")
COUNTS = ("n_iter_", "n_features_in_")


def vetted(estimator: RowMethods) -> None:
    """Refuse an estimator whose parts do not fit together, whatever file it is from.

    Raises
    ------
    TypeError, ValueError, or whatever goes wrong in it
        For `artifact.damage_named` to report.
    """
    _check_state(estimator)
    if estimator.plan_ is not None:
        _check_plan(estimator.plan_, len(estimator.models_[0].fill))
    if estimator.predictor_name_:
        for model in estimator.models_:
            _check_gain(model)
    with np.errstate(all="ignore"):
        for model in estimator.models_:
            found = [part for deviations in TRIED for part in _tried(model, estimator.plan_, deviations)]
            # A module of one's own may be undefined there.
            if estimator.predictor_name_ and not all(np.isfinite(values).all() for values in found):
                raise ValueError("it does not score its own centre")


def _check_state(estimator: RowMethods) -> None:
    _check_kinds(estimator)
    columns = estimator.n_features_in_
    if not _is_shape(estimator.kind_.image_shape, columns):
        raise ValueError(f"the kind of the data has no shape of {columns} columns")
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and (names.shape != (columns,) or not all(isinstance(n, str) for n in names)):
        raise ValueError(f"{len(names)} names are given to {columns} columns")
    if not estimator.models_ or columns != _width(estimator):
        raise ValueError(f"{columns} columns are not those of the model")
    energies, weight = estimator._energies_of_fit
    if energies.ndim != 1 or not energies.size or not np.isfinite(energies).all():
        raise ValueError("the energies of the fit are damaged")
    if weight is not None and (weight.shape != energies.shape or not (weight >= 0).all()):
        raise ValueError("the weights of the fit are damaged")


def _check_kinds(estimator: RowMethods) -> None:
    calibration = estimator.calibration_
    numbers = [*(getattr(estimator, name) for name in NUMBERS), calibration.rate]
    numbers += [*estimator.history_, *(model.unit for model in estimator.models_)]
    if not all(_is_number(value) for value in numbers):
        raise TypeError("a number is none")
    if not all(1 / LARGEST < model.unit < LARGEST for model in estimator.models_):
        raise ValueError("a unit of energies is not above 0, or too large")
    if not all(type(getattr(estimator, name)) is int for name in COUNTS):
        raise TypeError("a count is none")
    if not calibration.sound:
        raise ValueError("the energies of clean rows are damaged")
    if not type(estimator.status_) is type(estimator.kind_.name) is str:
        raise TypeError("the status or the kind of data is no text")


def _is_shape(shape: Any, columns: int) -> bool:
    whole = isinstance(shape, tuple) and len(shape) in (2, 3) and all(type(side) is int for side in shape)
    return shape is None or whole and min(shape) > 0 and math.prod(shape) == columns


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(float(value)))


def _check_plan(plan: Columns, encoded: int) -> None:
    """Refuse columns that would be encoded as more numbers than the model has, or written as long texts."""
    for column in plan.columns:
        texts = (column.name, column.kind, column.why, column.form)
        if not all(isinstance(text, str) for text in texts) or type(column.own) is not int:
            raise TypeError("a column is none")
        if column.graded and not 1 <= column.own <= len(column.levels) == len(column.shares):
            raise ValueError(f"column {column.name[:40]!r} has other levels than it lists")
        if column.kind == "number" and column.form and not _is_short(column.form):
            raise ValueError(f"column {column.name[:40]!r} has no such digits")
    if sum(column.width for column in plan.columns) != encoded:
        raise ValueError(f"the columns of the table are not encoded as {encoded}")


def _is_short(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS


def _check_gain(model: Model) -> None:
    """Refuse weights whose products overflow, wherever they happen to cancel."""
    sizes = [float(values.double().norm()) for values in model.predictor.state_dict().values()]
    if not np.isfinite(sizes).all() or np.log10(np.maximum(sizes, 1)).sum() > MOST_GAIN:
        raise ValueError("its weights are too large")


def _width(estimator: RowMethods) -> int:
    if estimator.plan_ is not None:
        return len(estimator.plan_.columns)
    return len(estimator.models_[0].fill)


def _tried(model: Model, plan: Columns | None, deviations: tuple[float, ...]) -> list[np.ndarray]:
    """Score some rows, and look at their cells."""
    cells = model.scaling.inverse(model.fill + np.outer(deviations, np.ones_like(model.fill)))
    rows = _rows(cells, plan)
    found = [rows.energies(model)]
    for block in model.blocks(rows.values):
        found += [rows.deviations(model, block), rows.shares(model, block)]
        found += [block.Zhat, model.outliers_of(block)]
    if found[0].shape != (len(cells),):
        raise ValueError("it does not give one score a row")
    return found


def _rows(cells: np.ndarray, plan: Columns | None) -> NumberRows:
    if plan is None:
        return NumberRows(cells, cells.shape)
    table = plan.decode(cells)
    return MixedRows(plan.encode(table), cells.shape, None, None, table, plan)
