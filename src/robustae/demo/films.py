"""Fixed cameras: the part of a film that stays is the background, the outliers are who walks through it."""

import os
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from robustae.report import facts_of

__all__ = ["film_parts", "walkway"]

RESTAURANT = "restaurant/restaurant_200.npz"


def walkway() -> np.ndarray:
    """Frames of a walkway seen from above: uint8, shape (200, 120, 160), 5 a second.

    Made from OpenCV's vtest.avi (Apache License 2.0) by tools/make_walkway.py.
    """
    with files("robustae.demo").joinpath("data/walkway.npz").open("rb") as file, np.load(file) as stored:
        return np.cumsum(stored["changes"], axis=0, dtype=np.uint8)


def _restaurant() -> np.ndarray | None:
    """The hands-on's scene, where ROBUSTAE_DATA has it."""
    path = Path(os.environ.get("ROBUSTAE_DATA", "")) / RESTAURANT
    if not path.is_file():
        return None
    with np.load(path) as stored:
        return stored["X"].reshape(-1, *stored["shape"])


def film_parts(progress: Callable[[str], None]) -> list[dict[str, Any]]:
    """Separate the walkway, and the restaurant where it is there."""
    parts = [_separated("walkway", walkway(), "A walkway", "People on their way, seen from above.", progress)]
    frames = _restaurant()
    if frames is None:
        progress(f"restaurant: left out, as there is no {RESTAURANT} under ROBUSTAE_DATA")
        return parts
    lead = "A busy restaurant: somebody is nearly always in the picture, and the empty room is never seen."
    return [*parts, _separated("restaurant", frames, "The restaurant", lead, progress)]


def _separated(name: str, frames: np.ndarray, title: str, lead: str, progress: Callable[[str], None]) -> dict[str, Any]:
    from robustae import RobustAutoencoder

    progress(f"{name}: separating {len(frames)} frames into background and people")
    start = time.perf_counter()
    model = RobustAutoencoder(predictor="constant", penalty="l1", image_shape=frames.shape[1:], random_state=0)
    model.fit(frames)
    model.split(frames)
    seconds = time.perf_counter() - start
    facts = facts_of(model, frames, kind="film", title=title, lead=f"{lead} No frame is labelled.")
    shares = np.array(facts["film"]["activity"])
    facts["numbers"] = [
        {"label": "fit and split", "value": f"{seconds:.2f} s", "note": f"{frames.size / 1e6:.1f} million pixels"},
        {"label": "pixels flagged", "value": f"{100 * shares.mean():.1f} %", "note": f"at most {100 * shares.max():.1f} %, frame {shares.argmax()}"},
    ]
    line = (
        f"{name}: {len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} fitted and split in {seconds:.2f} s, "
        f"{100 * shares.mean():.1f} % of the pixels are people (at most {100 * shares.max():.1f} %, frame {shares.argmax()})"
    )
    return facts | {"line": line}
