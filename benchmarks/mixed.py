"""Tables of numbers, words and missing cells with known anomalies: thyroid patients."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

from benchmarks.measuring import write
from robustae import RobustAutoencoder
from robustae.data import Table, read_table
from robustae.fit.mixed import encoded
from robustae.metrics import auprc, auroc, of_calls

NORMAL = {"hypothyroid": "negative", "thyroid0387": "-"}


def robust(X: Any, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Anomaly scores of the rows of the fit, and which of them are called."""
    model = RobustAutoencoder(random_state=0, **settings).fit(X)
    return -model.score_samples(X), model.predict(X) == -1


def forest(X: Any) -> tuple[np.ndarray, np.ndarray]:
    """The same of an isolation forest, categories as one-hot columns and medians where cells are missing."""
    Z = encoded(X)
    Z = np.where(np.isnan(Z), np.nanmedian(Z, axis=0), Z)
    model = IsolationForest(random_state=0).fit(Z)
    return -model.score_samples(Z), model.predict(Z) == -1


METHODS = {
    "robust autoencoder (default)": robust,
    "robust autoencoder, constant": lambda X: robust(X, predictor="constant"),
    "isolation forest, one-hot": forest,
}


def run(runs: int) -> None:
    """Write mixed.csv (`runs` is not used)."""
    folder = Path(os.environ["ROBUSTAE_DATA"]) / "tabular"
    rows = []
    for name, normal in NORMAL.items():
        table = read_table(folder / f"{name}.csv", "Target", normal=normal)
        rows += [_row(name, table, method) for method in METHODS]
    write("mixed", rows)


def _row(name: str, table: Table, method: str) -> dict[str, Any]:
    scores, called = METHODS[method](table.values)
    return {
        "set": name,
        "rows": len(scores),
        "method": method,
        "AUROC": f"{auroc(table.labels, scores):.3f}",
        "AUPRC": f"{auprc(table.labels, scores):.3f}",
        "normal rows called": f"{of_calls(table.labels, called)['false_alarms']:.3f}",
    }
