r"""
Training on contaminated data
=============================

The usual advice is to train an autoencoder on clean data. Here the training rows hold the anomalies that one
is to find, more and more of them. The same linear autoencoder is fitted three times: plain (:math:`\lambda =
\infty`), robust by cells, and robust by rows.
"""

import matplotlib.pyplot as plt
import numpy as np

from robustae import RobustAutoencoder
from robustae.metrics import auprc
from robustae.penalties import L1, Trimmed

SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
METHODS = {
    "plain autoencoder": {"lam": float("inf")},
    "robust, cells": {"penalty": "l1"},
    "robust, a third of the rows dropped": {"penalty": Trimmed(0.33, L1())},
}


def contaminated(share, seed, n=400, d=30, rank=3):
    """Rows near a plane, and rows of one other kind: anomalies that agree with each other."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d)) + 0.5 * rng.normal(size=(n, d))
    y = np.arange(n) < share * n
    direction = rng.normal(size=d)
    X[y] += rng.normal(2.5, 0.5, size=(y.sum(), 1)) * direction
    return X, y


# %%
# The anomalies point the same way, which is the hard case: a plain fit spends a component on them, and
# afterwards explains them well. How well they rank, where 1 is perfect:

precision = np.empty((len(METHODS), len(SHARES)))
for i, settings in enumerate(METHODS.values()):
    for j, share in enumerate(SHARES):
        X, y = contaminated(share, seed=j)
        model = RobustAutoencoder(predictor="linear", hidden=3, energy="squared", random_state=0, **settings)
        precision[i, j] = auprc(y, -model.fit(X).score_samples(X))

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for name, curve in zip(METHODS, precision, strict=True):
    axis.plot(100 * np.array(SHARES), curve, marker="o", label=name)
axis.plot(100 * np.array(SHARES), SHARES, color="grey", linestyle=":", label="chance")
axis.set(xlabel="anomalies among the training rows (%)", ylabel="AUPRC", ylim=(0, 1.02))
axis.legend(loc="lower left")
