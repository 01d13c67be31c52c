"""Rows of a fit as its processes hold them: parts, shards, quantiles, and some rows for all to see."""

import hashlib
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial, reduce
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from robustae.data.streams import RowSource, row_source
from robustae.fit.distributed.shards import Layout, Reader, laid_out, picked
from robustae.fit.distributed.worlds import World, with_heartbeat
from robustae.fit.spill import Progress, Spill, no_spill
from robustae.stats.sketches import QuantileSketch
from robustae.utils.checks import InputError

__all__ = ["Data", "opened", "spread"]


@dataclass(frozen=True)
class Data:
    """All rows, those of this process at hand.

    Attributes
    ----------
    world : World
    layout : Layout
    parts : dict of int to Spill
        By the number of their first row among all: those this process reads.
    sketch : QuantileSketch
        Of all rows.
    """

    world: World
    layout: Layout
    parts: dict[int, Spill]
    sketch: QuantileSketch

    @property
    def one(self) -> Spill:
        """Any of the parts: they have the same columns."""
        return next(iter(self.parts.values()))

    @property
    def mine(self) -> range:
        """The shards of this process."""
        return self.layout.owned[self.world.rank]

    def reader(self, shard: int, seed: int, epoch: int) -> Reader:
        """Return a shard's rows in the order of an epoch."""
        part, first = self._place(shard)
        order = seed, epoch, shard
        return Reader(part.rows, first, self.layout.size(shard), order, in_order=part.folder is None)

    def _place(self, shard: int) -> tuple[Spill, int]:
        row = self.layout.bounds[shard]
        start = max(first for first in self.parts if first <= row)
        return self.parts[start], row - start

    def of_rows(self, places: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return ``function(rows)`` of the rows at ascending places among all, joined, in every process."""
        found = []
        for shard in self.mine:
            low, high = self.layout.bounds[shard : shard + 2]
            some = places[(places >= low) & (places < high)]
            part, first = self._place(shard)
            found += [function(rows) for rows in picked(part.rows, some - low + first)]
        everybodys = [block for blocks in self.world.share(found) for block in blocks]
        return np.concatenate(everybodys)

    def digest(self, sample: np.ndarray) -> str:
        """What distinguishes these rows from others: a checksum of their quantiles, and of some rows."""
        total = hashlib.sha256(repr((self.layout.bounds, self.one.columns)).encode())
        for name, values in sorted(self.sketch.state().items()):
            total.update(name.encode() + np.ascontiguousarray(values).tobytes())
        total.update(np.ascontiguousarray(sample).tobytes())
        return total.hexdigest()[:32]


def spread(n: int, at_most: int) -> np.ndarray:
    """Return numbers of rows, one drawn from each of `at_most` equal stretches of n, or all."""
    if n <= at_most:
        return np.arange(n)
    edges = np.arange(at_most + 1) * n // at_most
    return np.random.default_rng(n).integers(edges[:-1], edges[1:])


def opened(
    source: Any, world: World, stack: ExitStack, own_rows: bool, spill: Any, progress: Progress | None
) -> Data:
    """Go through the source once, and return its rows.

    Parameters
    ----------
    source : RowSource or what makes one
        With `own_rows` this process's part of the rows, or a list of such parts; else all of them.
    world : World
    stack : ExitStack
        Closes what is opened.
    own_rows : bool
    spill : path, None or False
        Where the rows lie meanwhile; False decodes them anew in each epoch.
    progress : callable, optional

    Raises
    ------
    InputError
        In every process, if rows cannot be read in one, or processes see different rows.
    """
    if own_rows:
        return _of_parts(source, world, stack, spill, progress)
    one = _shared(row_source(source), world, stack, spill, progress)
    _agree(world.share((len(one.rows), one.columns, _sums(one.sketch))))
    return Data(world, laid_out([len(one.rows)], [0], world.size), {0: one}, one.sketch)


def _agree(facts: list[Any]) -> None:
    """Refuse rows that are not the same in all processes."""
    if any(fact != facts[0] for fact in facts):
        raise InputError(
            "processes of the fit read other rows than the first one: give all the same files, or set "
            "own_rows=True where each has rows of its own."
        )


def _sums(sketch: QuantileSketch) -> list[float]:
    state = [sketch.quantile((0.1, 0.5, 0.9)), sketch.least, sketch.most, sketch.missing]
    return [float(np.nan_to_num(part).sum()) for part in state]


def _of_parts(source: Any, world: World, stack: ExitStack, spill: Any, progress: Progress | None) -> Data:
    sources = source if isinstance(source, list) else [source]
    places = [spill if not spill else Path(spill) / f"part{world.rank}-{k}" for k in range(len(sources))]
    pairs = list(zip(map(row_source, sources), places, strict=True))
    mine = with_heartbeat(world, lambda beat: [_spilled(one, place, progress, beat) for one, place in pairs])
    for one in mine or ():
        stack.enter_context(one)
    facts = world.share([(len(one.rows), one.columns, one.sketch.state()) for one in mine or ()])
    parts = [fact for of_rank in facts for fact in of_rank]
    owners = [rank for rank, of_rank in enumerate(facts) for _ in of_rank]
    for _, columns, _ in parts:
        if columns != parts[0][1]:
            raise InputError("own_rows=True: the parts do not have the same columns.")
    layout = laid_out([n for n, _, _ in parts], owners, world.size)
    firsts = [first for first, rank in zip(_starts(parts), owners, strict=True) if rank == world.rank]
    sketch = reduce(QuantileSketch.merge, [QuantileSketch.of_state(state) for _, _, state in parts])
    return Data(world, layout, dict(zip(firsts, mine or (), strict=True)), sketch)


def _starts(parts: list[Any]) -> list[int]:
    return [0, *accumulate(n for n, _, _ in parts)][:-1]


def _shared(
    source: RowSource, world: World, stack: ExitStack, spill: Any, progress: Progress | None
) -> Spill:
    """Let one process of each host write what all of them read."""
    if spill is False or world.size == 1:
        one = with_heartbeat(world, lambda beat: _spilled(source, spill, progress, beat))
        assert one is not None
        return stack.enter_context(one)
    hosts = world.share(_host())
    each = world.share((source.n_rows, source.columns, source.fingerprint()))
    _agree([fact for host, fact in zip(hosts, each, strict=True) if host == hosts[0]])
    leads = hosts.index(hosts[world.rank]) == world.rank
    if leads and spill is None:
        spill = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="robustae-", ignore_cleanup_errors=True)
        )
    place = Path(world.share(spill)[hosts.index(hosts[world.rank])])
    with_heartbeat(world, partial(_spilled, source, place, progress) if leads else None)
    return Spill.open(place)


def _host() -> tuple[str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return socket.gethostname(), boot.read_text() if boot.exists() else ""


def _spilled(source: RowSource, place: Any, progress: Progress | None, beat: Callable[..., None]) -> Spill:
    def report(rows: int, of: int | None) -> None:
        beat()
        if progress is not None:
            progress(rows, of)

    return no_spill(source, report) if place is False else Spill.of(source, place, report)
