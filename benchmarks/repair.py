"""Seconds and memory of the repair of spoilt images by their size, one thread."""

import time
from typing import Any

import numpy as np

from benchmarks.measuring import peak_mib, write
from robustae.images import MaskedAutoencoder

SIZES = ((120, 64), (20, 256))  # images, pixels a side
STEPS, FEW = 800, (2, 82)  # the steps of a fit, and those that are timed to know it


def run(runs: int) -> None:
    """Write repair.csv; a fit's seconds are extrapolated from a few steps (`runs` is not used)."""
    _seconds(_drawn(8, 16), 2)  # imports
    write("repair", [_measured(count, side) for count, side in SIZES])


def _drawn(count: int, side: int) -> np.ndarray:
    waves = np.sin(np.arange(side) / 9 + np.arange(count)[:, None, None] + np.arange(side)[:, None] / 7)
    return waves + np.random.default_rng(0).normal(0, 0.1, waves.shape)


def _measured(count: int, side: int) -> dict[str, Any]:
    X = _drawn(count, side)
    (least, _), (more, model) = (_seconds(X, steps) for steps in FEW)
    begin = time.process_time()
    model.denoised(X)
    repair = time.process_time() - begin
    peak = peak_mib(lambda: _drawn(count, side), lambda X: _seconds(X, 2)[1].denoised(X))
    row = {
        "images": count,
        "pixels": f"{side} x {side}",
        "fit seconds": f"{least + (more - least) * (STEPS - FEW[0]) / (FEW[1] - FEW[0]):.0f}",
        "repair seconds": f"{repair:.1f}",
        "peak MiB": f"{peak:.0f}",
    }
    print(row, flush=True)
    return row


def _seconds(X: np.ndarray, steps: int) -> tuple[float, MaskedAutoencoder]:
    begin = time.process_time()
    model = MaskedAutoencoder(max_iter=steps, random_state=0).fit(X)
    return time.process_time() - begin, model
