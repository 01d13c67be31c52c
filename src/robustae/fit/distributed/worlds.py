"""Who takes part in a fit: one process, or several that speak through torch.distributed."""

import atexit
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from robustae.utils.checks import InputError

__all__ = ["Alone", "PeerLost", "Torch", "World", "with_heartbeat", "leave", "world_here"]

T = TypeVar("T")

TIMEOUT = 300.0  # seconds that a process waits for the others; ROBUSTAE_TIMEOUT sets another time
BEAT = 5.0  # seconds between signs of life of a process that others wait for


class PeerLost(ConnectionError):
    """Another process of the fit has ended, or cannot be reached."""


class World(Protocol):
    """The processes of a fit. All of them make the same calls in the same order.

    Attributes
    ----------
    rank, size : int
        This process's number, and how many there are.
    """

    rank: int
    size: int

    def gather(self, part: Tensor) -> Tensor:
        """Return everybody's `part`, of one shape, stacked by rank."""
        ...

    def share(self, value: Any) -> list[Any]:
        """Return everybody's `value`, by rank."""
        ...

    def of_first(self, value: T) -> T:
        """Return the `value` of rank 0."""
        ...

    def device(self, device: str) -> str:
        """Return the device of this process where the fit's is `device`."""
        ...


class Alone:
    """One process."""

    rank, size = 0, 1

    def gather(self, part: Tensor) -> Tensor:
        return part[None]

    def share(self, value: Any) -> list[Any]:
        return [value]

    def of_first(self, value: T) -> T:
        return value

    def device(self, device: str) -> str:
        return device


class Torch:
    """The processes of torch.distributed's default group, which must be there already."""

    def __init__(self) -> None:
        from torch import distributed

        self._distributed = distributed
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()

    def gather(self, part: Tensor) -> Tensor:
        here = part if self._speaks(part) else part.cpu()
        out = torch.empty((self.size, *here.shape), dtype=here.dtype, device=here.device)
        with _reached():
            self._distributed.all_gather(list(out), here.contiguous())
        return out.to(part.device)

    def _speaks(self, part: Tensor) -> bool:
        """Whether the group sends tensors of that device: gloo alone sends those of processors only."""
        return not part.is_cuda or "nccl" in self._distributed.get_backend_config()

    def share(self, value: Any) -> list[Any]:
        everybodys = [None] * self.size
        with _reached():
            self._distributed.all_gather_object(everybodys, value)
        return everybodys

    def of_first(self, value: T) -> T:
        held = [value]
        with _reached():
            self._distributed.broadcast_object_list(held, src=0)
        return held[0]

    def device(self, device: str) -> str:
        """Return the GPU of this process, by LOCAL_RANK, where the fit is on GPUs."""
        if device != "cuda":
            return device
        number = int(os.environ.get("LOCAL_RANK", self.rank)) % torch.cuda.device_count()
        torch.cuda.set_device(number)
        return f"cuda:{number}"


@contextmanager
def _reached() -> Iterator[None]:
    """Say in a sentence that the others cannot be reached any more."""
    try:
        yield
    except (RuntimeError, ValueError, EOFError) as error:
        raise PeerLost(
            "another process of the fit has ended or cannot be reached, so this one ends, too; with a "
            "checkpoint all of them together go on from there (--checkpoint DIR --resume)."
        ) from error


def world_here() -> World:
    """Return the world this process was started in: that of torchrun, Ray Train, Spark, or alone.

    Raises
    ------
    PeerLost
        If the other processes do not come.
    """
    from torch import distributed

    if not distributed.is_available():
        return Alone()
    if not distributed.is_initialized():
        if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
            return Alone()
        _join()
    return Torch() if distributed.get_world_size() > 1 else Alone()


def _join() -> None:
    from torch import distributed

    wait = timedelta(seconds=float(os.environ.get("ROBUSTAE_TIMEOUT", TIMEOUT)))
    with _reached():
        distributed.init_process_group(_backend(), timeout=wait)
    atexit.register(leave)


def leave() -> None:
    """Leave the group, if there is one."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _backend() -> str:
    """NCCL for tensors on GPUs, where each process of this host has one of its own."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    enough = torch.cuda.is_available() and torch.cuda.device_count() >= here
    return "cpu:gloo,cuda:nccl" if enough else "gloo"


def with_heartbeat(world: World, work: Callable[[Callable[..., None]], T] | None) -> T | None:
    """Run ``work(beat)`` on the processes that have any, while the others wait and do not give them up.

    Parameters
    ----------
    world : World
    work : callable, or None to wait
        It calls `beat` (with whatever arguments) now and then.

    Raises
    ------
    InputError
        On all, if the work of one cannot be done.
    """
    watch = _Watch(world)
    try:
        value = None if work is None else work(watch.beat)
    except (InputError, OSError) as error:
        if not isinstance(error, PeerLost):
            watch.meet(True, str(error))
        raise
    while not watch.meet(True):
        pass
    return value


class _Watch:
    def __init__(self, world: World):
        self.world, self.last = world, time.monotonic()

    def beat(self, *_: Any, **__: Any) -> None:
        if self.world.size > 1 and time.monotonic() - self.last > BEAT:
            self.meet(False)
            self.last = time.monotonic()

    def meet(self, done: bool, wrong: str | None = None) -> bool:
        """Inform the others, and return whether all are done."""
        answers = self.world.share((done, wrong))
        for _, why in answers:
            if why is not None:
                raise InputError(why)
        return all(done for done, _ in answers)
