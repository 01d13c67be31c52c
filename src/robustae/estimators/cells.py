"""The estimator's methods that give results by cell."""

from typing import Any

import numpy as np

from robustae.data.rows import NumberRows
from robustae.estimators.rows import RowMethods
from robustae.fit.cellwise import judged
from robustae.fit.explain import FLAG_AT, explanation, flags_of, repaired
from robustae.fit.members import one_thread_for
from robustae.fit.model import Block
from robustae.utils.checks import InputError

__all__ = ["CellMethods"]


class CellMethods(RowMethods):
    """What a fitted estimator knows of cells.

    In a mixed table (see `robustae.fit.mixed`) a cell is one of a source column, its values as written,
    and tables come back as they came in: as a DataFrame. Columns left out are missing there.
    """

    def _cells(self, rows: NumberRows, *functions: Any, dtype: Any = None) -> list[np.ndarray]:
        """Fill one array for each function of a block, in one pass, shape (n, columns)."""
        dtype = dtype or (np.float32 if rows.values.dtype == np.float32 else np.float64)
        out: list[np.ndarray] = []
        with one_thread_for(self.predictor):
            for block in self.models_[0].blocks(rows.values):
                parts = [function(block) for function in functions]
                out = out or [np.empty((len(rows.values), part.shape[1]), dtype) for part in parts]
                for values, part in zip(out, parts, strict=True):
                    values[block.rows] = part
        return out

    def _reconstruction(self, block: Block) -> np.ndarray:
        return self.models_[0].scaling.inverse(block.Zhat)

    def _outlier_part(self, block: Block) -> np.ndarray:
        model = self.models_[0]
        return model.scaling.outlier_part(block.Zhat, model.outliers_of(block))

    def reconstruct(self, X):
        """Xhat, of X's shape and units."""
        rows = self._rows(X)
        return rows.decoded(self._cells(rows, self._reconstruction)[0])

    def outliers(self, X):
        """N, of X's shape and units: the proximal step on the residuals, equation (6) for l1.

        Of a category in a mixed table it is the norm of its one-hot cells' N: 0 for none.
        """
        rows = self._rows(X)
        return rows.sizes(self._cells(rows, self._outlier_part)[0])

    def split(self, X):
        """Return (reconstruct(X), outliers(X)) in one pass."""
        rows = self._rows(X)
        Xhat, N = self._cells(rows, self._reconstruction, self._outlier_part)
        return rows.decoded(Xhat), rows.sizes(N)

    def cell_scores(self, X):
        """Residuals in noise deviations, of X's shape; 0 for missing cells.

        Where the predictor can leave cells out, they are those about what the sound cells of the row predict.

        Of a category in a mixed table it is how unlikely the level is: a probability p is as far off
        as a Gaussian value beyond which, both ways, lies p.
        """
        rows, model = self._rows(X), self.models_[0]
        cells = self._cells(rows, lambda block: rows.deviations(model, judged(model, rows, block, FLAG_AT)))
        return rows.framed(cells[0])

    def flags(self, X, cut=FLAG_AT):
        """Cells called outlying, of X's shape, bool: over `cut` noise deviations off, whatever lam is."""
        rows, model = self._rows(X), self.models_[0]
        return rows.framed(self._cells(rows, lambda block: flags_of(model, rows, block, cut), dtype=bool)[0])

    def repaired(self, X, cut=FLAG_AT, passes=0):
        """X with flagged and missing cells replaced by Xhat, all others untouched to the last bit.

        Parameters
        ----------
        X : array or DataFrame
        cut : float
            Noise deviations beyond which a cell is replaced.
        passes : int
            Times that rows with such cells are encoded again with Xhat in their place, so that a
            wrong cell does not speak for itself.

        Returns
        -------
        array, of X's shape; of a mixed table a table like it
            Columns of whole numbers stay so; a text of many kinds has no Xhat, and stays.
        """
        rows = self._rows(X)
        with one_thread_for(self.predictor):
            return rows.repaired(repaired(self.models_[0], rows, cut, passes))

    def explain(self, X, cut=FLAG_AT, top=None):
        """Account for the flagged cells, those farthest off first.

        Parameters
        ----------
        X : array or DataFrame
        cut : float
            Noise deviations beyond which a cell is flagged.
        top : int, optional
            At most so many cells of each row.

        Returns
        -------
        dict of arrays, or DataFrame where X is one
            row (of a pandas frame its index, else its number), column (name or number), observed,
            expected (Xhat), outlier_part (N; all in X's units), deviations (signed, in noise
            deviations), share (of what makes the row odd), neighbours (what its distance to the nearest
            rows of the fit adds to that); of images also y, x and channel.
            Of a mixed table observed and expected are values as written, in polars their texts.
        """
        rows = self._rows(X)
        names = getattr(self, "feature_names_in_", None)
        with one_thread_for(self.predictor):
            columns = explanation(self.models_[0], rows, names, cut)
        if self.kind_.image_shape is not None:
            columns = _placed(columns, names, self.kind_.image_shape)
        if top is not None:
            columns = _first_of_each_row(columns, top)
        return columns if rows.frame is None else _framed(columns, rows.frame)


def _placed(columns: dict[str, np.ndarray], names: Any, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Add where in the image each cell is."""
    number = columns["column"]
    if names is not None:
        places = {name: place for place, name in enumerate(names)}
        number = np.array([places[name] for name in number], dtype=int)
    y, x, channel = np.unravel_index(number, (*shape, 1)[:3])
    return columns | {"y": y, "x": x, "channel": channel}


def _first_of_each_row(columns: dict[str, np.ndarray], top: int) -> dict[str, np.ndarray]:
    """At most `top` cells of each row, in their order."""
    if isinstance(top, bool) or not hasattr(top, "__index__") or top < 1:
        raise InputError(f"top={top!r} must be a whole number from 1.")
    order = np.argsort(columns["row"], kind="stable")
    row = columns["row"][order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = np.sort(order[place < top])
    return {name: values[kept] for name, values in columns.items()}


def _framed(columns: dict[str, np.ndarray], frame: Any) -> Any:
    """The account as a frame of the library that X is of; rows as the index of pandas calls them."""
    import narwhals as nw

    if not frame.implementation.is_pandas_like():
        return nw.from_dict(_as_texts(columns), backend=frame.implementation).to_native()
    index = frame.to_native().index
    if type(index).__name__ != "RangeIndex":
        named: dict[str, Any] = columns | {"row": [index[i] for i in columns["row"]]}
        return nw.from_dict(named, backend=frame.implementation).to_native()
    return nw.from_dict(columns, backend=frame.implementation).to_native()


def _as_texts(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Objects of several types have no column type outside pandas."""
    return {
        name: np.array([str(cell) for cell in values], dtype=np.str_) if values.dtype.kind == "O" else values
        for name, values in columns.items()
    }
