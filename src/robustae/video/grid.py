"""The geometry of a picture in overlapping tiles: small copies, tiles of them, and pictures put together.

Frames are averaged down by `pool`, so that the longest side has at most 128 cells; tiles are squares of
4 x 4 of those cells, every second cell, so that each overlaps half of its neighbours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

__all__ = ["STEP", "TILE", "Grid", "grid_for", "loudest", "loudest_plane", "mean_of", "planes", "some_of"]

TILE, STEP = 4, 2  # in cells
LEAST_POOL, LONGEST = 2, 128
BLOCK = 8  # frames at a time: they stay in the cache
MOST_BYTES = 257  # whose sum 16 bits hold


@dataclass(frozen=True)
class Grid:
    """Tiles over frames of a given size.

    Attributes
    ----------
    height, width : int
        Of the frames, in pixels.
    pool : int
        Pixels to a cell, each way.
    """

    height: int
    width: int
    pool: int

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells: whole steps, the last filled up by repeating the border."""
        return _whole(self.height, self.pool), _whole(self.width, self.pool)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        rows, columns = self.cells
        return (rows - TILE) // STEP + 1, (columns - TILE) // STEP + 1

    def small(self, frames: np.ndarray) -> np.ndarray:
        """Average frames (n, height, width, c) of bytes down to cells (n, rows, columns, c) in [0, 1]."""
        return np.concatenate([self._small(frames[k : k + BLOCK]) for k in range(0, len(frames), BLOCK)])

    def _small(self, frames: np.ndarray) -> np.ndarray:
        rows, columns = (side * self.pool for side in self.cells)
        if (rows, columns) != frames.shape[1:3]:
            beyond = (0, 0), (0, rows - self.height), (0, columns - self.width), (0, 0)
            frames = np.pad(frames, beyond, mode="edge")
        # Sums of strided slices: a reduction over short axes is several times slower. Of bytes in 16 bits,
        # which hold those of the longest side there is.
        kind = np.uint16 if frames.dtype == np.uint8 and self.pool < MOST_BYTES else np.float32
        frames = _summed(frames, self.pool, kind)
        across = _summed(frames.swapaxes(1, 2), self.pool, np.float32).swapaxes(1, 2)
        return across * np.float32(1 / (255 * self.pool**2))

    def tiles(self, small: np.ndarray) -> np.ndarray:
        """Cut small pictures (n, rows, columns, c) into tiles, shape (tiles, n, 16 c)."""
        # Frames last while it is copied: a few long runs instead of many short ones.
        last = np.ascontiguousarray(small.transpose(1, 2, 3, 0))
        windows = sliding_window_view(last, (TILE, TILE), axis=(0, 1))[::STEP, ::STEP]
        tiles = np.ascontiguousarray(windows.transpose(0, 1, 2, 4, 5, 3))
        return tiles.reshape(-1, small.shape[3] * TILE * TILE, len(small)).swapaxes(1, 2)

    def means(self, cells: np.ndarray) -> np.ndarray:
        """Return the means over tiles of small pictures (n, rows, columns), shape (tiles, n)."""
        steps = _summed(_summed(cells, STEP, np.float32).swapaxes(1, 2), STEP, np.float32).swapaxes(1, 2)
        four = steps[:, :-1, :-1] + steps[:, 1:, :-1] + steps[:, :-1, 1:] + steps[:, 1:, 1:]
        return four.reshape(len(cells), -1).T / np.float32(TILE**2)

    def put_together(self, tiles: np.ndarray) -> np.ndarray:
        """Average overlapping tiles (tiles, 16 c) to a small picture (rows, columns, c)."""
        patches = tiles.reshape(*self.shape, -1, TILE, TILE).transpose(0, 1, 3, 4, 2)
        blocks = sum(
            self.spread(patches[:, :, y : y + STEP, x : x + STEP], y // STEP, x // STEP)
            for y in range(0, TILE, STEP)
            for x in range(0, TILE, STEP)
        )
        shares = self.cover(np.ones((1, *self.shape), np.float32))[0]
        picture = (blocks / shares[..., None, None, None]).transpose(0, 2, 1, 3, 4)
        return picture.reshape(*self.cells, -1)

    def spread(self, values: np.ndarray, down: int, right: int) -> np.ndarray:
        """Place one value for each tile on the steps the tiles cover, so many steps down and right."""
        rows, columns = self.shape
        blocks = np.zeros((rows + 1, columns + 1, *values.shape[2:]), values.dtype)
        blocks[down : down + rows, right : right + columns] = values
        return blocks

    def cover(self, weights: np.ndarray) -> np.ndarray:
        """Sum weights (n, rows, columns of tiles) over the tiles at each step, (n, rows + 1, columns + 1)."""
        n, rows, columns = weights.shape
        total = np.zeros((n, rows + 1, columns + 1), weights.dtype)
        for down in (0, 1):
            for right in (0, 1):
                total[:, down : down + rows, right : right + columns] += weights
        return total

    def full(self, blocks: np.ndarray) -> np.ndarray:
        """Repeat values on steps (n, rows, columns) over the pixels, (n, height, width)."""
        side = STEP * self.pool
        pixels = blocks.repeat(side, axis=1).repeat(side, axis=2)
        return pixels[:, : self.height, : self.width]

    def enlarged(self, small: np.ndarray) -> np.ndarray:
        """Repeat the cells of a small picture over the pixels, in [0, 255]."""
        pixels = small.repeat(self.pool, axis=0).repeat(self.pool, axis=1)
        return 255 * pixels[: self.height, : self.width]


def _summed(frames: np.ndarray, pool: int, kind: type) -> np.ndarray:
    """Sums of so many rows each."""
    total = frames[:, ::pool].astype(kind)
    for k in range(1, pool):
        total += frames[:, k::pool]
    return total


def loudest(residuals: np.ndarray) -> np.ndarray:
    """Largest absolute value over the channels, which are last; they are gone then."""
    size = np.abs(residuals[..., 0])
    for channel in range(1, residuals.shape[-1]):
        np.maximum(size, np.abs(residuals[..., channel]), out=size)
    return size


def planes(images: np.ndarray) -> np.ndarray:
    """Bring the channels, which are last, to the front and each together: sums are several times faster."""
    return np.ascontiguousarray(np.moveaxis(images, -1, 0), dtype=np.float32)


def loudest_plane(residuals: np.ndarray) -> np.ndarray:
    """Largest absolute value over the channels, which are first; the residuals are spoilt."""
    np.abs(residuals, out=residuals)
    for channel in residuals[1:]:
        np.maximum(residuals[0], channel, out=residuals[0])
    return residuals[0]


def mean_of(values: np.ndarray, weights: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Mean over the frames of planes (c, n, h, w), weights (n, h, w); another (c, h, w) where none counts."""
    total = weights.sum(0)
    mean = np.einsum("cnhw,nhw->chw", values, weights) / np.maximum(total, 1e-6)
    return np.where(total > 1e-6, mean, otherwise).astype(np.float32)


def some_of(count: int, most: int) -> np.ndarray:
    """Return about `most` numbers below `count`, spread evenly, or all if there are fewer.

    Not at one distance: in pictures of some widths that would be a few columns, or one colour.
    """
    if count <= most:
        return np.arange(count)
    places = np.arange(most) + np.random.default_rng(0).random(most)
    return (places * (count / most)).astype(int)


def _whole(side: int, pool: int) -> int:
    steps = -(-side // (pool * STEP))
    return max(steps * STEP, TILE)


def grid_for(height: int, width: int) -> Grid:
    """Return the tiles for frames of this size."""
    return Grid(height, width, max(LEAST_POOL, -(-max(height, width) // LONGEST)))
