"""Fixed cameras: what stays is the background, and the outliers are who walks through it."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from robustae.datasets import Dataset, fetch_restaurant, load_walkway
from robustae.estimators.autoencoder import RobustAutoencoder
from robustae.estimators.facts import facts_of
from robustae.utils.checks import NotFound

__all__ = ["film_parts"]


def film_parts(progress: Callable[[str], None]) -> list[dict[str, Any]]:
    """Separate the walkway, and the restaurant where it is on this machine."""
    parts = [_separated("walkway", load_walkway(), "People on a path, seen from above.", progress)]
    try:
        data = fetch_restaurant()
    except NotFound:
        progress("restaurant: left out, it is not on this machine")
        return parts
    lead = "A busy restaurant: somebody is nearly always in the picture, and the empty room is never seen."
    return [*parts, _separated("restaurant", data, lead, progress)]


def _separated(name: str, data: Dataset, lead: str, progress: Callable[[str], None]) -> dict[str, Any]:
    progress(f"{name}: separating {len(data.X)} frames into background and people")
    start = time.perf_counter()
    model = RobustAutoencoder(predictor="constant", penalty="l1", image_shape=data.image_shape)
    model.fit(data.X).split(data.X)
    seconds = time.perf_counter() - start
    cut = contrast(np.abs(data.X - model.reconstruct(data.X)))
    lead = f"{lead} No frame is labelled; the model is one robust picture of the scene."
    facts = facts_of(model, data.X, kind="film", cut=cut, title=f"Video: the {name}", lead=lead)
    return facts | _numbers(name, data, seconds, np.array(facts["film"]["activity"]))


def contrast(size: np.ndarray) -> float:
    """Half of Otsu's threshold on the sizes of the residuals, shape (n, d): who is it, and what is flicker.

    Otsu's threshold lies midway between the mean sizes of noise and people, so its half lets the
    people's fainter parts in.
    """
    counts, edges = np.histogram(size, 256)
    centres, below = (edges[1:] + edges[:-1]) / 2, np.cumsum(counts)[:-1]
    sums = np.cumsum(counts * centres)
    total, mean = counts.sum(), sums[-1] / counts.sum()
    between = (mean * below - sums[:-1]) ** 2 / np.maximum(below * (total - below), 1)
    best = between >= between.max() * (1 - 1e-9)  # a whole range where nothing lies between the two
    return float(centres[:-1][best].mean()) / 2


def _numbers(name: str, data: Dataset, seconds: float, shares: np.ndarray) -> dict[str, Any]:
    assert data.image_shape is not None
    height, width = data.image_shape[:2]
    busiest = f"at most {100 * shares.max():.1f} %, in frame {shares.argmax()}"
    tiles = [
        {"label": "fit and split", "value": f"{seconds:.1f} s", "note": f"{data.X.size / 1e6:.1f} M pixels"},
        {"label": "pixels in the mask", "value": f"{100 * shares.mean():.1f} %", "note": busiest},
    ]
    line = (
        f"{name}: {len(data.X)} frames of {width} x {height} fitted and split in {seconds:.1f} s; "
        f"{100 * shares.mean():.1f} % of the pixels are people ({busiest})"
    )
    return {"numbers": tiles, "line": line}
