"""Rows, predictors and states that tests of fits in batches share."""

import numpy as np
import torch
from torch import nn

from robustae.solvers import Adam

QUICK = {"predictor": "linear", "hidden": 2, "max_iter": 2, "batch_size": 200, "random_state": 0}
FEW = Adam(steps=50, epochs=2, rows=100)  # the sample is fitted in a moment, too


def table(n=1500, d=6, seed=0, wild=0.05):
    """Rows near a plane, some of them with wild cells, some cells missing, in float32."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2)) @ np.random.default_rng(1).normal(size=(2, d)) + 0.2 * rng.normal(size=(n, d))
    y = rng.random(n) < wild
    X[y] += 4 * rng.normal(size=(y.sum(), d)) * (rng.random((y.sum(), d)) < 0.5)
    X[rng.random((n, d)) < 0.01] = np.nan
    X[np.isnan(X).all(1), 0] = 0.0
    return X.astype(np.float32), y


def users():
    """A module that draws random numbers and keeps statistics of its batches."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 6))


def state(model):
    """All that a fit decides, as bytes."""
    weights = {name: value.numpy().tobytes() for name, value in model.predictor_.state_dict().items()}
    measured = {"noise": model.noise_scale_.tobytes(), "lam": model.column_lam_.tobytes()}
    return weights | measured | {"offset": model.offset_, "history": tuple(model.history_)}
