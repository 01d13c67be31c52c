"""robustae tutorial --serve: the classroom page for a browser on this machine, until Ctrl-C."""

import json
import signal
import socket
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from robustae.tutorial import serve_classroom
from robustae.tutorial.classroom import classroom_html
from robustae.utils.checks import InputError


@pytest.fixture
def served(tmp_path):
    """Starts the command, reads the line that says the address, ends it by Ctrl-C."""
    started = []

    def starting(*arguments):
        command = [sys.executable, "-m", "robustae", "tutorial", "--serve", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=tmp_path, **pipes)
        started.append(process)
        return process

    yield starting
    for process in started:
        process.kill()
        process.communicate()


def ended(process):
    """Exit code and last words after Ctrl-C."""
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=60)[1]
    return process.returncode, message


def test_page_is_served_on_loopback_and_ctrl_c_ends_it_politely(served):
    process = served()
    line = process.stdout.readline()
    address = line.split("page: ")[1].split()[0]
    assert address.startswith("http://127.0.0.1:")
    with urlopen(address, timeout=60) as answer:
        assert answer.headers.get_content_type() == "text/html"
        assert answer.read().decode() == classroom_html()
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{address}etc/passwd", timeout=60)
    assert ended(process) == (0, "Ended.\n")


def test_page_is_written_and_served_in_one_and_told_to_machines(served, tmp_path):
    process = served("--page", "class.html", "--json")
    told = json.loads(process.stdout.readline())
    assert told["page"] == "class.html" and told["address"].startswith("http://127.0.0.1:")
    assert (tmp_path / "class.html").read_text("utf-8") == classroom_html()
    assert ended(process)[0] == 0


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} cannot be had"):
            serve_classroom(pytest.fail, port)
    with pytest.raises(InputError, match="port 70000 cannot be had"):
        serve_classroom(pytest.fail, 70000)
