"""Rows from files in batches: seconds and peak memory from 10^5 to 10^7 rows of 50 columns, from Parquet.

Each piece of work runs in a process of its own, whose peak memory (imports included) is what the system
says. "in memory" reads the whole file first: where that fits it is what batches are compared with.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import peak_of_process, write

COLUMNS, RANK, SHARE = 50, 5, 0.05
GROUP = 100_000  # rows of a row group
PER_FILE = 1_000_000
SIZES = (100_000, 1_000_000, 10_000_000)
FITS = 1_000_000  # rows that the work in memory is given at most
FITTED = 20_000  # rows that the model is fitted on
MODEL, SCORES, SPILL = "model.rae", "scores.parquet", "spill"


def generate(folder: Path, n: int) -> None:
    """Write rows of low rank with noise, 5 % of them wild, as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    V = rng.normal(size=(RANK, COLUMNS))
    names = [f"c{j}" for j in range(COLUMNS)]
    for first in range(0, n, PER_FILE):
        rows = min(PER_FILE, n - first)
        schema = pa.schema([(name, pa.float64()) for name in names])
        with pq.ParquetWriter(folder / f"part-{first // PER_FILE:04d}.parquet", schema) as writer:
            for start in range(0, rows, GROUP):
                X = _rows(rng, V, min(GROUP, rows - start))
                writer.write_table(pa.table(dict(zip(names, X.T, strict=True))))


def _rows(rng: np.random.Generator, V: np.ndarray, m: int) -> np.ndarray:
    X = rng.normal(size=(m, RANK)) @ V + rng.normal(scale=0.5, size=(m, COLUMNS))
    wild = rng.random(m) < SHARE
    X[wild] += rng.normal(scale=3, size=(wild.sum(), COLUMNS))
    return X


def spill(folder: Path, data: Path) -> None:
    from robustae.data.streams import row_source
    from robustae.fit.spill import Spill

    Spill.of(row_source(data), folder / SPILL)


def read_spill(folder: Path, data: Path) -> None:
    from robustae.fit.spill import Spill

    rows = Spill.open(folder / SPILL).rows
    for first in range(0, len(rows), 65_536):
        rows[first : first + 65_536]


def score(folder: Path, data: Path) -> None:
    from robustae import load
    from robustae.estimators.scoring import score_source

    score_source(load(folder / MODEL), data, folder / SCORES)


def score_in_memory(folder: Path, data: Path) -> None:
    from robustae import load

    load(folder / MODEL).score_samples(_whole(data))


def fit(folder: Path, data: Path) -> None:
    from robustae import RobustAutoencoder

    RobustAutoencoder(random_state=0, predictor="linear", hidden=RANK, max_iter=1).fit(str(data))


def _whole(data: Path) -> np.ndarray:
    import pyarrow.parquet as pq

    files = [pq.read_table(file, columns=None) for file in sorted(data.glob("*.parquet"))]
    return np.concatenate([np.column_stack([column.to_numpy() for column in file.columns]) for file in files])


WORK: dict[str, Callable[[Path, Path], None]] = {
    "spill": spill,
    "read spill": read_spill,
    "score": score,
    "score in memory": score_in_memory,
    "fit, one epoch": fit,
}


def measured(work: str, folder: Path, data: Path) -> tuple[float, float]:
    """Return seconds and peak MiB of one piece of work in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.streaming", work, str(folder), str(data)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(told.splitlines()[-1])
    return found["seconds"], found["peak"]


def figures(n: int, folder: Path) -> list[dict[str, Any]]:
    """Measure all work on n rows."""
    data = folder / "data"
    data.mkdir()
    generate(data, n)
    rows = []
    for work in WORK:
        if n > FITS and work == "score in memory":
            continue
        seconds, peak = measured(work, folder, data)
        print(f"  {n} rows: {work}: {seconds:.2f} s, {peak:.0f} MiB", flush=True)
        rows.append(
            {
                "rows": n,
                "columns": COLUMNS,
                "work": work,
                "seconds": f"{seconds:.2f}",
                "rows_per_second": f"{n / seconds:.0f}",
                "peak_MiB": f"{peak:.0f}",
            }
        )
    return rows


def fit_model(path: Path) -> None:
    """Fit the model that scores, to rows like those of the files."""
    from robustae import RobustAutoencoder

    rng = np.random.default_rng(0)
    X = _rows(rng, rng.normal(size=(RANK, COLUMNS)), FITTED)
    RobustAutoencoder(random_state=0, predictor="linear", hidden=RANK).fit(X).save(path)


def run(runs: int, sizes: tuple[int, ...] = SIZES) -> None:
    """Write streaming.csv; `runs` is not used, for the long ones are long enough."""
    rows = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as home:
        fit_model(Path(home) / MODEL)
        for n in sizes:
            folder = Path(home) / str(n)
            folder.mkdir()
            os.link(Path(home) / MODEL, folder / MODEL)
            rows += figures(n, folder)
    write("streaming", rows)


def child(work: str, folder: Path, data: Path) -> None:
    """Do one piece of work, and print what it took; imports are not timed."""
    import robustae.estimators.autoencoder  # noqa: F401

    begin = time.perf_counter()
    WORK[work](folder, data)
    print(json.dumps({"seconds": time.perf_counter() - begin, "peak": peak_of_process()}))


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.streaming", description=__doc__)
    parser.add_argument("work", nargs="?", choices=WORK)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    if arguments.work is None:
        run(1, tuple(arguments.rows))
    else:
        child(arguments.work, arguments.folder, arguments.data)


if __name__ == "__main__":
    main()
