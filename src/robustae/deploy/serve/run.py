"""The server as a process, or as several workers behind one socket."""

import ipaddress
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from robustae.deploy.serve.connections import connection
from robustae.deploy.serve.limits import Limits
from robustae.deploy.serve.metrics import FOLDER
from robustae.utils.checks import InputError, need
from robustae.utils.signals import ENDING, handled

__all__ = ["TOKEN", "application", "is_loopback", "serve"]

TOKEN = "ROBUSTAE_TOKEN"
SETTINGS = "ROBUSTAE_SERVE"  # how the workers learn what to serve
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
BACKLOG = 2048
LONGEST_HEADER = 2**14  # bytes
PATIENCE = 5  # seconds that requests in hand get at the end, beyond their limit


def serve(
    path: Path,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    token: str | None = None,
    limits: Limits | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Serve a saved model until SIGINT or SIGTERM.

    Parameters
    ----------
    path : Path
    host, port : str, int
        Where to listen; port 0 takes a free one.
    workers : int
        Processes; each scores one request at a time on one core.
    token : str, optional
    limits : Limits, optional
        Of each worker.
    report : callable
        Called with a sentence on where it listens.

    Raises
    ------
    InputError
        If the model cannot be read, the place is taken, or the extra `serve` is missing.
    """
    need("serve", "uvicorn", "robustae serve")
    settings = {"path": str(path), "limits": asdict(limits or Limits())}
    environment = ONE_THREAD | {SETTINGS: json.dumps(settings)} | ({TOKEN: token} if token else {})
    with _environment(environment), _counts(workers), _listening(host, port) as listening:
        columns = _columns_of(path)
        report(f"Serving {path.stem} ({columns} columns) at {_address(listening)}, Ctrl-C ends it.")
        if not token and not is_loopback(host):
            report(f"Warning: whoever reaches {host} can use it: set a token ({TOKEN} or --token-file).")
        _run(workers, listening, limits or Limits())


def _columns_of(path: Path) -> int:
    """Refuse here, in a sentence, what no worker could serve."""
    from robustae import load

    return load(path).n_features_in_


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _counts(workers: int) -> Iterator[None]:
    """Give several workers a folder for their counts."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="robustae-") as folder, _environment({FOLDER: folder}):
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        # The protocol by name: without it asyncio leaves Nagle's delay of 40 ms on.
        *kind, _, address = socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)[0]
        found = socket.socket(*kind)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)  # who comes before the model is loaded waits
    except (OSError, UnicodeError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot listen at {host} port {port}: {reason}.") from None
    found.set_inheritable(True)
    with found:
        yield found


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches a host's name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def application() -> Any:
    """Make the application of one process, from what `serve` left in the environment."""
    import warnings

    import torch
    from threadpoolctl import threadpool_limits

    from robustae import load
    from robustae.deploy.serve.app import create_app

    torch.set_num_threads(1)
    threadpool_limits(1)
    warnings.simplefilter("ignore")
    settings = json.loads(os.environ[SETTINGS])
    path = Path(settings["path"])
    return create_app(load(path), path.stem, Limits(**settings["limits"]), os.environ.get(TOKEN) or None)


def _run(workers: int, listening: socket.socket, limits: Limits) -> None:
    uvicorn = need("serve", "uvicorn", "robustae serve")
    config = _config(uvicorn, workers, limits)
    with handled(_stop, *ENDING):  # which is how a server ends, and no failure
        if workers == 1:
            uvicorn.Server(config).run(sockets=[listening])
            return
        supervisors = need("serve", "uvicorn.supervisors", "robustae serve")
        supervisors.Multiprocess(config, sockets=[listening]).run()


def _config(uvicorn: Any, workers: int, limits: Limits) -> Any:
    return uvicorn.Config(
        "robustae.deploy.serve.run:application",
        factory=True,
        workers=workers,
        loop="asyncio",
        http=partial(connection, limits),
        h11_max_incomplete_event_size=LONGEST_HEADER,
        ws="none",
        log_level="error",  # what strangers send is no warning: they could fill the log
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(limits.seconds) + PATIENCE,
    )


def _stop(*_: Any) -> None:
    sys.exit(0)
