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
from typing import Any, NamedTuple

import numpy as np

from benchmarks.leaks import memory
from benchmarks.measuring import write
from benchmarks.spoiling import commands, guided, hostile, spoilt
from robustae import RobustAutoencoder, load
from robustae.datasets.synthetic import planted_rows
from robustae.fit import artifact

LINEAR = ("--predictor", "linear", "--set", "hidden=3", "--epochs", "20")


class Work(NamedTuple):
    """A fit to be killed.

    Attributes
    ----------
    rows : int
    settings : tuple of str
        Words of the command.
    share : float
        Of the kills.
    shared : bool
        Whether two processes fit it, too.
    """

    rows: int
    settings: tuple[str, ...] = ()
    share: float = 0.2
    shared: bool = False


FITS = {
    "500 rows": Work(500),
    "15 000 rows": Work(15_000),
    "60 000 rows": Work(60_000),
    "60 000 rows, linear, 20 epochs": Work(60_000, LINEAR, 0.4, shared=True),
}
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


def fit(program: tuple[str, ...], folder: Path, settings: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Start a fit of the rows beside its folder, with checkpoints."""
    out = ("--model", str(folder / "m.rae"), "--checkpoint", str(folder / "ck"), "--resume")
    words = [*program, "fit", str(folder.parent / "rows.npy"), *settings, *out]
    return subprocess.Popen(words, env=PINNED, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finished(program: tuple[str, ...], folder: Path, settings: tuple[str, ...]) -> RobustAutoencoder:
    """Fit, or go on, to the end."""
    if (code := fit(program, folder, settings).wait()) != 0:
        raise SystemExit(f"a fit that goes on in {folder} ended with {code}")
    return load(folder / "m.rae")


def state(model: RobustAutoencoder, X: np.ndarray) -> list[Any]:
    """What a fit decides."""
    weights = [value.numpy().tobytes() for value in model.predictor_.state_dict().values()]
    scores = model.score_samples(X[:200]).tobytes()
    return [*weights, model.noise_scale_.tobytes(), model.offset_, model.history_, scores]


def broken(folder: Path) -> int:
    """How many files that have a name cannot be read."""
    count = 0
    for path in (*folder.glob("ck/*.ckpt"), *folder.glob("m.rae")):
        try:
            artifact.read(path)
        except ValueError:
            count += 1
    return count


def killed(process: subprocess.Popen[bytes], folder: Path, seconds: float) -> str:
    """Kill a fit after so many seconds; return how far it was."""
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
    """kill -9 at random moments of fits with checkpoints; each goes on to the model of a calm fit."""
    return [row for name, work in FITS.items() for row in _kills_of(name, work, times)]


def _kills_of(name: str, work: Work, times: int) -> list[dict[str, Any]]:
    moments = random.Random(name)
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        X = planted_rows(n=work.rows, d=20, random_state=0).X.astype(np.float32)
        np.save(home / "rows.npy", X)
        (home / "calm").mkdir()
        begin = time.perf_counter()
        calm = state(finished(ONE, home / "calm", work.settings), X)
        span = time.perf_counter() - begin
        trials = []
        for k in range(max(1, round(work.share * times))):
            folder = home / str(k)
            folder.mkdir()
            process = fit(TWO if work.shared and k % 5 == 4 else ONE, folder, work.settings)
            when = killed(process, folder, moments.uniform(0.1, 1.2) * span)
            half = broken(folder)
            after = finished(TWO if work.shared and k % 5 == 3 else ONE, folder, work.settings)
            trials.append((when, state(after, X) == calm, half))
            print(f"  {name}, kill {k + 1}: {when}; same model: {trials[-1][1]}; half: {half}", flush=True)
    return [_row(name, when, [t for t in trials if t[0] == when]) for when in sorted({t[0] for t in trials})]


def _row(name: str, when: str, trials: list[tuple[str, bool, int]]) -> dict[str, Any]:
    return {
        "fit": name,
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
