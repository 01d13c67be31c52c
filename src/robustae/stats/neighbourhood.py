"""How far a row lies from the rows of the fit nearest to it: a distance to a measure (Chazal et al. 2011)."""

from dataclasses import dataclass, replace

import numpy as np

from robustae.stats.scales import Weight

__all__ = ["Neighbourhood", "neighbourhood"]

MOST, SOME = 1024, 256  # so many rows are all references; of more, so many are drawn
MASS = 0.05  # of the references, the nearest, count
CLIP = 4.0  # deviations from which cells are soft-clipped
ROWS = 4096  # at a time


@dataclass(frozen=True)
class Neighbourhood:
    """Mean squared distance to the nearest references, cells in deviations and soft-clipped at 4.

    Attributes
    ----------
    location, scale : array, shape (d,)
    references : array, shape (m, d)
        In deviations, soft-clipped, float32.
    """

    location: np.ndarray
    scale: np.ndarray
    references: np.ndarray

    @property
    def count(self) -> int:
        """How many of the nearest count."""
        return min(max(2, int(MASS * len(self.references))), len(self.references))

    def __call__(self, Z: np.ndarray, own: np.ndarray | None = None) -> np.ndarray:
        """Return the distances of complete rows Z, shape (n, d).

        Parameters
        ----------
        own : int array, shape (n,), optional
            The reference that each row is, left out for it; -1 for none.
        """
        H = self.references
        squares = np.einsum("ij,ij->i", H, H)
        parts = [
            self._nearest(Z[rows], None if own is None else own[rows], squares)
            for rows in (slice(k, k + ROWS) for k in range(0, len(Z), ROWS))
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _nearest(self, Z: np.ndarray, own: np.ndarray | None, squares: np.ndarray) -> np.ndarray:
        Y = self.cells(Z)
        D = squares - 2 * (Y @ self.references.T)
        if own is not None:
            rows = np.flatnonzero(own >= 0)
            D[rows, own[rows]] = np.inf
        count = max(min(self.count, len(self.references) - (own is not None)), 1)
        D.partition(count - 1, axis=1)
        mean = D[:, :count].mean(1, dtype=np.float64)
        return np.maximum(mean + np.einsum("ij,ij->i", Y, Y), 0.0)

    def cells(self, Z: np.ndarray) -> np.ndarray:
        """Rows as the references are held."""
        Y = (Z - self.location) / self.scale
        over = np.abs(Y) - CLIP
        far = over > 0
        if far.any():
            Y[far] = np.sign(Y[far]) * (CLIP + np.log1p(over[far]))
        return Y.astype(np.float32)

    def without_references(self) -> "Neighbourhood":
        """Return one that holds no row of the fit."""
        return replace(self, references=self.references[:0])


def neighbourhood(Z: np.ndarray, weight: Weight, kept: np.ndarray) -> tuple[Neighbourhood, np.ndarray]:
    """Choose references among the rows that are `kept`; return which of them each row of Z is, -1 for none.

    They are evenly spread over the rows as they are ordered, by weight: a row may be there several times.
    """
    rows = np.flatnonzero(kept)
    some = Z[rows]
    w = np.ones(len(rows)) if weight is None else weight[rows]
    location = np.average(some, axis=0, weights=w)
    scale = np.sqrt(np.average((some - location) ** 2, axis=0, weights=w))
    scale = np.where(scale > 1e-6, scale, 1.0)
    upto = np.cumsum(w)
    count = int(round(upto[-1]))
    count = count if count <= MOST else SOME
    places = np.searchsorted(upto, (np.arange(count) + 0.5) * (upto[-1] / max(count, 1)))
    chosen = rows[np.minimum(places, len(rows) - 1)]
    own = np.full(len(Z), -1)
    own[chosen] = np.arange(len(chosen))
    empty = Neighbourhood(location, scale, np.zeros((0, Z.shape[1]), np.float32))
    return replace(empty, references=empty.cells(Z[chosen])), own
