"""Rows per second in epochs of a fit by one process and by two, of a core each, where computing is dear."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import write

ROWS, COLUMNS, EPOCHS = 60_000, 200, 2
WIDTHS, BATCH = (512, 128, 16), 4096
NAME = "ranks"
PROGRAM = """
import os, sys, time
import torch
from robustae import RobustAutoencoder
from robustae.fit.distributed import beginning, world_here
from robustae.solvers import Adam

torch.set_num_threads(1)
beginning.ROWS = 1000
times = []
def tell(what, rows, of):
    if what == "fit":
        times.append((time.perf_counter(), rows))
model = RobustAutoencoder(predictor="deep", hidden={widths}, max_iter={epochs}, batch_size={batch},
                          solver=Adam(1e-3, 20, epochs=1), random_state=0)
model.fit_source(sys.argv[1], progress=tell)
(begin, first), (end, last) = times[0], times[-1]
if world_here().rank == 0:
    parameters = sum(p.numel() for p in model.predictor_.parameters())
    print((last - first) / (end - begin), parameters, model.objective_)
"""


def measured(size: int, path: Path, program: Path) -> tuple[float, int, str]:
    """Rows per second, numbers of the model, and J, of one fit."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    done = subprocess.run(
        [sys.executable, *(launch if size > 1 else []), str(program), str(path)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    speed, parameters, objective = done.stdout.split()
    print(f"  {size} processes: {float(speed):,.0f} rows/s", flush=True)
    return float(speed), int(parameters), objective


def run(runs: int) -> None:
    """Write ranks.csv; `ratio` is to one process, in the same run."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path, program = Path(folder) / "rows.npy", Path(folder) / "fit.py"
        np.save(path, rng.normal(size=(ROWS, COLUMNS)).astype(np.float32))
        program.write_text(PROGRAM.format(widths=WIDTHS, epochs=EPOCHS, batch=BATCH), "utf-8")
        each: list[Any] = [[measured(size, path, program) for size in (1, 2)] for _ in range(runs)]
    assert len({objective for pair in each for _, _, objective in pair}) == 1, "not the same fit"
    write(NAME, [_row(size, each) for size in (1, 2)])


def _row(size: int, each: list[Any]) -> dict[str, Any]:
    speeds = [pair[size - 1][0] for pair in each]
    ratios = [pair[size - 1][0] / pair[0][0] for pair in each]
    parameters = each[0][0][1]
    return {
        "processes": size,
        "rows_per_second": f"{statistics.median(speeds):.0f}",
        "ratio": f"{statistics.median(ratios):.2f}",
        "least": f"{min(ratios):.2f}",
        "most": f"{max(ratios):.2f}",
        "weights": parameters,
        "columns": COLUMNS,
        "batch": BATCH,
        "runs": len(each),
    }
