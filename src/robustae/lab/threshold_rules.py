"""Rules that put a threshold on the scores of the rows of a fit, higher being more anomalous."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import numpy as np

from robustae.lab.jobs import Cannot
from robustae.stats.scales import mad_scale, median

__all__ = ["rules"]

FIXED = 0.1  # share of anomalies that most libraries take for granted
DEVIATIONS, RANGES = 3.0, 1.5
PYTHRESH = {"KARCH": "karch", "MIXMOD": "mixmod"}

Rule = Callable[[np.ndarray], float]


def rules() -> dict[str, Rule]:
    """Return the rules by name; each takes scores, shape (n,), and returns what a row must exceed."""
    return {
        "10 %": lambda scores: float(np.quantile(scores, 1 - FIXED)),
        "MAD": lambda scores: float(median(scores) + DEVIATIONS * mad_scale(scores)),
        "IQR": _beyond_quartiles,
        **{f"{name} (pythresh)": partial(_pythresh, module, name) for name, module in PYTHRESH.items()},
    }


def _beyond_quartiles(scores: np.ndarray) -> float:
    """Tukey's fence."""
    low, high = np.quantile(scores, (0.25, 0.75))
    return float(high + RANGES * (high - low))


def _pythresh(module: str, name: str, scores: np.ndarray) -> float:
    """Halfway between the rows that the rule calls anomalous and the others."""
    if find_spec("pythresh") is None:
        raise Cannot("needs pythresh: pip install pythresh")
    with _global_state_kept():
        found = getattr(import_module(f"pythresh.thresholds.{module}"), name)().eval(scores)
    called = np.asarray(found) == 1
    if called.all() or not called.any():
        return float(np.inf if not called.any() else -np.inf)
    return float((scores[called].min() + scores[~called].max()) / 2)


@contextmanager
def _global_state_kept() -> Iterator[None]:
    """pythresh seeds numpy's global generator."""
    before = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(before)
