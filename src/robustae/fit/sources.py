"""Source columns, from the columns they are encoded as: how far off a cell is, as one number.

For numbers and dates it is the residual in noise deviations. A level, or one of two numbers that are all a
column holds, has a probability by its prediction; it is as far off as a Gaussian value beyond which, both
ways, lies the probability of all levels no likelier than it. What a text should be no prediction knows:
texts count in their row's energy only.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from robustae.data.coding import UNSEEN, class_values, classes_of
from robustae.data.columns import Columns
from robustae.fit.cells import SourceCells
from robustae.stats.groups import Groups
from robustae.stats.scales import Weight, quantile

__all__ = ["LEAST", "SAME", "TIE", "Sources", "plain"]

AT_FIRST = 8  # rows that tell most columns of more than two values
LEAST = 1e-9  # the probability of a level: 6.1 deviations
SAME = 1e-6  # of the step between two values: the same
MISSING, UNKNOWN, OTHER = -1, -2, -3  # codes of cells that are in no class
TIE = 1e-6  # relative difference of probabilities that are the same
FEW = 5  # rows of a class from which it is predicted
WRONG = 0.005  # share of the cells that may be wrong: they say nothing of how the others are predicted
TRUST = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True)
class Category:
    """Classes of a category (its levels, the rare ones as one), or the two values of a column.

    Attributes
    ----------
    shares : array, shape (k,)
    unseen : float
        Share of the rows that would hold a level never met.
    trust : float
        Weight of the prediction against `shares`.
    low, high : float
        What encoded columns hold: each class but the first has one, in which it alone is high.
    number : bool
        Whether it is a column of numbers, in which other values are as far off as their residuals.
    rare : array of bool, shape (k,), or None
        Classes of too few rows to be predicted, or of rare levels that have nothing in common: they keep
        their shares.
    copies : float
        Weight of the rows that the shares are of.
    """

    shares: np.ndarray
    unseen: float = 0.0
    trust: float = 0.9
    low: float = 0.0
    high: float = 1.0
    number: bool = False
    rare: np.ndarray | None = None
    copies: float = np.inf

    @property
    def rare_or_not(self) -> np.ndarray:
        """Which classes are rare, as numbers, shape (k,)."""
        return np.zeros(len(self.shares)) if self.rare is None else self.rare.astype(float)

    def codes(self, cells: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return classes of encoded cells, shape (n,): `MISSING`, `UNKNOWN`, `OTHER` or from 0 on."""
        steps = np.where(observed, (cells - self.low) / (self.high - self.low), 0.0)
        found = np.where(steps.max(1) > 0.5, steps.argmax(1) + 1, 0)
        if self.number:
            other = np.abs(steps - np.rint(steps.clip(0, 1)))[:, 0] > SAME
            return np.select([~observed[:, 0], other], [MISSING, OTHER], found)
        return np.select([~observed.all(1), (steps < UNSEEN / 2).any(1)], [MISSING, UNKNOWN], found)

    def counted(self, cells: np.ndarray, weight: Weight) -> "Category":
        """Return it with the shares that the classes have in some rows, the rare ones marked."""
        codes = self.codes(cells, ~np.isnan(cells))
        known = codes >= 0
        counts = np.bincount(codes[known], None if weight is None else weight[known], len(self.shares))
        rare = counts < FEW if self.rare is None else self.rare | (counts < FEW)
        copies = max(counts.sum(), 1)
        return replace(self, shares=counts / copies, rare=rare, copies=copies)

    def without(self, codes: np.ndarray) -> np.ndarray:
        """Return the shares without one copy of each row, shape (n, k)."""
        own = codes[:, None] == np.arange(len(self.shares))
        there = (codes >= 0)[:, None]
        shares = (self.shares - own / self.copies) / max(1 - 1 / self.copies, SAME)
        # Met nowhere else it is a level never met.
        shares = np.maximum(shares, np.where(own, max(self.unseen, LEAST), 0.0))
        return np.where(there, shares / shares.sum(1, keepdims=True), self.shares)

    def mixed(self, expected: np.ndarray, left_out: np.ndarray | None = None) -> np.ndarray:
        """Return probabilities of the classes, shape (n, k), from the cells expected.

        `left_out` are the classes of the rows, where they are to be as if each had been left out of the fit.
        """
        shares = self.shares[None] if left_out is None else self.without(left_out)
        values = np.clip(class_values((expected - self.low) / (self.high - self.low)), 0.0, 1.0)
        values /= np.maximum(values.sum(1, keepdims=True), LEAST)
        mixed = self.trust * values + (1 - self.trust) * shares
        if self.rare is None or not self.rare.any():
            return mixed
        kept, total = (part[:, ~self.rare].sum(1, keepdims=True) for part in (shares, mixed))
        return np.where(self.rare, shares, mixed * (kept / np.maximum(total, LEAST)))

    def off(
        self,
        cells: np.ndarray,
        observed: np.ndarray,
        expected: np.ndarray,
        residuals: np.ndarray,
        left_out: bool = False,
    ) -> np.ndarray:
        """Return deviations, shape (n,); `residuals` are of numbers, in noise deviations."""
        codes = self.codes(cells, observed)
        p = self.mixed(expected, codes if left_out else None)
        tail = _tail(p, np.take_along_axis(p, np.maximum(codes, 0)[:, None], axis=1))
        found = _beyond(np.select([codes == MISSING, codes == UNKNOWN], [1.0, self.unseen], tail))
        if not self.number:
            return found
        return np.where(codes == OTHER, residuals[:, 0], np.sign(residuals[:, 0]) * found)

    def usual(self, expected: np.ndarray) -> np.ndarray:
        """Return mean and variance of log(1 + off^2) by the probabilities, shape (2, n)."""
        p = self.mixed(expected)
        logs = np.column_stack([np.log1p(_beyond(_tail(p, own[:, None])) ** 2) for own in p.T])
        mean = (p * logs).sum(1)
        return np.stack([mean, (p * logs**2).sum(1) - mean**2])

    def trusting(
        self, cells: np.ndarray, observed: np.ndarray, expected: np.ndarray, weight: Weight
    ) -> "Category":
        """Return it with the trust under which the cells are likeliest, the least likely few apart."""
        codes = self.codes(cells, observed)
        known = codes >= 0
        if not known.any():
            return self
        tried = [replace(self, trust=trust) for trust in TRUST]
        of_rows = None if weight is None else weight[known]
        return max(tried, key=lambda one: one._likelihood(codes[known], expected[known], of_rows))

    def _likelihood(self, codes: np.ndarray, expected: np.ndarray, weight: Weight) -> float:
        logs = np.log(np.maximum(self.mixed(expected, codes)[np.arange(len(codes)), codes], LEAST))
        kept = logs >= quantile(logs, WRONG, weight)
        return float(np.average(logs[kept], weights=None if weight is None else weight[kept]))


@dataclass(frozen=True)
class Sources:
    """Source columns in use, in order.

    Attributes
    ----------
    index : array of int, shape (d,)
        Which of them each encoded column is of.
    categories : tuple
        By source column a `Category`, or None for other numbers and texts.
    """

    index: np.ndarray
    categories: tuple[Category | None, ...]

    @classmethod
    def of(cls, plan: Columns) -> "Sources | None":
        """Return those of a plan; None where all are numbers."""
        if plan.only_numbers:
            return None
        used = [plan.columns[j] for j in plan.used]
        return cls(plan.groups, tuple(_category(column) if column.graded else None for column in used))

    def counted(self, X: np.ndarray, weight: Weight) -> "Sources":
        """Return them with the shares of levels as they are by weight in encoded rows X, shape (n, d)."""
        pairs = zip(self.categories, self.parts, strict=True)
        return replace(self, categories=tuple(c and c.counted(X[:, part], weight) for c, part in pairs))

    def with_pairs(self, X: np.ndarray, weight: Weight) -> "Sources | None":
        """Return them with the columns of X that hold two values, each more than once, as categories.

        None where no source column differs from a plain one. A table of nothing but such columns stays one of
        numbers: which rare values come together tells more there than each of them.
        """
        few = _perhaps_pairs(X)
        found = [
            _pair(X[:, j], weight) if category is None and j >= 0 and few[j] else category
            for j, category in zip(self.encoded, self.categories, strict=True)
        ]
        numbers = len(found) == len(self.index) and not any(c is not None and not c.number for c in found)
        return None if numbers and (all(found) or not any(found)) else replace(self, categories=tuple(found))

    @property
    def parts(self) -> list[slice]:
        """Encoded columns of each source column."""
        ends = np.searchsorted(self.index, np.arange(len(self.categories)), side="right").tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    @property
    def encoded(self) -> np.ndarray:
        """The encoded column of each source column of numbers, -1 for others."""
        pairs = zip(self.parts, self.categories, strict=True)
        numbers = [(p.start, p.stop - p.start == 1 and (c is None or c.number)) for p, c in pairs]
        return np.array([start if number else -1 for start, number in numbers])

    @property
    def levels(self) -> np.ndarray:
        """Encoded columns of categories that are no numbers, bool, shape (d,)."""
        named = [c is not None and not c.number for c in self.categories]
        return np.array(named)[self.index]

    @property
    def weights(self) -> np.ndarray:
        """What encoded columns count, shape (d,): those of a source column 1 together."""
        return 1 / np.bincount(self.index)[self.index]

    def groups(self, scaling: Any) -> Groups:
        """Which encoded columns belong together, for predictors."""
        found = [self.categories[k] for k in self.index]
        zero, one = (
            scaling.transform(np.array([[0.0 if c is None else getattr(c, end) for c in found]]))[0]
            for end in ("low", "high")
        )
        return Groups(self.index, np.array([c is not None for c in found]), zero, one)

    def unknown(self, X: np.ndarray) -> np.ndarray:
        """Encoded cells of levels that the fit did not meet, bool, shape (n, d)."""
        return (X == UNSEEN) & self.levels

    def summed(self, found: np.ndarray) -> np.ndarray:
        """Return sums of encoded columns by source column."""
        return np.add.reduceat(found, [part.start for part in self.parts], axis=1)

    def cells(
        self,
        off: np.ndarray,
        observed: np.ndarray,
        cells: np.ndarray,
        expected: np.ndarray,
        left_out: bool = False,
    ) -> SourceCells:
        """Return what energies are made of.

        Parameters
        ----------
        off : array, shape (n, d)
            Residuals in noise deviations, 0 where missing.
        observed : array of bool, shape (n, d)
        cells, expected : array, shape (n, d)
            Encoded cells and what they are expected to be, in the user's units.
        left_out : bool
            Whether the rows are of the fit, and levels as likely as if each had been left out.
        """
        encoded, parts = self.encoded, self.parts
        found = off[:, np.maximum(encoded, 0)]
        for k, category in enumerate(self.categories):
            part = parts[k]
            if category is not None:
                seen, there, mu, R = (array[:, part] for array in (cells, observed, expected, off))
                found[:, k] = category.off(seen, there, mu, R, left_out)
            elif encoded[k] < 0:
                found[:, k] = np.sqrt(np.expm1(np.log1p(off[:, part] ** 2).mean(1)))
        return SourceCells(found, observed[:, [part.start for part in parts]], encoded)

    def usual(self, observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return what `SourceCells` holds of rows with missing cells; arrays as of `cells`."""
        found = np.zeros((2, len(observed), len(self.categories)))
        rows = ~observed.all(1)
        for k, (category, part) in enumerate(zip(self.categories, self.parts, strict=True)):
            if category is not None:
                found[:, rows, k] = category.usual(expected[rows, part])
        return found

    def judged(self, cells: SourceCells) -> np.ndarray:
        """Return deviations by which cells are judged, shape (n, s): none for texts."""
        text = np.array([c is None for c in self.categories]) & (cells.encoded < 0)
        return np.where(text, 0.0, cells.off)

    def trusting(
        self, cells: np.ndarray, observed: np.ndarray, expected: np.ndarray, weight: Weight
    ) -> "Sources":
        """Return them with the trust in predictions that the rows call for; arrays as of `cells`."""
        found = [
            None if c is None else c.trusting(cells[:, part], observed[:, part], expected[:, part], weight)
            for c, part in zip(self.categories, self.parts, strict=True)
        ]
        return replace(self, categories=tuple(found))

    def arrays(self) -> dict[str, np.ndarray]:
        """What is saved, by name."""
        there = [(k, c) for k, c in enumerate(self.categories) if c is not None]
        rows = [(k, c.unseen, c.trust, c.low, c.high, c.number) for k, c in there]
        return {
            "index": self.index.astype(np.int64),
            "categories": np.array(rows, dtype=np.float64).reshape(-1, 6),
            "shares": np.concatenate([np.zeros(0), *(c.shares for _, c in there)]),
            "rare": np.concatenate([np.zeros(0), *(c.rare_or_not for _, c in there)]),
        }

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Sources":
        """Undo `arrays`.

        Raises
        ------
        ValueError
            If they do not fit together.
        """
        index, rows, shares, rare = (arrays[name] for name in ("index", "categories", "shares", "rare"))
        steps = np.diff(index, prepend=-1)
        if not ((steps == 0) | (steps == 1)).all() or not len(index):
            raise ValueError("source columns are damaged")
        sizes = np.bincount(index)
        which = rows[:, 0].astype(int)
        if not np.isfinite(rows).all() or not np.isin(which, np.arange(len(sizes))).all():
            raise ValueError("categories are damaged")
        upto = np.cumsum(sizes[which] + 1)
        shared = (rows[:, 1:3] >= 0).all() and (rows[:, 1:3] <= 1).all() and (shares >= 0).all()
        if (
            not shared
            or len(rare) != len(shares)
            or len(shares) != (upto[-1] if len(upto) else 0)
            or (rows[:, 3] == rows[:, 4]).any()
        ):
            raise ValueError("shares of levels are damaged")
        found: list[Category | None] = [None] * len(sizes)
        parts = zip(which, rows, np.split(shares, upto[:-1]), np.split(rare > 0, upto[:-1]), strict=False)
        for k, row, part, few in parts:
            unseen, trust, low, high = map(float, row[1:5])
            found[k] = Category(part, unseen, trust, low, high, bool(row[5]), few)
        return cls(index, tuple(found))


def _tail(p: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Probability of all classes no likelier than `own`, shape (n,)."""
    return np.where(p <= own * (1 + TIE), p, 0.0).sum(1)


def _beyond(tail: np.ndarray) -> np.ndarray:
    """Beyond how many deviations a Gaussian value lies, both ways, with such a probability."""
    return np.abs(ndtri(np.clip(tail, LEAST, 1.0) / 2))


def plain(d: int) -> Sources:
    """Return d columns of numbers."""
    return Sources(np.arange(d), (None,) * d)


def _perhaps_pairs(X: np.ndarray) -> np.ndarray:
    """Columns of at most two values in a few rows: most columns of numbers have more."""
    some = np.sort(X[np.linspace(0, len(X) - 1, AT_FIRST).astype(int)], axis=0)
    return (np.diff(some, axis=0) > 0).sum(0) < 2


def _pair(x: np.ndarray, weight: Weight) -> Category | None:
    there = x == x
    low, high = (x[there].min(), x[there].max()) if there.any() else (0.0, 0.0)
    if low == high or not ((x == low) | (x == high) | ~there).all():
        return None
    w = there * (np.ones(len(x)) if weight is None else weight)
    shares = np.array([w[x == low].sum(), w[x == high].sum()])
    if shares.min() < 2:
        return None
    first, other = (float(low), float(high)) if shares[0] >= shares[1] else (float(high), float(low))
    copies = shares.sum()
    return Category(np.sort(shares)[::-1] / copies, low=first, high=other, number=True, copies=copies)


def _category(column: Any) -> Category:
    shares = np.bincount(classes_of(column, np.arange(len(column.levels))), column.shares)
    pooled = np.arange(len(shares)) == column.own
    return Category(shares, column.unseen, rare=pooled)
