"""Long trials of what must not break: ``python -m benchmarks.soak [NAME ...]``; each writes a CSV file."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.leaks import memory
from benchmarks.measuring import write
from benchmarks.spoiling import commands, guided, hostile, spoilt
from robustae import RobustAutoencoder, load
from robustae.datasets.synthetic import planted_rows
from robustae.fit import artifact

SETTINGS = ("--predictor", "linear", "--set", "hidden=3", "--epochs", "20")
ONE = (sys.executable, "-m", "robustae")
TWO = (
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--nproc-per-node",
    "2",
    "-m",
    "robustae",
)
PINNED = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def fit(program: tuple[str, ...], folder: Path) -> subprocess.Popen[bytes]:
    """Start a fit with checkpoints."""
    out = ("--model", str(folder / "m.rae"), "--checkpoint", str(folder / "ck"), "--resume")
    words = [*program, "fit", str(folder.parent / "rows.npy"), *SETTINGS, *out]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(words, env=PINNED, **quiet)


def finished(program: tuple[str, ...], folder: Path) -> RobustAutoencoder:
    """Fit, or go on, to the end."""
    if (code := fit(program, folder).wait()) != 0:
        raise SystemExit(f"a fit that goes on in {folder} ended with {code}")
    return load(folder / "m.rae")


def state(model: RobustAutoencoder) -> list[Any]:
    """What a fit decides."""
    weights = [value.numpy().tobytes() for value in model.predictor_.state_dict().values()]
    return [*weights, model.noise_scale_.tobytes(), model.offset_, model.history_]


def broken(folder: Path) -> int:
    """How many files that have a name cannot be read."""
    count = 0
    for path in (*folder.glob("ck/*.ckpt"), *folder.glob("m.rae")):
        try:
            artifact.read(path)
        except ValueError:
            count += 1
    return count


def killed(folder: Path, program: tuple[str, ...], seconds: float) -> str:
    """Kill a fit after so many seconds; return how far it was."""
    process = fit(program, folder)
    time.sleep(seconds)
    for pid in (process.pid, *_children(process.pid)):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    if (folder / "m.rae").exists():
        return "at the end"
    return "in an epoch" if any(folder.glob("ck/*.ckpt")) else "before the first checkpoint"


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True)
    return [int(word) for word in found.stdout.split()]


def kills(times: int) -> list[dict[str, Any]]:
    """kill -9 at random moments of fits with checkpoints, by one process or two; all go on to one model."""
    moments = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        np.save(home / "rows.npy", planted_rows(n=60_000, d=20, random_state=0).X.astype(np.float32))
        (home / "calm").mkdir()
        begin = time.perf_counter()
        calm = state(finished(ONE, home / "calm"))
        span = time.perf_counter() - begin
        trials = []
        for k in range(times):
            folder = home / str(k)
            folder.mkdir()
            when = killed(folder, TWO if k % 5 == 4 else ONE, moments.uniform(0.1, 1.2) * span)
            half = broken(folder)
            same = state(finished(TWO if k % 5 == 3 else ONE, folder)) == calm
            trials.append((when, same, half))
            print(f"  kill {k + 1}: {when}; same model: {same}; half-written files: {half}", flush=True)
    return [_row(when, [t for t in trials if t[0] == when]) for when in sorted({t[0] for t in trials})]


def _row(when: str, trials: list[tuple[str, bool, int]]) -> dict[str, Any]:
    return {
        "killed": when,
        "times": len(trials),
        "same_model": sum(same for _, same, _ in trials),
        "half_written_files": sum(half for _, _, half in trials),
    }


TRIALS = {
    "kills": kills,
    "commands": commands,
    "spoilt": spoilt,
    "hostile": hostile,
    "guided": guided,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=", ".join(TRIALS) + " (all if none is named)"
    )
    parser.add_argument("--times", type=int, default=50)
    arguments = parser.parse_args()
    for name in arguments.names or TRIALS:
        if name not in TRIALS:
            parser.error(f"{name!r} is not known: {', '.join(TRIALS)}")
        print(f"{name}:", flush=True)
        if rows := TRIALS[name](arguments.times):
            write(f"soak_{name}", rows)


if __name__ == "__main__":
    main()
