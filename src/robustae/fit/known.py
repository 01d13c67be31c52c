"""Rows of a fit, recognised when they come again: by a number made of their cells, never by the cells."""

from dataclasses import dataclass

import numpy as np

from robustae.stats.scales import Weight

__all__ = ["KnownRows"]

MIX, TURN = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


@dataclass(frozen=True)
class KnownRows:
    """Energies of rows of the fit as if each had been left out; equal rows share theirs.

    Attributes
    ----------
    keys : array of uint64, shape (n,)
        Ascending.
    energies : array, shape (n,)
    """

    keys: np.ndarray
    energies: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, energies: np.ndarray, weight: Weight = None) -> "KnownRows":
        """Of rows X, shape (n, d), in the user's units, NaN for missing."""
        keys, of_row = np.unique(_keys(X), return_inverse=True)
        w = np.ones(len(X)) if weight is None else weight
        return cls(keys, np.bincount(of_row, w * energies) / np.bincount(of_row, w))

    def of_rows(self, X: np.ndarray) -> np.ndarray:
        """Return the energies of the rows of X, NaN where they are not known."""
        keys = _keys(X)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.energies[at], np.nan)


def _keys(X: np.ndarray, cells: int = 2**20) -> np.ndarray:
    """A number of 64 bits for each row, the same for equal cells of any type."""
    step = max(1, cells // X.shape[1])
    factors = np.random.default_rng(0).integers(2**63, size=X.shape[1], dtype=np.uint64) * np.uint64(
        2
    ) + np.uint64(1)
    parts = [_of_block(X[k : k + step], factors) for k in range(0, len(X), step)]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _of_block(X: np.ndarray, factors: np.ndarray) -> np.ndarray:
    Z = np.ascontiguousarray(X, dtype=np.float64) + 0.0  # -0 is 0
    Z[np.isnan(Z)] = np.nan
    bits = _mixed(Z.view(np.uint64))
    return _mixed((bits * factors).sum(1, dtype=np.uint64))


def _mixed(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> TURN)) * MIX
    return bits ^ (bits >> TURN)
