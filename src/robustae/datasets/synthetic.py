"""Data whose answer is known: X = L + N + noise, wrong and missing cells planted, a composed video."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.stats.scales import mad_scale, mean_sd
from robustae.utils.checks import InputError

__all__ = [
    "Planted",
    "MovingScene",
    "moving_scene",
    "planted",
    "planted_rows",
    "subspace_error",
    "with_missing",
    "with_wrong_cells",
]


@dataclass(frozen=True)
class Planted:
    """X = low_rank + outliers + noise.

    Attributes
    ----------
    X, low_rank, outliers : array, shape (n, d)
    mask : array of bool, shape (n, d)
        The cells hit: those where `outliers` is not 0.
    loadings : array, shape (d, rank)
        Orthonormal basis of the true subspace.
    """

    X: np.ndarray
    low_rank: np.ndarray
    outliers: np.ndarray
    mask: np.ndarray
    loadings: np.ndarray

    @property
    def y(self) -> np.ndarray:
        """1 for a row with a cell hit, else 0; shape (n,)."""
        return np.any(self.mask, axis=1, keepdims=False).astype(np.int64)


def planted(
    n: int = 500,
    d: int = 100,
    rank: int = 3,
    share: float = 0.1,
    size: float = 10.0,
    noise: float = 1.0,
    random_state: Any = 0,
) -> Planted:
    """Low rank plus wrong cells plus Gaussian noise.

    Parameters
    ----------
    n, d, rank : int
        Rows, columns and rank of the low-rank part, whose cells have variance `rank`.
    share : float in [0, 1]
        Of the cells hit: exactly round(share n d) of them, anywhere.
    size : float
        Of a hit, in noise deviations (in units of 1 without noise); its sign is random.
    noise : float
        Standard deviation of the noise in every cell, 0 for none.
    random_state : int or Generator
    """
    rng = np.random.default_rng(random_state)
    cells = rng.choice(n * d, size=_count("share", share, n * d), replace=False)
    mask = np.zeros(n * d, dtype=bool)
    mask[cells] = True
    hits = size * rng.choice([-1.0, 1.0], size=(n, d))
    return _compose(mask.reshape(n, d), hits, rank, noise, rng)


def planted_rows(
    n: int = 500,
    d: int = 100,
    rank: int = 3,
    share: float = 0.05,
    size: float = 3.0,
    noise: float = 1.0,
    random_state: Any = 0,
) -> Planted:
    """Low rank plus whole anomalous rows plus Gaussian noise; `.y` labels the rows.

    Parameters: as `planted`, but `share` is of the rows (exactly round(share n) of them), each of
    whose cells is moved by a Gaussian of `size` noise deviations: out of the subspace.
    """
    rng = np.random.default_rng(random_state)
    rows = rng.choice(n, size=_count("share", share, n), replace=False)
    mask = np.zeros((n, d), dtype=bool)
    mask[rows] = True
    return _compose(mask, size * rng.normal(size=(n, d)), rank, noise, rng)


def _compose(
    mask: np.ndarray, hits: np.ndarray, rank: int, noise: float, rng: np.random.Generator
) -> Planted:
    n, d = mask.shape
    if not 0 <= rank <= min(n, d):
        raise InputError(f"rank={rank!r} must lie between 0 and the smaller side of X, {min(n, d)}.")
    loadings = np.linalg.qr(rng.normal(size=(d, rank)))[0]
    low_rank = np.sqrt(d) * rng.normal(size=(n, rank)) @ loadings.T
    outliers = np.where(mask, hits * (noise or 1.0), 0.0)
    X = low_rank + outliers + noise * rng.normal(size=(n, d))
    return Planted(X, low_rank, outliers, mask, loadings)


def with_wrong_cells(
    X: Any, share: float = 0.05, size: float = 10.0, random_state: Any = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Copy real data and make some of its cells wrong.

    Parameters
    ----------
    X : array-like, shape (n, d)
        NaN for missing: those cells stay missing.
    share : float in [0, 1]
        Of the observed cells, rounded to a whole number of them.
    size : float
        How far a cell is moved, up or down, in robust deviations of its column (1.4826 times the
        median absolute deviation; the standard deviation, else 1, where that is 0).
    random_state : int or Generator

    Returns
    -------
    X, mask : array, shape (n, d)
        The damaged copy in float64, and True where a cell was moved.
    """
    X = _floats(X)
    rng = np.random.default_rng(random_state)
    mask = _some_of(~np.isnan(X), share, rng)
    moves = size * _spread(X) * rng.choice([-1.0, 1.0], size=X.shape)
    return np.where(mask, X + moves, X), mask


def _spread(X: np.ndarray) -> np.ndarray:
    robust, plain = mad_scale(X), mean_sd(X)[1]
    return np.where(robust > 0, robust, np.where(plain > 0, plain, 1.0))


def with_missing(X: Any, share: float = 0.1, random_state: Any = 0) -> tuple[np.ndarray, np.ndarray]:
    """Copy real data and leave some of its cells out, but never the last one of a row.

    Parameters
    ----------
    X : array-like, shape (n, d)
    share : float in [0, 1]
        Of the observed cells, as far as every row can keep one.
    random_state : int or Generator

    Returns
    -------
    X, mask : array, shape (n, d)
        A copy in float64 with NaN in the cells left out, and True there.
    """
    X = _floats(X)
    rng = np.random.default_rng(random_state)
    observed = ~np.isnan(X)
    kept = np.where(observed, rng.random(X.shape), -1.0).argmax(axis=1)
    candidates = observed.copy()
    candidates[np.arange(len(X)), kept] = False
    wanted = _count("share", share, int(observed.sum()))
    mask = _draw(candidates, min(wanted, int(candidates.sum())), rng)
    return np.where(mask, np.nan, X), mask


def _floats(X: Any) -> np.ndarray:
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2:
        raise InputError(f"X has shape {X.shape}: rows and columns, shape (n, d), would do.")
    return X


def _count(argument: str, share: float, total: int) -> int:
    if not 0 <= share <= 1:
        raise InputError(f"{argument}={share!r} must lie in [0, 1].")
    return round(share * total)


def _some_of(candidates: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    return _draw(candidates, _count("share", share, int(candidates.sum())), rng)


def _draw(candidates: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros(candidates.shape, dtype=bool)
    mask.flat[rng.choice(np.flatnonzero(candidates), size=count, replace=False)] = True
    return mask


@dataclass(frozen=True)
class MovingScene:
    """A fixed camera's view, frame by frame: (light x background, or a blob where `masks`) + sensor noise.

    Attributes
    ----------
    frames : array of float32, shape (n, height * width)
        In [0, 1], one flattened frame a row.
    background : array of float32, shape (height * width,)
    light : array of float32, shape (n,)
        What the background is multiplied by in each frame.
    masks : array of bool, shape (n, height * width)
        True where a blob hides the background.
    shape : (height, width)
    """

    frames: np.ndarray
    background: np.ndarray
    light: np.ndarray
    masks: np.ndarray
    shape: tuple[int, int]


def moving_scene(n: int = 100, height: int = 48, width: int = 64, random_state: Any = 0) -> MovingScene:
    """Compose a little video: a textured background, slowly changing light, two blobs that walk by.

    Parameters
    ----------
    n : int
        Frames.
    height, width : int
        Pixels.
    random_state : int or Generator
    """
    rng = np.random.default_rng(random_state)
    background = _texture(height, width, rng)
    light = 1 + 0.1 * np.sin(2 * np.pi * (np.arange(n) / max(n, 1) + rng.random()))
    frames = light[:, None, None] * background
    masks = np.zeros(frames.shape, dtype=bool)
    for shade, start, speed in ((0.05, 0.0, 1.0), (0.95, 0.6, -1.4)):
        blob = _walker(n, height, width, start + speed * np.arange(n) / max(n, 1), rng)
        frames[blob] = shade
        masks |= blob
    frames = np.clip(frames + 0.01 * rng.normal(size=frames.shape), 0, 1)
    flat = frames.astype(np.float32).reshape(n, -1)
    return MovingScene(
        flat,
        background.astype(np.float32).ravel(),
        light.astype(np.float32),
        masks.reshape(n, -1),
        (height, width),
    )


def _texture(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A few random waves, between 0.25 and 0.75: neither blob has its shade."""
    rows, columns = np.mgrid[0 : 1 : 1j * height, 0 : 1 : 1j * width]
    waves = rng.normal(size=(12, 2)) * 12
    phases = 2 * np.pi * rng.random(12)
    total = sum(np.sin(a * rows + b * columns + phase) for (a, b), phase in zip(waves, phases, strict=True))
    return 0.5 + 0.25 * total / np.abs(total).max()


def _walker(n: int, height: int, width: int, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where an upright ellipse is that walks across, in at one side as it leaves at the other."""
    rows, columns = np.ogrid[:height, :width]
    centre = (at % 1 * width)[:, None, None]
    across = np.abs(columns - centre)
    across = np.minimum(across, width - across) / (0.08 * width)
    along = (rows - height * rng.uniform(0.4, 0.6)) / (0.2 * height)
    return across**2 + along**2 <= 1


def subspace_error(A: Any, B: Any) -> float:
    """Sine of the largest principal angle by which the span of A leaves the span of B.

    0 if A's span lies in B's, 1 if some direction of it is orthogonal to B's. For spans of one
    dimension it is symmetric, and the spectral norm of the difference of the two projectors.

    Parameters
    ----------
    A, B : array-like, shape (d, r)
        Columns that span the subspaces; they need not be orthonormal or independent.
    """
    from scipy.linalg import orth

    A, B = _floats(A), _floats(B)
    if len(A) != len(B):
        raise InputError(f"A has {len(A)} rows but B has {len(B)}: one row per column of X in both.")
    inside, other = orth(A), orth(B)
    if not inside.size:
        return 0.0
    # What is left of A, not 1 - cos^2: small angles keep their digits.
    return float(min(1.0, np.linalg.norm(inside - other @ (other.T @ inside), 2)))
