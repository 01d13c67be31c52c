"""Rows as clean ones would be: cells of the rows of the fit, drawn independently, column by column."""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from robustae.stats.scales import Weight, quantile
from robustae.stats.thresholds import FALSE_ALARMS

__all__ = ["MOST", "Drawn", "drawn_of", "widened", "without_excess"]

MOST, LEAST, CELLS = 10_000, 1000, 2_000_000  # rows drawn
AT_ONCE = 64  # columns
POOL = 16  # places for each row, of which those of more weight get more
LOWEST, LOWER = 0.1, 0.25  # quantiles that end the lower part
FEW, TINY = 6, 1e-300  # cells, of whose sums the logarithm says little
FEWEST_FAR, MOST_FAR = 0.05, 0.5  # share of the rows that are anomalies, where they are taken for such
TELLING = 5.0  # rows far off; fewer say nothing
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
        w = np.ones(n) if weight is None else weight
        self.whole = atoms
        self._upto = np.cumsum(np.where(atoms, 0.0, w))
        share = w[atoms].sum() / w.sum()
        self.as_they_are = self._atoms(w, int(round(share * count)))
        self._n = n
        self._pool = None if weight is None else self._at((np.arange(POOL * n) + 0.5) / (POOL * n))

    def _atoms(self, w: np.ndarray, count: int) -> np.ndarray:
        """Rows that stand for the first drawn ones."""
        rows = np.flatnonzero(self.whole)
        if not count:
            return np.zeros(0, int)
        upto = np.cumsum(w[rows])
        return rows[np.searchsorted(upto, (np.arange(count) + 0.5) * upto[-1] / count)]

    def _at(self, shares: np.ndarray) -> np.ndarray:
        """Rows at some shares of the weight of those that are not drawn as they are."""
        found = np.searchsorted(self._upto, shares * self._upto[-1], side="right")
        return np.minimum(found, self._n - 1)

    def rows(self, among: np.ndarray | None = None) -> np.ndarray:
        """Draw a row for each drawn one, `among` some, shape (count,)."""
        if among is None or among.all():
            return self._whole(1)[0]
        upto = np.cumsum(np.diff(self._upto, prepend=0.0) * among)
        places = self._rng.random(self.count) * upto[-1]
        rows = np.minimum(np.searchsorted(upto, places, side="right"), len(upto) - 1)
        rows[: len(self.as_they_are)] = self.as_they_are
        return rows

    def columns(self, observed: np.ndarray) -> Iterator[np.ndarray]:
        """Draw, for every column, a row for each drawn one, among those `observed` there."""
        if not observed.all():
            return (self.rows(column) for column in observed.T)
        starts = range(0, observed.shape[1], AT_ONCE)
        counts = (min(AT_ONCE, observed.shape[1] - start) for start in starts)
        return chain.from_iterable(self._whole(count) for count in counts)

    def _whole(self, columns: int) -> np.ndarray:
        among = self._n if self._pool is None else len(self._pool)
        places = (self._rng.random((columns, self.count)) * among).astype(np.intp)
        if self._pool is None:
            return places
        rows = self._pool[places]
        rows[:, : len(self.as_they_are)] = self.as_they_are
        return rows

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


def drawn_of(X: np.ndarray, weight: Weight, most: int = MOST) -> Drawn:
    """Prepare to draw rows like those of X, shape (n, d), whose equal rows are merged by weight."""
    n, d = X.shape
    return Drawn(n, weight, _atoms(X, weight), max(LEAST, min(most, CELLS // d)))


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


def widened(drawn: np.ndarray, energies: np.ndarray, weight: Weight, cells: int) -> np.ndarray:
    """Spread drawn energies about the median as widely as the lower part of the rows' own.

    Cells that still depend on one another, or err more in some rows than in others, make drawn rows too
    alike. First energies are spread as they are; then, where they sum more than a few cells and so differ by
    factors, their logarithms, the rows beyond the first threshold left aside.
    """
    first = _spread(drawn, energies, weight, LOWEST)
    inner = energies <= quantile(first, 1 - FALSE_ALARMS)
    if cells < FEW or not inner.any():
        return first
    weight = None if weight is None else weight[inner]
    logs, own = (np.log(np.maximum(part, TINY)) for part in (drawn, energies[inner]))
    return np.maximum(first, np.exp(_spread(logs, own, weight, LOWER)))


def _spread(drawn: np.ndarray, own: np.ndarray, weight: Weight, low: float) -> np.ndarray:
    """By the ratio of the median less a lower quantile, where that is above 1."""
    own_low, own_middle = quantile(own, (low, 0.5), weight)
    least, middle = quantile(drawn, (low, 0.5))
    narrow = middle - least
    ratio = (own_middle - own_low) / narrow if narrow > 1e-9 * max(abs(middle), abs(own_middle)) else 1.0
    return np.maximum(own_middle + (drawn - middle) * ratio, drawn) if ratio > 1 else drawn


def without_excess(far: np.ndarray, weight: Weight, left: float) -> Weight:
    """Return weights by which rows that are `far` make up a share of `left`.

    The weights that came, where they are so few that they may be clean, or more than half.
    """
    w = np.ones(len(far)) if weight is None else weight
    found = w[far].sum() / w.sum()
    if w[far].sum() < TELLING or not FEWEST_FAR < found < MOST_FAR:
        return weight
    return np.where(far, w * left * (1 - found) / ((1 - left) * found), w)
