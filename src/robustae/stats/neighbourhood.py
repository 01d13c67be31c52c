"""How far a row lies from the rows of the fit nearest to it: a distance to a measure (Chazal et al. 2011)."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from robustae.stats.scales import Weight, some_columns

__all__ = ["Neighbourhood", "neighbourhood"]

MOST, SOME = 1024, 320  # so many rows are all references; of more, so many are drawn
MASS = 0.05  # of the references, the nearest, count
CLIP = 4.0  # deviations from which cells are soft-clipped
FARTHEST = 1e8  # deviations that are told apart
SAME = 0.01  # of the squared distance of the other nearest: what is nearer is the row itself
TINY = 1e-5  # relative squared distance that rounding may make
ROWS = 4096  # at a time


@dataclass(frozen=True)
class Neighbourhood:
    """Mean squared distance to the nearest references, cells in deviations and soft-clipped at 4.

    Of more than 2000 columns so many, evenly spread, are looked at.

    Attributes
    ----------
    location, scale : array, shape (d,)
    references : array, shape (m, len(columns))
        In deviations, soft-clipped; float32 where they are but some of the rows.
    """

    location: np.ndarray
    scale: np.ndarray
    references: np.ndarray

    @property
    def count(self) -> int:
        """How many of the nearest count."""
        return max(min(max(2, int(MASS * len(self.references))), len(self.references) - 1), 1)

    @cached_property
    def columns(self) -> np.ndarray:
        """Columns that are looked at."""
        return some_columns(len(self.location), self.references.shape[1])

    def narrowed(self, Z: np.ndarray) -> np.ndarray:
        """Return those columns of rows or of one, the last axis (d,)."""
        return Z if len(self.columns) >= Z.shape[-1] else Z[..., self.columns]

    def __call__(self, Z: np.ndarray) -> np.ndarray:
        """Return the distances of complete rows Z, shape (n, d).

        A reference that is about equal to the row is left out, once: a row of the fit does not vouch for
        itself.
        """
        return self.of_narrowed(self.narrowed(Z))

    def of_narrowed(self, Z: np.ndarray) -> np.ndarray:
        """Return the same for the columns that are looked at."""
        squares = np.einsum("ij,ij->i", self.references, self.references)
        parts = [self._nearest(Z[k : k + ROWS], squares) for k in range(0, len(Z), ROWS)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _nearest(self, Z: np.ndarray, squares: np.ndarray) -> np.ndarray:
        Y, count = self.cells(Z), self.count
        size = np.einsum("ij,ij->i", Y, Y)
        D = squares - 2 * (Y @ self.references.T)
        D.partition(count, axis=1)
        near = D[:, : count + 1].astype(np.float64) + size[:, None]
        least = near.min(1)
        others = np.maximum(near.sum(1) - least, 0.0) / count
        itself = least <= SAME * others + TINY * (1 + size)
        return np.where(itself, others, np.maximum(near.sum(1) - near[:, count], 0.0) / count)

    def cells(self, Z: np.ndarray) -> np.ndarray:
        """Narrowed rows as the references are held."""
        Y = (Z - self.narrowed(self.location)) / self.narrowed(self.scale)
        over = np.abs(Y) - CLIP
        far = over > 0
        if far.any():
            Y[far] = np.sign(Y[far]) * (CLIP + np.log1p(np.minimum(over[far], FARTHEST)))
        return Y.astype(self.references.dtype)

    def continued(self, Z: np.ndarray, share: float) -> "Neighbourhood":
        """Return it with a share of the references, the oldest, replaced by rows of Z, evenly spread."""
        count = min(round(share * len(self.references)), len(Z))
        some = Z[np.linspace(0, len(Z) - 1, count).astype(int)]
        return replace(
            self, references=np.concatenate([self.references[count:], self.cells(self.narrowed(some))])
        )


def neighbourhood(Z: np.ndarray, weight: Weight, kept: np.ndarray) -> Neighbourhood:
    """Choose references among the rows that are `kept`, evenly spread over the rows as they are ordered.

    By weight: a row may be there several times; at least two are.
    """
    rows = np.flatnonzero(kept)
    some = Z[rows]
    w = np.ones(len(rows)) if weight is None else weight[rows]
    location = np.average(some, axis=0, weights=w)
    scale = np.sqrt(np.average((some - location) ** 2, axis=0, weights=w))
    scale = np.where(scale > 1e-6, scale, 1.0)
    upto = np.cumsum(w)
    count = round(upto[-1])
    count = max(count, 2) if count <= MOST else SOME
    places = np.searchsorted(upto, (np.arange(count) + 0.5) * (upto[-1] / count))
    chosen = rows[np.minimum(places, len(rows) - 1)]
    dtype = np.float32 if upto[-1] > MOST else np.float64
    empty = Neighbourhood(location, scale, np.zeros((0, len(some_columns(Z.shape[1]))), dtype))
    return replace(empty, references=empty.cells(empty.narrowed(Z)[chosen]))
