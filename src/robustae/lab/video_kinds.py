"""The same question where cameras and backgrounds are worse: films that move, and versions of good ones.

"moving" are the films under video_moving; "shaken" and the others are those of `video_versions`, made of the
films under video. Measures and methods are those of `video`; the others' scores
are smoothed by a Gaussian of 2 pixels, which does best for them there.
"""

import time
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from robustae.datasets import VideoSequence, fetch_video_sequence, video_sequences
from robustae.datasets.sequences import SEQUENCES
from robustae.lab import video
from robustae.lab.jobs import Job, Plan, Row
from robustae.lab.summaries import summarised
from robustae.lab.video_methods import OURS, video_methods
from robustae.lab.video_versions import VERSIONS, version

__all__ = ["KEY", "NAME", "NOTE", "REFERENCE", "jobs", "pictures", "summary"]

NAME = "video-kinds"
KEY = ("set", "film", "method")
REFERENCE = OURS
NOTE = (
    f"Means over films. {OURS}: robustae.video.separate by its defaults; the others' scores smoothed by a "
    "Gaussian of 2 pixels. F1: own mask, else Otsu's threshold."
)
MEASURES = ("auprc", "best_f1", "f1", "pass_ms")
MOVING, FOLDER = "moving", "video_moving"
PEERS = ("temporal median", "MOG2", "KNN")
SMOOTHING = 2.0  # pixels


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each kind, film and method."""
    names = [OURS, "temporal median"] if plan.quick else [*PEERS, OURS]
    for kind, film in _films(plan):
        for method in names:
            yield Job({"set": kind, "film": film, "method": method}, partial(_measured, kind, film, method))


def _films(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.quick:
        yield from ((kind, "moving scene 1") for kind in VERSIONS)
        return
    yield from ((MOVING, film) for film in video_sequences(folder=FOLDER))
    for kind in VERSIONS:
        yield from ((kind, film) for film in video_sequences() or SEQUENCES)


@lru_cache(maxsize=1)
def _film(kind: str, name: str) -> VideoSequence:
    if kind == MOVING:
        return fetch_video_sequence(name, folder=FOLDER)
    return version(video.film_of(name), kind)


def _measured(kind: str, name: str, method: str) -> Row:
    film = _film(kind, name)
    begin = time.process_time()
    found = video_methods()[method](film.frames)
    seconds = time.process_time() - begin - found.fit_seconds
    quality = video.quality(film, found, 0.0 if found.final else SMOOTHING)
    return quality | {"pass_ms": 1000 * seconds / len(film.frames)}


def summary(rows: list[Row]) -> list[Row]:
    """Means over the films of each kind, by method."""
    kept = [{**row, "draw": row["film"]} for row in rows if row.get("auprc") is not None]
    return summarised(kept, ("set",), MEASURES, _chance, OURS)


def _chance(measure: str, rows: Any) -> float | None:
    share = float(np.mean([row["chance"] for row in rows]))
    return {"auprc": share, "best_f1": 2 * share / (1 + share)}.get(measure)


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """Bars of AUPRC."""
    from robustae.lab.figures import bars

    return bars(folder, NAME, "auprc", OURS)
