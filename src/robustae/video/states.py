"""What a tile of the picture has looked like: its states, each a set of frames that look alike.

A wall is one tight state in many frames; who walks by makes small and loose ones; someone who stands
still makes a second tight one. Which of them is the background is decided elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robustae.video.grid import Grid, loudest_plane, mean_of, planes

__all__ = ["States", "states_of"]

MOST = 8  # states of a tile, and one more made pixel by pixel
LEAST_ALIKE, MOST_ALIKE = 5e-4, 2.5e-3  # mean squared difference of frames that look alike, cells in [0, 1]
NOISES = 2.0  # ... that many times the noise, within these limits
BLOCK = 16  # tiles at a time: their distances, (16, n, n), stay in the cache
WINDOWS = (0.12, 0.06, 0.04)  # of the mode of a pixel
QUANTILES = (0.5, 0.2, 0.8)  # from which that is looked for: among dark leaves, the median is one of them
MOSTLY = 0.75
ENOUGH = 60  # frames to tell the mode of a pixel


@dataclass(frozen=True)
class States:
    """The states of all tiles.

    Attributes
    ----------
    members : array of bool, shape (tiles, states, n)
        The frames in each.
    count : array, shape (tiles, states)
        How many; 0 for states there are not.
    centre : array, shape (tiles, states, 16 c)
        Their mean.
    spread : array, shape (tiles, states)
        Their mean squared distance from it, by cell.
    """

    members: np.ndarray
    count: np.ndarray
    centre: np.ndarray
    spread: np.ndarray


def states_of(small: np.ndarray, grid: Grid, done: Callable[[float], None] = lambda share: None) -> States:
    """Sort the frames of every tile by looks.

    Greedy: the frame with most frames alike takes them all, then the next of the rest. One more state
    is the mode of every pixel by itself, for tiles that are never seen free as a whole.
    """
    tiles = grid.tiles(small)
    alike = float(np.clip(NOISES * _noise(tiles[::8]), LEAST_ALIKE, MOST_ALIKE))
    parts = []
    for k in range(0, len(tiles), BLOCK):
        block = tiles[k : k + BLOCK]
        parts.append(_fields(_described(block, _sorted(_distances(block), alike))))
        done(k / len(tiles))
    whole = States(*map(np.concatenate, zip(*parts, strict=True)))
    return _joined(whole, _by_pixel(small, grid, alike))


def _distances(tiles: np.ndarray) -> np.ndarray:
    """Mean squared differences of all pairs of frames, shape (tiles, n, n)."""
    squares = np.einsum("tnk,tnk->tn", tiles, tiles)
    distances = tiles @ tiles.transpose(0, 2, 1)
    distances *= -2
    distances += squares[:, :, None]
    distances += squares[:, None, :]
    distances /= tiles.shape[2]
    return distances


def _noise(tiles: np.ndarray) -> float:
    """What the quieter tiles differ by from the second nearest frame."""
    rank = min(2, tiles.shape[1] - 1)
    third = np.partition(_distances(tiles), rank, axis=2)[:, :, rank]
    return float(np.quantile(np.median(third, axis=1), 0.25))


def _sorted(distances: np.ndarray, alike: float) -> np.ndarray:
    near = (distances < alike).astype(np.float32)
    tiles, n, _ = near.shape
    free = np.ones((tiles, n), np.float32)
    members = np.zeros((tiles, MOST, n), bool)
    for k in range(MOST):
        counts = np.matmul(near, free[:, :, None])[:, :, 0] * free
        first = near[np.arange(tiles), counts.argmax(1)] * free
        members[:, k] = first > 0
        free -= first
    return members


def _described(tiles: np.ndarray, members: np.ndarray) -> States:
    weights = members.astype(np.float32)
    count = weights.sum(2)
    safe = np.maximum(count, 1)
    centre = np.matmul(weights, tiles) / safe[:, :, None]
    squares = np.matmul(weights, (tiles * tiles).mean(2)[:, :, None])[:, :, 0] / safe
    return States(members, count, centre, np.maximum(squares - (centre * centre).mean(2), 0))


def _by_pixel(small: np.ndarray, grid: Grid, alike: float) -> States:
    picture = _mode(small[:: max(1, len(small) // ENOUGH)])
    error = np.einsum("nhwc->nhw", (small - picture) ** 2) / small.shape[-1]
    near = (error < 2 * alike).astype(np.float32)
    support, misfit = grid.means(near), grid.means(near * error)
    count = support.sum(1)
    return States(
        (support > MOSTLY)[:, None],
        count[:, None],
        grid.tiles(picture[None]),
        (misfit.sum(1) / np.maximum(count, 1e-6))[:, None],
    )


def _mode(small: np.ndarray) -> np.ndarray:
    """Where most frames are, of each pixel: the fullest of those that some quantiles lead to."""
    ranks = [round(share * (len(small) - 1)) for share in QUANTILES]
    small = planes(small)
    starts = np.partition(small, ranks, axis=1)[:, ranks].swapaxes(0, 1)
    found = np.stack([_risen(small, start) for start in starts])
    fullness = np.stack([_near(small, picture, WINDOWS[-1]).sum(0) for picture in found])
    fullest = np.take_along_axis(found, fullness.argmax(0)[None, None], axis=0)[0]
    return fullest.transpose(1, 2, 0)


def _risen(small: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """From a picture to where more frames are, by shrinking windows."""
    for window in WINDOWS:
        picture = mean_of(small, _near(small, picture, window), picture)
    return picture


def _near(small: np.ndarray, picture: np.ndarray, window: float) -> np.ndarray:
    return (loudest_plane(small - picture[:, None]) < window).astype(np.float32)


def _joined(first: States, second: States) -> States:
    parts = (np.concatenate([a, b], axis=1) for a, b in zip(_fields(first), _fields(second), strict=True))
    return States(*parts)


def _fields(states: States) -> tuple[np.ndarray, ...]:
    return states.members, states.count, states.centre, states.spread
