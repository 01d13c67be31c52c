"""Sums over shards in an order that is the same for any number of processes."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Gathers", "TreeSum", "blocks_of"]

Node = tuple[int, int]  # level and number: the shards from number * 2^level on, 2^level of them


class Gathers(Protocol):
    """Who adds up: see `worlds.World`."""

    size: int

    def gather(self, part: Tensor) -> Tensor:
        """Return everybody's `part`, stacked in order."""
        ...


class TreeSum:
    """Adds what the shards give, always as ((0 + 1) + (2 + 3)) + ..., whoever has them.

    A process adds up the blocks of the tree that it owns whole and sends those; each then adds the rest
    alike. Sums of floating-point numbers depend on their order, so this alone makes any number of
    processes agree to the last bit.

    Parameters
    ----------
    world : Gathers
    owned : sequence of range
        The shards of each process, in order; together 0, ..., a power of two - 1.
    rank : int
        This process.
    """

    def __init__(self, world: Gathers, owned: list[range], rank: int):
        self.world = world
        self.top = (owned[-1].stop - 1).bit_length()
        self.blocks = [blocks_of(shards) for shards in owned]
        self.mine = self.blocks[rank]
        self.slots = max(map(len, self.blocks))

    def __call__(self, leaf: Callable[[int], Tensor]) -> Tensor:
        """Return the sum over all shards of ``leaf(shard)``, vectors that a process computes for its own."""
        mine = [_added(leaf, *node) for node in self.mine]
        if self.world.size == 1 and self.slots == 1:
            return mine[0]
        empty = [torch.zeros_like(mine[0])] * (self.slots - len(mine))
        sent = self.world.gather(torch.stack([*mine, *empty]))
        known = {
            node: sent[rank, k] for rank, nodes in enumerate(self.blocks) for k, node in enumerate(nodes)
        }
        return _completed(known, self.top, 0)


def blocks_of(shards: range) -> list[Node]:
    """Return the largest blocks of the tree that make up a run of shards."""
    first, stop = shards.start, shards.stop
    found = []
    while first < stop:
        widest = (stop - first).bit_length() - 1
        level = min((first & -first).bit_length() - 1, widest) if first else widest
        found.append((level, first >> level))
        first += 1 << level
    return found


def _added(leaf: Callable[[int], Tensor], level: int, number: int) -> Tensor:
    if level == 0:
        return leaf(number)
    left = _added(leaf, level - 1, 2 * number)
    return left.add_(_added(leaf, level - 1, 2 * number + 1))


def _completed(known: dict[Node, Tensor], level: int, number: int) -> Tensor:
    if (level, number) in known:
        return known[level, number]
    return _completed(known, level - 1, 2 * number) + _completed(known, level - 1, 2 * number + 1)
