"""A table of 10 000 x 100 with planted anomalous rows: seconds and AUROC, beside PyOD and a forest."""

from functools import partial

from sklearn.ensemble import IsolationForest

from benchmarks.measuring import in_turn, write
from robustae import RobustAutoencoder
from robustae.datasets.synthetic import planted_rows
from robustae.metrics import auprc, auroc

SIZES = (1.0, 1.5, 2.0)  # of the anomalies, in noise deviations by cell


def pyod(X):
    """PyOD's autoencoder as it comes; returns anomaly scores of the training rows."""
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(verbose=0).fit(X).decision_scores_


def robust(X, **settings):
    """The robust autoencoder's anomaly scores of the training rows."""
    return -RobustAutoencoder(random_state=0, **settings).fit(X).score_samples(X)


def forest(X):
    """scikit-learn's isolation forest; anomaly scores of the training rows."""
    return -IsolationForest(random_state=0).fit(X).score_samples(X)


METHODS = {
    "robust autoencoder (default)": robust,
    "robust autoencoder, trimmed": lambda X: robust(X, penalty="trimmed"),
    "PyOD AutoEncoder (default)": pyod,
    "isolation forest": forest,
}


def run(runs: int) -> None:
    """Write table.csv; `ratio` is the method's time to PyOD's."""
    rows = []
    for size in SIZES:
        planted = planted_rows(n=10_000, d=100, size=size, random_state=0)
        seconds, scores = in_turn(
            {name: partial(method, planted.X) for name, method in METHODS.items()}, runs
        )
        for name in METHODS:
            rows.append(
                {
                    "anomaly_size": size,
                    "method": name,
                    "AUROC": f"{auroc(planted.y, scores[name]):.4f}",
                    "AUPRC": f"{auprc(planted.y, scores[name]):.4f}",
                    "seconds": f"{seconds[name]:.3f}",
                    "ratio": f"{seconds[name] / seconds['PyOD AutoEncoder (default)']:.3f}",
                    "runs": runs,
                }
            )
    write("table", rows)
