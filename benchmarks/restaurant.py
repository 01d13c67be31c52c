"""The restaurant, 200 frames x 19200 pixels: seconds to fit and split, peak memory, beside peers."""

import math
from functools import partial

import numpy as np

from benchmarks.measuring import in_turn, peak_mib, write
from robustae import RobustAutoencoder
from robustae.baselines import RobustPCA, pursue
from robustae.datasets import fetch_restaurant

SHAPE = (120, 160)


def frames() -> np.ndarray:
    """Pixels in [0, 1], float32."""
    return (fetch_restaurant().X.reshape(200, -1) / 255).astype(np.float32)


def robust(X: np.ndarray, **settings):
    """Fit and split with settings of the estimator."""
    return RobustAutoencoder(image_shape=SHAPE, random_state=0, **settings).fit(X).split(X)


def ialm(X: np.ndarray, growth: float):
    """Inexact augmented Lagrangian alone: its iteration gives both parts."""
    return pursue(X.astype(float), 1 / math.sqrt(max(X.shape)), rho=growth)


def pyod(X: np.ndarray, epochs: int):
    """PyOD's autoencoder as it comes, but for its epochs."""
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(epoch_num=epochs, verbose=0).fit(X)


METHODS = {
    "robust autoencoder (default: constant)": robust,
    "robust autoencoder, linear, K = 1": lambda X: robust(X, predictor="linear", hidden=1),
    "robust autoencoder, sigmoid, K = 2": lambda X: robust(X, predictor="sigmoid", hidden=2),
    "RPCA by IALM, penalty grown by 1.2": lambda X: ialm(X, 1.2),
    "RPCA by IALM, penalty grown by 1.5": lambda X: ialm(X, 1.5),
    "RobustPCA, fit and split": lambda X: RobustPCA().fit(X).split(X),
    "PyOD AutoEncoder, 10 epochs (default)": lambda X: pyod(X, 10),
    "PyOD AutoEncoder, 100 epochs": lambda X: pyod(X, 100),
}


def run(runs: int) -> None:
    """Write restaurant.csv; `ratio` is the default robust autoencoder's time to the method's."""
    X = frames()
    memory = {name: peak_mib(frames, method) for name, method in METHODS.items()}
    seconds, _ = in_turn({name: partial(method, X) for name, method in METHODS.items()}, runs)
    ours = seconds[next(iter(METHODS))]
    size = X.nbytes / 2**20
    write(
        "restaurant",
        [
            {
                "method": name,
                "seconds": f"{seconds[name]:.3f}",
                "ratio": f"{ours / seconds[name]:.4f}",
                "peak_MiB": f"{memory[name]:.1f}",
                "times_the_data": f"{memory[name] / size:.2f}",
                "runs": runs,
            }
            for name in METHODS
        ],
    )
