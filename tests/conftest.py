"""Fixtures that every test may use."""

import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

MUST = "ROBUSTAE_MUST"  # names what is there: a test skipped for lack of it fails


def must_not_be_skipped(reason, parts):
    """Return the first of the parts that a reason for skipping a test names, None where it names none."""
    return next((part for part in parts if re.search(rf"\b{re.escape(part)}\b", reason, re.IGNORECASE)), None)


def _checked(report):
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        part = must_not_be_skipped(report.longrepr[2], os.environ.get(MUST, "").split())
        if part is not None:
            report.outcome = "failed"
            report.longrepr = f"{part} is there by {MUST}, and the test was skipped: {report.longrepr[2]}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _checked((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _checked((yield))


def pytest_collection_modifyitems(items):
    for item in items:
        if {"browser", "chromium"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small nets run faster on one thread, and rounding is the same on every machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data_home() -> Path:
    """Folder of the public data sets; a test that needs it is skipped where it is not there."""
    folder = os.environ.get("ROBUSTAE_DATA")
    if not folder:
        pytest.skip("needs public data: set ROBUSTAE_DATA to their folder")
    if not Path(folder).is_dir():
        pytest.skip(f"needs public data: ROBUSTAE_DATA={folder} is not a folder")
    return Path(folder)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pytest_configure(config):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells give it to what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    from hypothesis import settings

    # Deadlines measure the machine; a fixed seed lets a failure come back.
    settings.register_profile("robustae", deadline=None, derandomize=True, max_examples=40)
    settings.load_profile("robustae")
