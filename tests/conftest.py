"""Fixtures that every test may use."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest


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
