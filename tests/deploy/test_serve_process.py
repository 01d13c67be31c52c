"""`robustae serve` as a process: it listens where it says, answers many at once, and ends politely."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from typer.testing import CliRunner

from robustae import RobustAutoencoder
from robustae.cli import app

for module in ("fastapi", "uvicorn", "prometheus_client", "pyarrow"):
    pytest.importorskip(module, reason="needs the extra serve")

X = np.random.default_rng(0).normal(size=(60, 3))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("serve") / "sensors.rae"
    RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(X).save(path)
    return path


@contextmanager
def served(saved, *options, **environment):
    """The address of a server, and the process; ended by SIGTERM."""
    command = [sys.executable, "-m", "robustae", "serve", str(saved), "--port", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    try:
        first = process.stderr.readline()
        address = re.search(r"http://\S+:\d+", first)
        assert address, first + process.stderr.read()
        yield address[0], process
    finally:
        process.terminate()
        process.communicate(timeout=90)


def ask(address, path, body=None, **headers):
    request = urllib.request.Request(
        address + path, body, {k.replace("_", "-"): v for k, v in headers.items()}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def scored(address, rows, **headers):
    body = "\n".join(",".join(map(repr, row)) for row in rows.tolist()).encode()
    lines = (
        ask(address, "/v2/models/sensors/infer", body, Content_Type="text/csv", **headers)
        .decode()
        .splitlines()
    )
    return [float(line.split(",")[0]) for line in lines[1:]]


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "number"), [(1, signal.SIGINT), (2, signal.SIGTERM)])
def test_a_server_answers_counts_and_ends(saved, workers, number):
    expected = RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(X).score_samples(X)
    with served(saved, "--workers", str(workers)) as (address, process):
        assert address.startswith("http://127.0.0.1:")
        assert json.loads(ask(address, "/v2/health/ready"))["ready"] is True
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: scored(address, X), range(40)))
        assert all(scores == expected.tolist() for scores in found)
        counts = ask(address, "/metrics").decode()
        assert re.search(rf"^robustae_rows_total {40 * len(X)}\.0$", counts, re.MULTILINE), counts
        process.send_signal(number)
        said = process.communicate(timeout=90)[1]
    assert process.returncode == 0
    assert "Traceback" not in said


@pytest.mark.slow
def test_the_token_comes_from_the_environment_or_a_file(saved, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    for options, environment in (
        (["--token-file", str(tmp_path / "token")], {}),
        ([], {"ROBUSTAE_TOKEN": "s3cret"}),
    ):
        with served(saved, *options, **environment) as (address, _):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                scored(address, X)
            assert len(scored(address, X, Authorization="Bearer s3cret")) == len(X)


def refused(*arguments):
    result = CliRunner().invoke(app, ["serve", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.stderr


def test_what_cannot_be_served_is_refused_in_a_sentence(saved, tmp_path):
    assert "not there" in refused(tmp_path / "absent.rae", "--port", 0)
    (tmp_path / "empty").write_text("\n")
    assert "--token-file" in refused(saved, "--token-file", tmp_path / "empty")
    assert "--token-file" in refused(saved, "--token-file", tmp_path / "absent")
    assert "host.invalid" in refused(saved, "--host", "host.invalid")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "in use" in refused(saved, "--port", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "token", "warned"),
    [("0.0.0.0", None, True), ("0.0.0.0", "s3cret", False), ("127.0.0.1", None, False), ("::1", None, False)],
)
def test_others_are_let_in_with_a_token_or_a_warning(saved, monkeypatch, host, token, warned):
    from robustae.deploy.serve import run

    if ":" in host and not socket.has_ipv6:
        pytest.skip("needs IPv6")
    monkeypatch.setattr(run, "_run", lambda *_: None)
    said = []
    run.serve(saved, host, 0, token=token, report=said.append)
    assert ["Warning" in sentence for sentence in said] == [False] + [True] * warned
