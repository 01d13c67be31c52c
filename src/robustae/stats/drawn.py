"""Rows as clean ones would be: cells of the rows of the fit, drawn independently, column by column."""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from robustae.stats.scales import Weight, quantile
from robustae.stats.thresholds import FALSE_ALARMS

__all__ = ["Drawn", "drawn_of", "widened"]

MOST, LEAST, CELLS = 10_000, 1000, 2_000_000  # rows drawn
AT_ONCE = 64  # columns
LOWER, ROUNDS = (0.25, 0.5), 3  # quantiles of the lower part; how often it is looked for
TINY = 1e-300
ATOM = 0.05  # share of equal rows, beyond what independent columns would have, from which they are one value


class Drawn:
    """Which row of the fit each drawn cell comes from.

    Rows that are equal far more often than independent columns would make them (half of a table holding one
    row) are drawn as they are; the cells of others come from others.

    Attributes
    ----------
    count : int
    """

    def __init__(self, n: int, weight: Weight, atoms: np.ndarray, count: int):
        self.count = count
        self._rng = np.random.default_rng(0)
        self._n = n if weight is None else 0
        w = np.ones(n) if weight is None else weight
        self.whole = atoms
        self._upto = np.cumsum(np.where(atoms, 0.0, w))
        share = w[atoms].sum() / w.sum()
        self.as_they_are = self._atoms(w, int(round(share * count)))

    def _atoms(self, w: np.ndarray, count: int) -> np.ndarray:
        """Rows that stand for the first drawn ones."""
        rows = np.flatnonzero(self.whole)
        if not count:
            return np.zeros(0, int)
        upto = np.cumsum(w[rows])
        return rows[np.searchsorted(upto, (np.arange(count) + 0.5) * upto[-1] / count)]

    def rows(self, among: np.ndarray | None = None) -> np.ndarray:
        """Draw a row for each drawn one, `among` some, shape (count,)."""
        if self._n and (among is None or among.all()):
            return self._whole(1)[0]
        upto = self._upto
        if among is not None:
            upto = np.cumsum(np.diff(upto, prepend=0.0) * among)
        places = self._rng.random(self.count) * upto[-1]
        rows = np.minimum(np.searchsorted(upto, places, side="right"), len(upto) - 1)
        rows[: len(self.as_they_are)] = self.as_they_are
        return rows

    def columns(self, observed: np.ndarray) -> Iterator[np.ndarray]:
        """Draw, for every column, a row for each drawn one, among those `observed` there."""
        if not (self._n and observed.all()):
            return (self.rows(column) for column in observed.T)
        starts = range(0, observed.shape[1], AT_ONCE)
        counts = (min(AT_ONCE, observed.shape[1] - start) for start in starts)
        return chain.from_iterable(self._whole(count) for count in counts)

    def _whole(self, columns: int) -> np.ndarray:
        return (self._rng.random((columns, self.count)) * self._n).astype(np.intp)

    def sums(self, cells: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Sum over the columns (or groups) of cells drawn for each, shape (count,)."""
        there = observed if observed.shape == cells.shape else np.ones(cells.shape, bool)
        total = np.zeros(self.count)
        for column, rows in zip(cells.T, self.columns(there), strict=True):
            total += column[rows]
        return total

    def others(self, cells: np.ndarray, observed: np.ndarray, columns: np.ndarray) -> np.ndarray | float:
        """Sum over all columns but some: of so many that it is Gaussian, and only as wide as it has to be."""
        rest = np.ones(cells.shape[1], bool)
        rest[columns] = False
        if not rest.any():
            return 0.0
        w = np.diff(self._upto, prepend=0.0)[:, None] * (1.0 if observed.all() else observed)
        w /= np.maximum(w.sum(0), 1e-9)
        mean = np.einsum("ij,ij->j", w, cells)
        variance = np.einsum("ij,ij,ij->j", w, cells, cells) - mean**2
        sd = np.sqrt(max(float(variance[rest].sum()), 0.0))
        total = mean[rest].sum() + sd * self._rng.standard_normal(self.count)
        total[: len(self.as_they_are)] = cells[self.as_they_are][:, rest].sum(1)
        return total


def drawn_of(X: np.ndarray, weight: Weight) -> Drawn:
    """Prepare to draw rows like those of X, shape (n, d), whose equal rows are merged by weight."""
    n, d = X.shape
    return Drawn(n, weight, _atoms(X, weight), max(LEAST, min(MOST, CELLS // d)))


def _atoms(X: np.ndarray, weight: Weight) -> np.ndarray:
    atoms = np.zeros(len(X), bool)
    if weight is None:
        return atoms
    share = weight / weight.sum()
    for row in np.flatnonzero(share > ATOM):
        alone = np.prod(
            [
                share[(X[:, j] == X[row, j]) | ((X[:, j] != X[:, j]) & (X[row, j] != X[row, j]))].sum()
                for j in range(X.shape[1])
            ]
        )
        atoms[row] = share[row] - alone > ATOM
    return atoms if not atoms.all() else np.zeros(len(X), bool)


def widened(drawn: np.ndarray, energies: np.ndarray, weight: Weight) -> np.ndarray:
    """Spread drawn energies about the median as widely as the lower part of the rows' own.

    Cells that still depend on one another, or err more in some rows than in others, make drawn rows too
    alike. It is the logarithms that are spread; rows that few drawn ones reach are left out of what is
    compared, and its lower part holds no anomaly.
    """
    out, logs = drawn, np.log(np.maximum(drawn, TINY))
    low_drawn, middle_drawn = quantile(logs, LOWER)
    narrow = middle_drawn - low_drawn
    for _ in range(ROUNDS if narrow > 1e-9 else 0):
        inner = energies <= quantile(out, 1 - FALSE_ALARMS)
        low, middle = quantile(np.log(np.maximum(energies[inner], TINY)), LOWER, _of(weight, inner))
        ratio = (middle - low) / narrow
        if not ratio > 1:
            return drawn
        out = np.maximum(np.exp(middle + (logs - middle_drawn) * ratio), drawn)
    return out


def _of(weight: Weight, rows: np.ndarray) -> Weight:
    return None if weight is None else weight[rows]
