"""Milliseconds from a request to its answer, for 1000 rows of 100 columns, by kind of body and clients."""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import write

ROWS, COLUMNS = 1000, 100
REQUESTS = 200  # in each case, shared among the clients
ARROW, CSV, JSON = "application/vnd.apache.arrow.stream", "text/csv", "application/json"
CASES = [(ARROW, 1, 64), (ARROW, 8, 64), (ARROW, 64, 64), (ARROW, 64, 8), (CSV, 1, 64), (JSON, 1, 64)]
NAMES = {ARROW: "Arrow", CSV: "CSV", JSON: "JSON tensors"}


def rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(5 * ROWS, 5)) @ rng.normal(size=(5, COLUMNS)) + rng.normal(
        size=(5 * ROWS, COLUMNS)
    )


def bodies(X: np.ndarray) -> dict[str, bytes]:
    """The rows in every form."""
    import pyarrow as pa

    batch = pa.RecordBatch.from_arrays(
        [pa.array(column) for column in X.T], names=[*map(str, range(X.shape[1]))]
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    tensor = {"name": "X", "shape": list(X.shape), "datatype": "FP64", "data": X.ravel().tolist()}
    text = "\n".join(",".join(map(repr, row)) for row in X.tolist())
    return {
        ARROW: sink.getvalue().to_pybytes(),
        CSV: text.encode(),
        JSON: json.dumps({"inputs": [tensor]}).encode(),
    }


@contextmanager
def served(model: Path, queue: int) -> Iterator[tuple[str, int, int]]:
    """The host, port and process number of a server of one worker."""
    command = [sys.executable, "-m", "robustae", "serve", str(model), "--port", "0", "--queue", str(queue)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    found = re.search(r"http://(.+):(\d+),", process.stderr.readline())
    assert found is not None
    try:
        yield found[1], int(found[2]), process.pid
    finally:
        process.terminate()
        process.wait()


class Client(threading.Thread):
    """Asks one time after the other over one connection."""

    def __init__(
        self, place: tuple[str, int], kind: str, body: bytes, requests: int, start: threading.Barrier
    ):
        super().__init__()
        self.place, self.kind, self.body, self.requests, self.barrier = place, kind, body, requests, start
        self.answers: list[tuple[int, float]] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(*self.place, timeout=60)
        self.barrier.wait()
        for _ in range(self.requests):
            begin = time.perf_counter()
            self.answers.append((self.ask(connection), 1e3 * (time.perf_counter() - begin)))

    def ask(self, connection: http.client.HTTPConnection) -> int:
        """The status of an answer, 0 where none came."""
        try:
            connection.request("POST", "/v2/models/m/infer", self.body, {"Content-Type": self.kind})
            answer = connection.getresponse()
            answer.read()
        except OSError:
            connection.close()
            return 0
        return answer.status


def asked(
    place: tuple[str, int], kind: str, body: bytes, clients: int, requests: int
) -> list[tuple[int, float]]:
    """Status and milliseconds of every request."""
    barrier = threading.Barrier(clients)
    threads = [Client(place, kind, body, max(1, requests // clients), barrier) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for thread in threads for answer in thread.answers]


def measured(place: tuple[str, int], kind: str, body: bytes, clients: int, requests: int) -> dict[str, Any]:
    asked(place, kind, body, clients, clients * 2)
    begin = time.perf_counter()
    answers = asked(place, kind, body, clients, requests)
    seconds = time.perf_counter() - begin
    good = [taken for status, taken in answers if status == 200]
    away = sum(status in (429, 503) for status, _ in answers)
    return {
        "requests": len(answers),
        "answered": len(good),
        "sent_away_429_503": away,
        "dropped": len(answers) - len(good) - away,
        "median_ms": f"{statistics.median(good):.1f}",
        "p99_ms": f"{np.quantile(good, 0.99):.1f}",
        "rows_per_s": f"{len(good) * ROWS / seconds:.0f}",
    }


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def case(
    model: Path, sent: dict[str, bytes], kind: str, clients: int, queue: int, requests: int
) -> dict[str, Any]:
    with served(model, queue) as (host, port, pid):
        asked((host, port), kind, sent[kind], 1, 5)
        before = resident_mib(pid)
        found = measured((host, port), kind, sent[kind], clients, requests)
        grown = resident_mib(pid) - before
    print(f"  {NAMES[kind]}, {clients} clients, queue {queue}: {found}", flush=True)
    return {"body": NAMES[kind], "clients": clients, "queue": queue} | found | {"grown_mib": f"{grown:.0f}"}


def run(runs: int) -> None:
    """Write serving.csv: one worker on one core, the default model, clients on the same machine."""
    from robustae import RobustAutoencoder

    X = rows()
    sent = bodies(X[:ROWS])
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "m.rae"
        RobustAutoencoder(random_state=0).fit(X).save(model)
        write("serving", [case(model, sent, *each, runs * REQUESTS // 5) for each in CASES])
