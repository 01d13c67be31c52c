"""Seconds of the default detector on tables with planted anomalous rows, beside PyOD's autoencoder."""

from functools import partial
from typing import Any

from benchmarks.measuring import in_turn, threads, write
from benchmarks.table import pyod, robust
from robustae.datasets.synthetic import planted_rows

OURS, PYOD = "robust autoencoder (default)", "PyOD AutoEncoder (default)"
LARGE_RUNS = 1
SIZES = {(10_000, 100): 1, (10_000, 30): 1, (200_000, 40): 2}  # rows, columns: threads
BESIDE = (10_000, 100)


def measured(size: tuple[int, int], count: int, runs: int) -> list[dict[str, Any]]:
    """Fit and score; PyOD's network where it does not take too long."""
    n, d = size
    X = planted_rows(n=n, d=d, size=2.0, random_state=0).X
    work = {OURS: partial(robust, X)} | ({PYOD: partial(pyod, X)} if size == BESIDE else {})
    runs = runs if n <= 10_000 else LARGE_RUNS
    with threads(count):
        seconds, _ = in_turn(work, runs)
    return [
        {
            "rows": n,
            "columns": d,
            "method": name,
            "threads": count,
            "seconds": f"{seconds[name]:.2f}",
            "ratio": f"{seconds[name] / seconds[PYOD]:.3f}" if PYOD in seconds else "",
            "runs": runs,
        }
        for name in work
    ]


def run(runs: int) -> None:
    """Write tables_speed.csv; `ratio` is the method's time to PyOD's."""
    write("tables_speed", [row for size, count in SIZES.items() for row in measured(size, count, runs)])
