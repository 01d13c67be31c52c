"""Which rows are whose, and in which order they are gone through: by (seed, epoch, step) alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ["Layout", "Reader", "RowsOf", "SHARDS", "laid_out", "step_rows"]

SHARDS = 8  # however many processes there are, unless there are more
RUN_CELLS = 2**15  # read in one go
WINDOW_RUNS = 32  # whose rows are mixed with each other
BLOCK_CELLS = 2**20  # of rows gone through in order


class RowsOf(Protocol):
    """Rows of one part: ``rows[a:b]`` gives an array of shape (b - a, d), NaN where missing."""

    shape: Any

    def __getitem__(self, rows: slice) -> np.ndarray: ...


@dataclass(frozen=True)
class Layout:
    """Shards of consecutive rows, and who has them.

    Attributes
    ----------
    bounds : tuple of int
        Where each shard begins, and the number of rows at the end.
    owned : list of range
        Shards of each process, in order.
    """

    bounds: tuple[int, ...]
    owned: list[range]

    @property
    def n(self) -> int:
        """Rows in all."""
        return self.bounds[-1]

    def size(self, shard: int) -> int:
        """Rows of a shard."""
        return self.bounds[shard + 1] - self.bounds[shard]


def laid_out(parts: list[int], owners: list[int], size: int) -> Layout:
    """Cut parts into shards.

    Parameters
    ----------
    parts : list of int
        Rows of each part.
    owners : list of int
        The process each part belongs to, ascending; of a single part all processes have their shards.
    size : int
        Processes.
    """
    count = max(SHARDS, _power_of_two(max(len(parts), size)))
    cuts = [count * p // len(parts) for p in range(len(parts) + 1)]
    bounds, start = [0], 0
    for first, stop, n in zip(cuts, cuts[1:], parts, strict=False):
        bounds += [start + n * k // (stop - first) for k in range(1, stop - first + 1)]
        start += n
    if len(parts) == 1:
        cuts, owners = [count * rank // size for rank in range(size + 1)], list(range(size))
    firsts = [cuts[owners.index(rank)] for rank in range(size)] + [count]
    return Layout(tuple(bounds), [range(a, b) for a, b in zip(firsts, firsts[1:], strict=False)])


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def step_rows(n: int, step: int, steps: int) -> tuple[int, int]:
    """Return the places in its order that a shard of n rows gives to a step: an even number, or the last.

    A lone row cannot be normalised by a module that normalises batches.
    """
    return _edge(n, step, steps), _edge(n, step + 1, steps)


def _edge(n: int, step: int, steps: int) -> int:
    return n if step == steps else 2 * (step * (n // 2) // steps)


class Reader:
    """The rows of one shard in a random order: runs of rows in any order, mixed with those read beside them.

    Memory holds one window, and the disk is read in long runs.

    Parameters
    ----------
    rows : RowsOf
    first, n : int
        The shard's rows within `rows`.
    seed : tuple of int
        Of the order: seed, epoch, shard.
    in_order : bool
        Windows come as the rows lie, for rows that are decoded again.
    """

    def __init__(self, rows: RowsOf, first: int, n: int, seed: tuple[int, ...], in_order: bool = False):
        self.rows, self.first, self.seed = rows, first, seed
        length = max(RUN_CELLS // rows.shape[1], 1)
        starts = np.arange(0, n, length)
        if not in_order:
            starts = np.random.default_rng(seed).permutation(starts)
        self.starts, self.lengths = starts, np.minimum(length, n - starts)
        ends = np.cumsum(self.lengths)[WINDOW_RUNS - 1 :: WINDOW_RUNS]
        self.edges = np.unique(np.r_[0, ends, n])
        self._held: tuple[int, np.ndarray] = -1, np.empty((0, rows.shape[1]), np.float32)

    def take(self, start: int, stop: int) -> np.ndarray:
        """Return the rows at the places from `start` to `stop` in the order."""
        parts = [np.empty((0, self.rows.shape[1]), np.float32)]
        while start < stop:
            number = int(np.searchsorted(self.edges, start, side="right")) - 1
            low, high = self.edges[number : number + 2]
            parts.append(self._window(number)[start - low : min(stop, high) - low])
            start = min(stop, high)
        return parts[1] if len(parts) == 2 else np.concatenate(parts)

    def _window(self, number: int) -> np.ndarray:
        if self._held[0] != number:
            some = slice(number * WINDOW_RUNS, (number + 1) * WINDOW_RUNS)
            runs = [
                self.rows[self.first + a : self.first + a + length]
                for a, length in zip(self.starts[some].tolist(), self.lengths[some].tolist(), strict=True)
            ]
            window = np.concatenate(runs)
            mixed = np.random.default_rng((*self.seed, number)).permutation(len(window))
            self._held = number, window[mixed]
        return self._held[1]


def picked(rows: RowsOf, places: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows at ascending places, block by block, as they lie: whatever is asked, once through."""
    if not len(places):
        return
    step = max(BLOCK_CELLS // rows.shape[1], 1)
    for start in range(int(places[0]), int(places[-1]) + 1, step):
        low, high = np.searchsorted(places, (start, start + step))
        block = rows[start : min(start + step, rows.shape[0])]
        if high > low:
            yield block[places[low:high] - start]
