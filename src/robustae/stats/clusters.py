"""Clusters of rows that a robust fit left out as a whole, though they are as large as those it kept."""

import numpy as np

from robustae.stats.scales import evenly
from robustae.stats.scatter import Scatter, scatter_of, shrinkage_at_least

__all__ = ["CLUSTER", "NEARLY", "shares_near", "shares_within"]

CLUSTER = 0.05  # of the rows: the nearest to each, and the least that is left out
NEARLY = 0.95  # of the rows kept have those nearest within the radius
REFERENCES = 1000
AT_ONCE = 500  # rows


def shares_near(
    Z: np.ndarray, there: np.ndarray, kept: np.ndarray, far: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of all rows that lie near to rows that are kept, and to rows far off.

    Distances are in the metric of the differences of rows to their neighbours: in that of the rows kept, what
    lies where none of them does would be far from everything.

    Parameters
    ----------
    Z : array, shape (n, d)
        Finite where missing.
    there : array of bool, shape (n, d)
        Cells that are observed; others are taken from the rows nearest by these.
    kept : array of bool, shape (n,)
    far : array of int
        Rows left out.

    Returns
    -------
    usual : array
        Of up to 1000 rows that are kept, evenly spread.
    found : array, shape (len(far),)
    """
    among, rows = evenly(len(Z), REFERENCES), np.flatnonzero(kept)
    rows = rows[evenly(len(rows), REFERENCES)]
    Z = _filled(Z, there, np.unique(np.concatenate([rows, far, among])), among)
    count = max(int(CLUSTER * len(rows)), 1)
    nearest = np.argpartition(_between(Z, _scatter(Z[rows]), rows, rows), count - 1, axis=1)[:, :count]
    local = _scatter(Z[rows] - Z[rows[nearest]].mean(1))
    return shares_within(*(_between(Z, local, at, among) for at in (rows, far)))


def shares_within(
    usual: np.ndarray, found: np.ndarray, mass: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of the m rows that lie within a radius of some rows, and of others.

    Within the radius nearly all of the first ones have a twentieth of the rows.

    Parameters
    ----------
    usual, found : arrays, shape (a, m), (b, m)
        Squared distances, infinite from a row to itself.
    mass : array, shape (m,), optional
    """
    m = usual.shape[1]
    count = max(int(CLUSTER * m), 1)
    radius = np.quantile(np.partition(usual, count - 1, axis=1)[:, :count].mean(1), NEARLY)
    share = np.full(m, 1 / m) if mass is None else mass / mass.sum()
    return (usual <= radius) @ share, (found <= radius) @ share


def _filled(Z: np.ndarray, there: np.ndarray, at: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return Z with what is missing in some rows as in those of others that are nearest by common cells.

    What a fit that left a cluster out expects in its rows is that of other clusters.
    """
    at = at[~there[at].all(1)]
    if not len(at):
        return Z
    Y, seen = (part[among].astype(float) for part in (np.where(there, Z, 0.0), there))
    count = max(int(CLUSTER * len(among)), 1)
    out = Z.copy()
    for rows in np.array_split(at, -(-len(at) // AT_ONCE)):
        own, B = there[rows].astype(float), np.where(there[rows], Z[rows], 0.0)
        D = B**2 @ seen.T + own @ (Y**2).T - 2 * B @ Y.T
        D = np.where(rows[:, None] == among, np.inf, D / np.maximum(own @ seen.T, 0.5))
        near = np.argpartition(D, count - 1, axis=1)[:, :count]
        counts, sums = seen[near].sum(1), Y[near].sum(1)
        out[rows] = np.where((own > 0) | (counts == 0), Z[rows], sums / np.maximum(counts, 1))
    return out


def _scatter(Z: np.ndarray) -> Scatter:
    return scatter_of(Z, None, shrinkage_at_least(*Z.shape))


def _between(Z: np.ndarray, scatter: Scatter, at: np.ndarray, among: np.ndarray) -> np.ndarray:
    B, other = Z[at] - scatter.location, Z[among] - scatter.location
    products = scatter.times(other)
    D = scatter.distances(Z[at])[:, None] - 2 * B @ products.T + np.einsum("ij,ij->i", products, other)
    return np.where(at[:, None] == among, np.inf, np.maximum(D, 0))
