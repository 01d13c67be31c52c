"""Seconds of the convolutional robust autoencoder on images, beside PyOD's autoencoder."""

from functools import partial
from typing import Any

import numpy as np

from benchmarks.measuring import in_turn, write
from robustae import RobustAutoencoder
from robustae.datasets import fetch_usps
from robustae.lab.sets import FOURS, labelled


def run(runs: int) -> None:
    """Write images.csv: fit and scores of the training rows."""
    fours = next(data for data in labelled(False) if data.name == FOURS).draw(0)
    rows = []
    for name, data in (("USPS, 231 images", fetch_usps()), ("MNIST, 5124 images", fours)):
        seconds, _ = in_turn(_methods(np.asarray(data.X), data.image_shape), runs)
        rows += [_row(name, method, seconds, runs) for method in seconds]
    write("images", rows)


def _methods(X: np.ndarray, shape: Any) -> dict[str, Any]:
    from pyod.models.auto_encoder import AutoEncoder

    conv = partial(RobustAutoencoder, predictor="conv", image_shape=shape, random_state=0)
    return {
        "RCAE (default: 2 members)": lambda: conv().fit(X).score_samples(X),
        "RCAE, one member": lambda: conv(n_estimators=1).fit(X).score_samples(X),
        "PyOD AutoEncoder (default)": lambda: AutoEncoder(random_state=0, verbose=0).fit(X).decision_scores_,
    }


def _row(name: str, method: str, seconds: dict[str, float], runs: int) -> dict[str, Any]:
    ratio = seconds[method] / next(iter(seconds.values()))
    return {
        "images": name,
        "method": method,
        "seconds": f"{seconds[method]:.2f}",
        "over RCAE": f"{ratio:.2f}",
        "runs": runs,
    }
