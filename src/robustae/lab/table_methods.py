"""Detectors of anomalous rows of tables: PyOD's, as they come, and the robust autoencoder's default."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from robustae.lab.jobs import Cannot
from robustae.lab.methods import quick_settings

if TYPE_CHECKING:
    from robustae.estimators.autoencoder import RobustAutoencoder

__all__ = ["OURS", "Detector", "Scores", "table_methods"]

OURS = "RAE"
LINEAR = {"predictor": "linear", "penalty": "trimmed"}
PYOD = {
    "AutoEncoder": ("auto_encoder", {"verbose": 0}, True),
    "IForest": ("iforest", {}, True),
    "MCD": ("mcd", {}, True),
    "KNN": ("knn", {}, False),
    "PCA": ("pca", {}, False),
    "ECOD": ("ecod", {}, False),
    "INNE": ("inne", {}, True),
    "CBLOF": ("cblof", {}, True),
}

RANK_TOLERANCE = 1e-7  # of singular values: below, their squares are lost in the rounding of a covariance


@dataclass(frozen=True)
class Scores:
    """What a fitted method finds, higher being more anomalous.

    Attributes
    ----------
    fitted : array, shape (n,)
        Of the rows of the fit.
    unseen : callable
        ``unseen(X)``: of other rows, shape (k,).
    model : RobustAutoencoder, optional
        Of our own methods.
    """

    fitted: np.ndarray
    unseen: Callable[[np.ndarray], np.ndarray]
    model: "RobustAutoencoder | None" = None


@dataclass(frozen=True)
class Detector:
    """A method to compare.

    Attributes
    ----------
    name : str
        As in tables.
    fit : callable
        ``fit(X, seed)``: its `Scores`. It is given nothing else.
    random : bool
        Whether the seed matters.
    """

    name: str
    fit: Callable[[np.ndarray, int], Scores]
    random: bool = True


def table_methods(quick: bool = False) -> dict[str, Detector]:
    """Return the methods by name, in the order of tables."""
    return {method.name: method for method in _all(quick_settings(quick), quick)}


def _all(settings: dict[str, Any], quick: bool) -> Iterator[Detector]:
    for kind, (_, _, drawn) in PYOD.items():
        yield Detector(kind, partial(_pyod, kind, quick), drawn)
    yield Detector("ADERH", _aderh)
    yield Detector(f"{OURS}, linear", partial(_ours, LINEAR | settings))
    yield Detector(OURS, partial(_ours, settings))


def _ours(settings: dict[str, Any], X: np.ndarray, seed: int) -> Scores:
    from robustae.estimators.autoencoder import RobustAutoencoder

    model = RobustAutoencoder(random_state=seed, **settings).fit(X)
    return Scores(-model.score_samples(X), lambda rows: -model.score_samples(rows), model)


def _pyod(kind: str, quick: bool, X: np.ndarray, seed: int) -> Scores:
    """Columns are scaled to [0, 1] by the rows of the fit, as ADBench does."""
    low, width = X.min(axis=0), np.ptp(X, axis=0)
    scaled = lambda rows: (rows - low) / np.where(width > 0, width, 1.0)  # noqa: E731
    module, *_ = PYOD[kind]
    with _global_seeds_kept():
        model = _pyod_class(module, kind)(**_pyod_settings(kind, quick, X, seed)).fit(scaled(X))
    return Scores(model.decision_scores_, lambda rows: model.decision_function(scaled(rows)), model)


def _aderh(X: np.ndarray, seed: int) -> Scores:
    """Its columns are scaled as PyOD's."""
    if find_spec("aderh") is None:
        raise Cannot("needs aderh: pip install 'robustae[benchmarks]'")
    low, width = X.min(axis=0), np.ptp(X, axis=0)
    scaled = lambda rows: (rows - low) / np.where(width > 0, width, 1.0)  # noqa: E731
    with _global_seeds_kept():
        model = import_module("aderh").ADERH(random_state=seed).fit(scaled(X))
    return Scores(-model.score_samples(scaled(X)), lambda rows: -model.score_samples(scaled(rows)), model)


def _pyod_settings(kind: str, quick: bool, X: np.ndarray, seed: int) -> dict[str, Any]:
    _, settings, drawn = PYOD[kind]
    short = {"epoch_num": 1} if quick and kind == "AutoEncoder" else {}
    rank = {"n_components": _rank(X)} if kind == "PCA" else {}
    return settings | short | rank | ({"random_state": seed} if drawn else {})


def _rank(X: np.ndarray) -> int:
    """Components that have a variance: with others PyOD's PCA has no finite score."""
    X = X[:, np.ptp(X, axis=0) > 0]  # rounding may give constant columns a deviation
    values = np.linalg.svd((X - X.mean(axis=0)) / X.std(axis=0), compute_uv=False)
    return int((values > RANK_TOLERANCE * values[0]).sum())


def _pyod_class(module: str, kind: str) -> Any:
    if find_spec("pyod") is None:
        raise Cannot("needs pyod: pip install 'robustae[benchmarks]'")
    return getattr(import_module(f"pyod.models.{module}"), kind)


@contextmanager
def _global_seeds_kept() -> Iterator[None]:
    """PyOD's networks seed every global generator."""
    import torch

    before, numpys = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(before)
        np.random.set_state(numpys)
