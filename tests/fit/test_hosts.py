"""Two hosts, played by two network namespaces on one machine, joined by a cable."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from source_fits import state, table

from robustae import load

FIT = ("fit", "t.npy", "--predictor", "linear", "--set", "hidden=2", "--set", "batch_size=200")
NAMES = ("rbhost0", "rbhost1")
ADDRESSES = ("10.77.13.1", "10.77.13.2")

pytestmark = [pytest.mark.slow, pytest.mark.processes]


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


def taken_down():
    for name in NAMES:
        ip("netns", "del", name, check=False)


@pytest.fixture(scope="module")
def hosts():
    """Names of two namespaces that reach each other; skips where they cannot be made."""
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("needs network namespaces: there is no iproute2 (ip) or unshare")
    taken_down()
    try:
        for name in NAMES:
            ip("netns", "add", name)
        subprocess.run([*as_host(NAMES[0]), "true"], check=True, capture_output=True, text=True)
        ip("link", "add", "rbcable0", "type", "veth", "peer", "name", "rbcable1")
        for k, (name, address) in enumerate(zip(NAMES, ADDRESSES, strict=True)):
            ip("link", "set", f"rbcable{k}", "netns", name)
            ip("-n", name, "addr", "add", f"{address}/24", "dev", f"rbcable{k}")
            for device in ("lo", f"rbcable{k}"):
                ip("-n", name, "link", "set", device, "up")
    except subprocess.CalledProcessError as error:
        taken_down()
        pytest.skip(f"needs network namespaces, which cannot be made here: {error.stderr.strip()}")
    yield NAMES
    taken_down()


def as_host(name):
    """What runs a command in a namespace, under a host name of its own."""
    named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name]
    return ["ip", "netns", "exec", name, *named]


def launched(hosts, folder, *arguments):
    """Start torchrun on both, each host with a copy of the rows of its own."""
    found = []
    for k, host in enumerate(hosts):
        command = [*as_host(host), sys.executable, "-m", "torch.distributed.run"]
        command += ["--nnodes", "2", "--node-rank", str(k), "--nproc-per-node", "1"]
        command += ["--master-addr", ADDRESSES[0], "--master-port", "29513", "-m", "robustae", *arguments]
        place = folder / host
        place.mkdir(exist_ok=True)
        np.save(place / "t.npy", table()[0])
        environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": f"rbcable{k}"}
        found.append(
            subprocess.Popen(
                command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
    return found


def said(processes):
    return [process.communicate(timeout=120) for process in processes]


def worker_of(launcher):
    """The process that a launcher started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(launcher.pid)], capture_output=True, text=True)
    return int(found.stdout.split()[0])


def test_two_hosts_one_killed_midway_and_resumed_make_the_model_of_one(hosts, tmp_path):
    many = (*FIT, "--model", "m.rae", "--epochs", "80", "--checkpoint", "ck", "--resume")
    processes = launched(hosts, tmp_path, *many)
    end = time.monotonic() + 90
    while not list(tmp_path.glob(f"{NAMES[0]}/ck/epoch00000[3-9]*.ckpt")):
        assert time.monotonic() < end and processes[0].poll() is None, said(processes)
        time.sleep(0.05)
    os.kill(worker_of(processes[1]), signal.SIGKILL)
    (_, first), _ = said(processes)
    assert "has ended or cannot be reached" in first and "src/robustae/" not in first
    assert not (tmp_path / NAMES[0] / "m.rae").exists()

    (out, _), (quiet, _) = said(launched(hosts, tmp_path, *many))
    assert "80 epochs over 1500 rows" in out and not quiet.strip()
    one = tmp_path / NAMES[0]
    subprocess.run(
        [sys.executable, "-m", "robustae", *FIT, "--epochs", "80", "--model", "one.rae"], cwd=one, check=True
    )
    assert state(load(one / "m.rae")) == state(load(one / "one.rae"))
    assert not (tmp_path / NAMES[1] / "m.rae").exists()
