"""The nginx of SECURITY.md in front of the server: its text is what is run here."""

import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from test_connections import HALF, connected, everything
from test_serve_process import X, saved, scored, served  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.engines]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
PAGE = (Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```nginx\n(.*?)```", PAGE, re.DOTALL)[1]
AROUND = """
daemon off; worker_processes 1; pid {home}/pid; error_log {home}/errors;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
{example}
}}
"""


def free_port():
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return some.getsockname()[1]


def configuration(home, behind, port):
    """The example, at a port of its own and, as there is no certificate, without TLS; limits are shorter."""
    changed = EXAMPLE
    for old, new in {
        r"listen 443 ssl;.*": f"listen 127.0.0.1:{port};",
        r"http://127.0.0.1:8080": behind,
        r"_timeout 10s": "_timeout 2s",
    }.items():
        changed, count = re.subn(old, new, changed)
        assert count, f"the example has no {old}"
    (home / "conf").write_text(AROUND.format(home=home, example=changed))
    return home / "conf"


@pytest.fixture(scope="module")
def proxy(saved, tmp_path_factory):  # noqa: F811
    """The address of an nginx before a server."""
    if NGINX is None:
        pytest.skip("needs nginx")
    home, port = tmp_path_factory.mktemp("nginx"), free_port()
    with served(saved) as (behind, _):
        conf = configuration(home, behind, port)
        process = subprocess.Popen([NGINX, "-p", str(home), "-c", str(conf), "-e", str(home / "errors")])
        address = f"http://127.0.0.1:{port}"
        try:
            until_alive(address)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def until_alive(address):
    for _ in range(600):
        try:
            return urllib.request.urlopen(address + "/v2/health/live", timeout=30).read()
        except OSError:
            time.sleep(0.1)
    pytest.fail("it does not answer")


def test_the_example_is_sound_with_tls_too(tmp_path):
    """nginx itself reads it as it stands, with a certificate."""
    if NGINX is None or shutil.which("openssl") is None:
        pytest.skip("needs nginx and openssl")
    new = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x -keyout key -out cert"
    subprocess.run(new.split(), cwd=tmp_path, check=True, capture_output=True)
    comment = "# ssl_certificate, ssl_certificate_key"
    assert comment in EXAMPLE
    keys = f"ssl_certificate {tmp_path}/cert; ssl_certificate_key {tmp_path}/key;"
    conf = tmp_path / "conf"
    conf.write_text(AROUND.format(home=tmp_path, example=EXAMPLE.replace(comment, keys)))
    words = [NGINX, "-t", "-p", str(tmp_path), "-c", str(conf), "-e", str(tmp_path / "errors")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_scores_come_through(proxy):
    assert len(scored(proxy, X)) == len(X)
    assert np.isfinite(scored(proxy, X)).all()


@pytest.mark.parametrize("end", [b"", b"Content-Length: 1000\r\n\r\n1,2"], ids=["header", "body"])
def test_slow_ones_wait_there_and_are_ended(end, proxy):
    with connected(proxy) as opened:
        opened.sendall(HALF + end)
        assert everything(opened)[:12] in (b"", b"HTTP/1.1 408")
    assert until_alive(proxy)


def test_one_address_has_eight_connections(proxy):
    """Others still find places when one address takes all it may."""
    opened = [connected(proxy) for _ in range(12)]
    for one in opened:
        one.sendall(HALF + b"Content-Length: 1000\r\n\r\n1,2")
    told = [everything(one)[:12] for one in opened]
    assert told.count(b"HTTP/1.1 503") == 4


def test_a_large_body_is_refused_there(proxy):
    with connected(proxy) as opened:
        opened.sendall(HALF + b"Content-Length: 99999999\r\n\r\n")
        assert opened.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 413"


def test_no_request_is_hidden_there(proxy):
    both = HALF + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with connected(proxy) as opened:
        opened.sendall(both + b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert everything(opened).startswith(b"HTTP/1.1 400 ")
