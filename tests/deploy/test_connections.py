"""Who opens connections and says nothing, or little, keeps nobody else from the server."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack

import numpy as np
import pytest
from test_serve_process import ask, saved, scored, served  # noqa: F401

from robustae.deploy.serve import Limits, run

pytestmark = pytest.mark.slow
LIMITS = Limits(seconds=4.0, connections=40, header_seconds=1.0)
HALF = b"POST /v2/models/sensors/infer HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"


@pytest.fixture(scope="module")
def server(saved, tmp_path_factory):  # noqa: F811
    """A server of strict limits, which the command line has no options for."""
    code = (
        "from pathlib import Path; from robustae.deploy.serve import Limits, serve; import sys;"
        f"serve(Path({str(saved)!r}), port=0, limits={LIMITS!r}, report=lambda text: print(text, flush=True))"
    )
    log = tmp_path_factory.mktemp("log") / "log"
    with open(log, "w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        address = re.search(r"http://\S+:\d+", process.stdout.readline())[0]
        yield address, log
        process.terminate()
        process.communicate(timeout=90)


def connected(address):
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def is_alive(address):
    return json.loads(urllib.request.urlopen(address + "/v2/health/live", timeout=60).read())["live"]


def ended(opened):
    """Whether the other side closes a connection, and after how many seconds."""
    begin = time.monotonic()
    opened.settimeout(20)
    try:
        while opened.recv(1024):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - begin


BEGINNINGS = {"nothing": b"", "a line": b"GET /v2 HTTP/1.1\r\n", "half a header": HALF, "noise": b"\0\1\2\3"}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_header_that_does_not_come_ends_the_connection(beginning, server):
    with connected(server[0]) as opened:
        opened.sendall(BEGINNINGS[beginning])
        assert ended(opened) < LIMITS.header_seconds + 5


def test_a_header_byte_by_byte_buys_no_time(server):
    with connected(server[0]) as opened:
        begin = time.monotonic()
        with pytest.raises(OSError):
            for number in range(200):
                opened.sendall(b"GET / HTTP/1.1\r\nA: b"[number : number + 1] or b"c")
                time.sleep(0.1)
        assert time.monotonic() - begin < LIMITS.header_seconds + 5


def test_the_second_request_of_a_connection_has_to_come_in_time_too(server):
    with connected(server[0]) as opened:
        opened.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in opened.recv(1024)
        opened.sendall(HALF)
        assert ended(opened) < LIMITS.header_seconds + 5


def test_a_body_that_does_not_come_is_refused(server):
    with connected(server[0]) as opened:
        opened.sendall(HALF + b"Content-Length: 1000\r\n\r\n1,2")
        answer = opened.recv(4096)
        assert b"408" in answer
        assert ended(opened) < 2 * LIMITS.seconds + 5


def test_an_answer_that_is_not_taken_ends_the_connection(server):
    """Its memory is given back, and its place among the requests in hand."""
    rows = b"1.5,2.5,3.5\n" * 60_000
    path = b"POST /v2/models/sensors/infer?outputs=reconstruction&outputs=outliers HTTP/1.1\r\nHost: x\r\n"
    with connected(server[0]) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.sendall(path + b"Content-Type: text/csv\r\nContent-Length: %d\r\n\r\n" % len(rows) + rows)
        assert opened.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK"
        assert in_hand(server[0]) == 2, "it is still being sent, and this question is one, too"
        begin = time.monotonic()
        while in_hand(server[0]) == 2:
            assert time.monotonic() - begin < 2 * LIMITS.seconds + 5
            time.sleep(0.2)


def in_hand(address):
    return float(re.search(r"^robustae_requests_in_hand (\S+)$", ask(address, "/metrics").decode(), re.M)[1])


def test_many_connections_that_say_nothing_keep_nobody_out(server):
    address, log = server
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connected(address)).sendall(HALF)
        begin = time.monotonic()
        assert is_alive(address)
        assert len(scored(address, np.zeros((3, 3)))) == 3
        assert time.monotonic() - begin < 5
    assert log.stat().st_size < 2000, log.read_text()


def test_what_is_no_http_fills_no_log(server):
    address, log = server
    for _ in range(200):
        with connected(address) as opened:
            opened.sendall(b"\xff\xfe nonsense\r\n\r\n")
    assert is_alive(address)
    assert log.stat().st_size < 2000, log.read_text()


def test_the_limits_are_those_of_the_command_where_none_is_set():
    assert (Limits().connections, Limits().header_seconds) == (256, 10.0)
    assert Limits().connections <= run.BACKLOG
