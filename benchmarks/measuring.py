"""Seconds of several methods in turn, peak memory of one in a process of its own, and CSV files."""

import csv
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

Method = Callable[[], Any]


def in_turn(
    methods: dict[str, Method], runs: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[dict[str, float], dict[str, Any]]:
    """Run all methods `runs` times, one after the other in each run.

    Returns
    -------
    seconds : dict
        Median over the runs, by method, after one warm-up run of each.
    results : dict
        What each method returned last.
    """
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    results = {}
    for run in range(runs + 1):
        for name, method in methods.items():
            begin = clock()
            results[name] = method()
            seconds[name].append(clock() - begin)
            print(f"  run {run}: {name}: {seconds[name][-1]:.3f} s", flush=True)
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}, results


@contextmanager
def threads(count: int) -> Iterator[None]:
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    with threadpool_limits(count):
        yield
    torch.set_num_threads(before)


def peak_mib(prepare: Callable[[], Any], method: Callable[[Any], Any]) -> float:
    """Return the peak memory of ``method(prepare())`` over what imports and data take, in MiB."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(sender, prepare, method))
    child.start()
    peak = receiver.recv()
    child.join()
    return peak


def _child(sender: Any, prepare: Callable[[], Any], method: Callable[[Any], Any]) -> None:
    data = prepare()
    before = _resident_mib()
    kept = method(data)
    sender.send(peak_of_process() - before)
    del kept


def peak_of_process() -> float:
    """Peak memory of this process so far, imports included, in MiB."""
    # Not ru_maxrss: that remembers the peak of the process which started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """Write benchmarks/NAME.csv."""
    with open(HERE / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"benchmarks/{name}.csv written", flush=True)
