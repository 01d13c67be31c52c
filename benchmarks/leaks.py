"""Memory of processes that work for minutes: whether it stays what it was."""

import http.client
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving import ARROW, CSV, JSON, bodies, served
from robustae import RobustAutoencoder
from robustae.datasets.synthetic import planted_rows

PINNED = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
WARM = 0.25  # share of the time before memory is compared
COLUMNS, ROWS = 20, 2000
FITS = """
import sys, warnings
import numpy as np
from robustae import RobustAutoencoder, load
from robustae.datasets.synthetic import planted_rows
warnings.simplefilter("ignore")
X = planted_rows(n=400, d=20, random_state=0).X
for number in __import__("itertools").count():
    kind = ("auto", "linear", "sigmoid", "deep", "masked")[number % 5]
    model = RobustAutoencoder(predictor=kind, max_iter=5, random_state=number).fit(X)
    model.score_samples(X), model.split(X), model.repaired(X), model.explain(X)
    model.save(sys.argv[1])
    load(sys.argv[1]).partial_fit(X).score_samples(X)
    print(number + 1, flush=True)
"""


class Watched:
    """Samples the memory of a process while work goes on.

    Parameters
    ----------
    pid : int
    seconds : float
        Until the work is to end.
    """

    def __init__(self, pid: int, seconds: float):
        self.pid, self.begin, self.end = pid, time.monotonic(), time.monotonic() + seconds
        self.samples: list[tuple[float, float]] = []
        self.done = 0

    @property
    def on(self) -> bool:
        """Take a sample, and say whether there is time left."""
        now = time.monotonic()
        if not self.samples or now - self.samples[-1][0] > 0.2:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            self.samples.append((now, pages * os.sysconf("SC_PAGE_SIZE") / 2**20))
        return now < self.end

    def row(self, what: str, unit: str) -> dict[str, Any]:
        """Median memory of a fifth of the time after the warm-up, and of the last fifth."""
        span = self.samples[-1][0] - self.begin
        early, late = (self._median(first * span, (first + 0.2) * span) for first in (WARM, 0.8))
        print(f"  {what}: {self.done} {unit}, {early:.1f} MiB, later {late:.1f} MiB", flush=True)
        return {
            "process": what,
            "minutes": f"{span / 60:.1f}",
            "work": f"{self.done} {unit}",
            "MiB_at_first": f"{early:.1f}",
            "MiB_at_last": f"{late:.1f}",
            "change_percent": f"{100 * (late / early - 1):+.1f}",
        }

    def _median(self, first: float, last: float) -> float:
        inside = [mib for when, mib in self.samples if first <= when - self.begin <= last]
        return float(np.median(inside))


@contextmanager
def process(words: list[str], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended in the end."""
    started = subprocess.Popen(words, env=PINNED, **streams)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def fits(folder: Path, seconds: float) -> dict[str, Any]:
    """Fits, scores, saves and loads, one after the other."""
    words = [sys.executable, "-c", FITS, str(folder / "again.rae")]
    with process(words, stdout=subprocess.PIPE) as started:
        watched = Watched(started.pid, seconds)
        assert started.stdout is not None
        while watched.on:
            watched.done = int(started.stdout.readline())
    return watched.row("fit, score, save, load", "models")


def watching(folder: Path, seconds: float, *options: str) -> dict[str, Any]:
    """Rows as fast as they are taken, with a bad one among them."""
    rows = [",".join(map(repr, row)) for row in data().tolist()]
    rows[7] = "x" * 50
    text = ("\n".join(rows) + "\n").encode()
    words = [sys.executable, "-m", "robustae", "watch", "--model", str(folder / "m.rae"), *options]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with process(words, stdin=subprocess.PIPE, **quiet) as started:
        assert started.stdin is not None
        started.stdin.write((",".join(map(str, range(COLUMNS))) + "\n").encode())
        watched = Watched(started.pid, seconds)
        while watched.on:
            started.stdin.write(text)
            watched.done += ROWS
    return watched.row(" ".join(["watch", *options]), "rows")


def serving(folder: Path, seconds: float, clients: int = 4) -> dict[str, Any]:
    """Requests of every kind, some of which are none."""
    made = bodies(data())
    kinds = [*made.items(), (JSON, b'{"inputs": []}'), (CSV, b"a,b\n1"), (ARROW, made[ARROW][:100])]
    with served(folder / "m.rae", queue=64) as (host, port, pid):
        watched = Watched(pid, seconds)
        count = itertools.count()
        threads = [
            threading.Thread(target=_ask, args=(host, port, kinds, watched.end, count))
            for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        while watched.on:
            time.sleep(0.2)
        for thread in threads:
            thread.join()
        watched.done = next(count)
    return watched.row("serve", "requests")


def _ask(host: str, port: int, kinds: list[tuple[str, bytes]], end: float, count: Any) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    for kind, body in itertools.cycle(kinds):
        if time.monotonic() > end:
            return
        connection.request("POST", "/v2/models/m/infer", body, {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 500 and answer.status != 503:
            raise SystemExit(f"the server answered {answer.status}: {json.dumps(text.decode()[:200])}")
        next(count)


def data() -> np.ndarray:
    """Rows that the model knows."""
    return planted_rows(n=ROWS, d=COLUMNS, random_state=0).X


TRIALS: tuple[Callable[..., dict[str, Any]], ...] = (
    fits,
    watching,
    lambda folder, seconds: watching(folder, seconds, "--adapt"),
    serving,
)


def memory(times: int) -> list[dict[str, Any]]:
    """Memory of fits, of `watch` and of `serve`, each for 3 seconds times `times`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        RobustAutoencoder(random_state=0).fit(data()).save(folder / "m.rae")
        return [trial(folder, 3.0 * times) for trial in TRIALS]
