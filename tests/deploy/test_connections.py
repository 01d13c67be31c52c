"""Who opens connections and says nothing, or little, keeps nobody else from the server."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from test_serve_process import ask, saved, scored, served  # noqa: F401

from robustae.deploy.serve import Limits, run

pytestmark = [pytest.mark.slow, pytest.mark.processes]
LIMITS = Limits(seconds=8.0, connections=40, header_seconds=1.0)
HALF = b"POST /v2/models/sensors/infer HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"


class Server(NamedTuple):
    address: str
    log: Path
    pid: int


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
        yield Server(address, log, process.pid)
        process.terminate()
        process.communicate(timeout=90)


def connected(address):
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def processor(server):
    """Seconds of the processor that the server has taken so far."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("time of another process is told by /proc here")
    words = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


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
        wait_until_free(server)


def wait_until_free(server):
    """No request lasts for longer than the limits allow, in whatever state its client left it."""
    begin = time.monotonic()
    while in_hand(server.address) > 1:
        assert time.monotonic() - begin < 2 * LIMITS.seconds + 5
        time.sleep(0.2)


def in_hand(address):
    return float(re.search(r"^robustae_requests_in_hand (\S+)$", ask(address, "/metrics").decode(), re.M)[1])


def test_many_connections_that_say_nothing_keep_nobody_out(server):
    address, log, _ = server
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connected(address)).sendall(HALF)
        begin = time.monotonic()
        assert is_alive(address)
        assert len(scored(address, np.zeros((3, 3)))) == 3
        assert time.monotonic() - begin < 5
    assert log.stat().st_size < 2000, log.read_text()


CHUNKED = HALF + b"Transfer-Encoding: chunked\r\n\r\n"
ROUND = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n"
POST = HALF + b"Content-Length: 6\r\n\r\n1,2,3\n"
SLOW = {  # what a connection begins with, and what it goes on with as fast as it is taken
    "chunks of a byte": (CHUNKED, b"1\r\n1\r\n" * 5000),
    "chunks of a line": (CHUNKED, b"6\r\n1,2,3\n\r\n" * 3000),
    "endless chunks": (CHUNKED, b"8000\r\n" + b"1,2,3\n" * 5461 + b"1\n\r\n"),
    "a chunk with an endless extension": (CHUNKED, b"1;" + b"a" * 30_000),
    "an endless header": (ROUND, b"a:\r\n" * 8000),
    "thousands of headers": (b"", ROUND + b"a:\r\n" * 3900 + b"\r\n"),
    "pipelined questions": (b"", (ROUND + b"\r\n") * 1000),
    "pipelined rows": (b"", POST * 1000),
}


@pytest.mark.parametrize("name", SLOW)
def test_bytes_that_are_slow_to_understand_keep_nobody_waiting(name, server):
    """Health is answered within a second of the server's processor, whatever 20 others send."""
    begin, more = SLOW[name]
    done = threading.Event()
    with ThreadPoolExecutor(20) as pool, ExitStack() as stack:
        stack.callback(done.set)
        for _ in range(20):
            opened = stack.enter_context(connected(server.address))
            opened.sendall(begin)
            opened.settimeout(0.5)
            pool.submit(flood, opened, more, done)
        for _ in range(5):
            before = processor(server)
            assert is_alive(server.address)
            assert processor(server) - before < 1
            time.sleep(0.2)
        done.set()
    wait_until_free(server)
    assert server.log.stat().st_size < 2000, server.log.read_text()


NEWCOMERS = {
    "a question": ROUND + b"\r\n",
    "a long header": ROUND + b"A: " + b"a" * 5000 + b"\r\n\r\n",
    "lines in chunks": CHUNKED + b"6\r\n1,2,3\n\r\n" * 300 + b"0\r\n\r\n",
}
BODIES = {  # what comes while a body is under way, again and again
    "chunks of a byte": (CHUNKED, b"1\r\n1\r\n" * 5000),
    "nothing": (HALF + b"Content-Length: 1000\r\n\r\n", b""),
    "a little": (HALF + b"Content-Length: 1000000\r\n\r\n", b"1"),
}


@pytest.mark.parametrize("name", NEWCOMERS)
@pytest.mark.parametrize("body", BODIES)
def test_a_newcomer_is_answered_where_all_places_are_taken_by_bodies(body, name, server):
    begin, more = BODIES[body]
    done = threading.Event()
    with ThreadPoolExecutor(LIMITS.connections) as pool, ExitStack() as stack:
        stack.callback(done.set)
        for _ in range(LIMITS.connections):
            opened = stack.enter_context(connected(server.address))
            opened.sendall(begin)
            opened.settimeout(0.5)
            pool.submit(flood, opened, more, done)
        time.sleep(1.5)
        with connected(server.address) as opened:
            opened.sendall(NEWCOMERS[name])
            answer = opened.recv(12, socket.MSG_WAITALL)
        # rows of others may fill the queue, and that is said
        assert answer == b"HTTP/1.1 200" or answer == b"HTTP/1.1 429" and name == "lines in chunks"
    wait_until_free(server)


def test_a_body_that_comes_is_not_closed_for_one_that_does_not(server):
    rows = b"1.5,2.5,3.5\n" * 5000
    with ExitStack() as stack:
        sent = stack.enter_context(connected(server.address))
        sent.sendall(HALF + b"Content-Length: %d\r\n\r\n" % len(rows) + rows[:50_000])
        for _ in range(LIMITS.connections - 1):
            stack.enter_context(connected(server.address)).sendall(BODIES["nothing"][0])
        time.sleep(1.5)
        for _ in range(5):
            assert is_alive(server.address)
        sent.sendall(rows[50_000:])
        assert sent.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK"
    wait_until_free(server)


def test_no_more_are_open_than_may_be_where_many_come_at_once(server):
    with ExitStack() as stack:
        opened = [stack.enter_context(connected(server.address)) for _ in range(4 * LIMITS.connections)]
        assert is_alive(server.address)
        time.sleep(0.2)
        assert sum(is_open(one) for one in opened) <= LIMITS.connections


def is_open(opened):
    opened.settimeout(0)
    try:
        return opened.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def flood(opened, more, done):
    while not done.is_set():
        try:
            opened.sendall(more)
            time.sleep(0 if len(more) > 1 else 0.1)
        except TimeoutError:
            continue
        except OSError:
            return


def test_a_body_in_lines_is_still_taken(server):
    """A client that sends a chunk for each row, 10 000 of them."""
    rows = b"7\r\n1,2,3.5\r\n" + b"8\r\n\n1,2,3.5\r\n" * 9_999 + b"0\r\n\r\n"
    with connected(server.address) as opened:
        opened.sendall(CHUNKED + rows)
        answer = opened.recv(15, socket.MSG_WAITALL)
        assert answer == b"HTTP/1.1 200 OK", answer + opened.recv(4096)


TWO_LENGTHS = {
    "both": HALF + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks in HTTP/1.0": CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "twice": HALF + b"Content-Length: 6\r\nContent-Length: 7\r\n\r\n",
    "chunks twice": HALF + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "an unknown coding": HALF + b"Content-Length: 6\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "a space": HALF + b"Transfer-Encoding : chunked\r\n\r\n",
    "a sign": HALF + b"Content-Length: +6\r\n\r\n",
    "another base": HALF + b"Content-Length: 0x6\r\n\r\n",
    "a long number": HALF + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a chunk below 0": CHUNKED + b"-6\r\n",
}


@pytest.mark.parametrize("name", TWO_LENGTHS)
def test_no_request_is_hidden_in_the_body_of_another(name, server):
    """Where a body ends must be beyond doubt, or the connection ends: what follows is never answered."""
    with connected(server.address) as opened:
        opened.sendall(TWO_LENGTHS[name] + b"6\r\n1,2,3\n\r\n0\r\n\r\n" + ROUND + b"\r\n")
        answer = everything(opened)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1 + answer.count(b"in HTTP/1.1, chunks") and b"live" not in answer


def everything(opened):
    """All that comes until the other side closes."""
    found = b""
    with suppress(ConnectionError):
        while part := opened.recv(4096):
            found += part
    return found


def test_what_follows_a_refused_body_fills_no_log(server):
    for _ in range(20):
        with connected(server.address) as opened:
            opened.sendall(CHUNKED.replace(b"sensors", b"another"))
            assert b"404" in opened.recv(4096)
            opened.sendall(b"no chunk\r\n")
            assert b"HTTP/1.1" not in everything(opened)
    assert server.log.stat().st_size < 2000, server.log.read_text()


ODD = {
    "an old version": (POST.replace(b"HTTP/1.1", b"HTTP/1.0"), b"200 OK"),
    "leave to go on": (POST.replace(b"Content-L", b"Expect: 100-continue\r\nContent-L"), b"100 Continue"),
    "a method of its own": (ROUND.replace(b"GET", b"FROB") + b"\r\n", b"405 Method Not Allowed"),
    "a tunnel": (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", b"404 Not Found"),
    "another protocol": (ROUND + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", b"200 OK"),
    "no host": (b"GET /v2/health/live HTTP/1.1\r\n\r\n", b"400 Bad Request"),
    "a long address": (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400 Bad Request"),
    "a long header": (ROUND + b"A: " + b"a" * 200_000 + b"\r\n\r\n", b"400 Bad Request"),
    "a null": (ROUND + b"A: \0\r\n\r\n", b"400 Bad Request"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_requests_get_an_answer(name, server):
    sent, status = ODD[name]
    with connected(server.address) as opened:
        with suppress(ConnectionError):  # it may be closed before all is sent
            opened.sendall(sent)
        assert opened.recv(200).startswith(b"HTTP/1.1 " + status)
    assert is_alive(server.address)


def test_what_is_no_http_fills_no_log(server):
    address, log, _ = server
    for _ in range(200):
        with connected(address) as opened:
            opened.sendall(b"\xff\xfe nonsense\r\n\r\n")
    assert is_alive(address)
    assert log.stat().st_size < 2000, log.read_text()


def test_the_limits_are_those_of_the_command_where_none_is_set():
    assert (Limits().connections, Limits().header_seconds) == (256, 10.0)
    assert Limits().connections <= run.BACKLOG
