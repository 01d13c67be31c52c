"""Images spoilt in a known way, each copy with the mask of the cells hit: salt, blocks, missing, noise."""

from collections.abc import Callable
from typing import Any

import numpy as np

from robustae.utils.checks import InputError, one_of

__all__ = ["KINDS", "corrupted"]

BLOCKS_ACROSS = 4  # blocks that would fit beside each other along the shorter side


def corrupted(
    X: Any, image_shape: tuple[int, ...], kind: str, share: float, random_state: Any = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Copy images and spoil them.

    Parameters
    ----------
    X : array-like, shape (n, d)
        In [0, 1], one flattened image a row; channels fastest.
    image_shape : (height, width) or (height, width, channels)
    kind : {"salt", "block", "missing", "gaussian"}
        Pixels black or white by chance; square blocks, each of a grey of its own; the same blocks
        missing (NaN); Gaussian noise in every cell, which may leave [0, 1].
    share : float in [0, 1]
        Of the pixels hit, exactly round(share x pixels) in each image (the last block of an image may
        be cut for it); for Gaussian noise its standard deviation.
    random_state : int or Generator

    Returns
    -------
    array of float64, shape (n, d)
    array of bool, shape (n, d)
        The cells hit.
    """
    one_of("kind", kind, KINDS)
    X = np.array(X, dtype=np.float64)
    height, width, channels = (*image_shape, 1)[:3]
    if not 0 <= share <= 1:
        raise InputError(f"share={share!r} must lie in [0, 1].")
    if X.ndim != 2 or X.shape[1] != height * width * channels:
        raise InputError(f"X has shape {X.shape}: (n, {height * width * channels}) would do.")
    return KINDS[kind](X, (height, width, channels), share, np.random.default_rng(random_state))


def _salt(X: np.ndarray, shape: tuple[int, ...], share: float, rng: np.random.Generator) -> Any:
    pixels = len(X), shape[0] * shape[1]
    hit = _first(rng.random(pixels), share)
    return _painted(X, hit, rng.integers(0, 2, pixels), shape[2])


def _block(X: np.ndarray, shape: tuple[int, ...], share: float, rng: np.random.Generator) -> Any:
    return _painted(X, *_blocks(len(X), shape, share, rng), shape[2])


def _missing(X: np.ndarray, shape: tuple[int, ...], share: float, rng: np.random.Generator) -> Any:
    hit, shades = _blocks(len(X), shape, share, rng)
    return _painted(X, hit, np.full_like(shades, np.nan), shape[2])


def _gaussian(X: np.ndarray, shape: tuple[int, ...], share: float, rng: np.random.Generator) -> Any:
    return X + share * rng.normal(size=X.shape), np.full(X.shape, share > 0)


KINDS: dict[str, Callable[..., Any]] = {
    "salt": _salt,
    "block": _block,
    "missing": _missing,
    "gaussian": _gaussian,
}


def _painted(X: np.ndarray, hit: np.ndarray, shades: np.ndarray, channels: int) -> Any:
    mask = np.repeat(hit, channels, axis=1)
    return np.where(mask, np.repeat(shades, channels, axis=1), X), mask


def _first(order: np.ndarray, share: float) -> np.ndarray:
    """Mark the round(share x columns) least of each row; of equal ones those on the left."""
    columns = np.argsort(order, axis=1, kind="stable")[:, : round(share * order.shape[1])]
    mask = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(mask, columns, True, axis=1)
    return mask


def _blocks(
    n: int, shape: tuple[int, ...], share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in blocks drawn from a grid that lies at random in each image, and the shade of every block."""
    side = max(1, min(shape[:2]) // BLOCKS_ACROSS)
    rows, columns = ((np.arange(length) + rng.integers(side, size=(n, 1))) // side for length in shape[:2])
    across = int(columns.max()) + 1
    block = (rows[:, :, None] * across + columns[:, None, :]).reshape(n, -1)
    order, shades = rng.random((2, n, (int(rows.max()) + 1) * across))
    return _first(np.take_along_axis(order, block, 1), share), np.take_along_axis(shades, block, 1)
