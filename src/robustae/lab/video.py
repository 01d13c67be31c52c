"""Who sees what moves before a fixed camera? Pixels of films whose foreground is known.

AUROC, AUPRC and best F1 of the score over all labelled pixels of a film together; F1 of the method's own
mask, or where it has none of Otsu's threshold on its score; milliseconds of processor time a frame (without
decoding) and the peak of memory. A score is the root of the absolute residual; every method's is tried as
it is and smoothed by a Gaussian of 1 and of 2 pixels. The summary has that of these which does best on
average, by the truth: a favour to the others, for ours is taken as `robustae.video.separate` gives it.
"""

import time
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from robustae.datasets import VideoSequence, fetch_video_sequence, video_sequences
from robustae.datasets.sequences import SEQUENCES
from robustae.datasets.synthetic import moving_scene
from robustae.lab.jobs import Cannot, Job, Plan, Row
from robustae.lab.ledger import read_csv
from robustae.lab.memory import with_peak
from robustae.lab.pixels import f1, otsu, ranking, smoothed
from robustae.lab.summaries import summarised
from robustae.lab.video_methods import ORACLE, OURS, Found, against, video_methods

__all__ = ["KEY", "NAME", "NOTE", "REFERENCE", "film_of", "jobs", "pictures", "quality", "summary"]

NAME = "video"
KEY = ("set", "method", "smoothing")
REFERENCE = OURS
NOTE = (
    f"{OURS}: robustae.video.separate, its score as given; the others' smoothed as does best on average, by "
    "the truth. F1: own mask, else Otsu's threshold. MiB: peak beyond what was held. Last column: "
    f"{OURS} minus the method by the first measure, in the mean with the ends of its paired 95 % t interval "
    "over films."
)
MEAN = "mean over films"
SMOOTHINGS = {"none": 0, "Gaussian 1": 1, "Gaussian 2": 2}  # deviations in pixels
MEASURES = ("auprc", "auroc", "best_f1", "f1", "f1_otsu", "ms", "pass_ms", "mib")
QUICK_SCENES = {f"moving scene {seed}": seed for seed in (1, 2)}


def jobs(plan: Plan) -> Iterator[Job]:
    """One for each film and method."""
    names = QUICK_SCENES if plan.quick else video_sequences() or SEQUENCES
    for name in names:
        for method in (ORACLE, *video_methods(plan.quick)):
            yield Job({"set": name, "method": method}, partial(_measured, name, method))


@lru_cache(maxsize=1)
def film_of(name: str) -> VideoSequence:
    """Return a film by name; kept for the methods that come next."""
    return _scene(name, QUICK_SCENES[name]) if name in QUICK_SCENES else fetch_video_sequence(name)


def _scene(name: str, seed: int) -> VideoSequence:
    scene = moving_scene(40, random_state=seed)
    frames = np.round(255 * scene.frames).astype(np.uint8).reshape(-1, *scene.shape)
    truth = np.where(scene.masks, 255, 0).astype(np.uint8).reshape(frames.shape)
    background = np.round(255 * scene.background).astype(np.uint8).reshape(scene.shape)
    return VideoSequence(name, _coloured(frames), truth, _coloured(background))


def _coloured(images: np.ndarray) -> np.ndarray:
    return np.repeat(images[..., None], 3, axis=-1)


def _measured(name: str, method: str) -> list[Row]:
    film = film_of(name)
    _warm(method)
    (found, seconds), peak = with_peak(partial(_timed, film, method))
    n = len(film.frames)
    cost = {"ms": 1000 * seconds / n, "pass_ms": 1000 * (seconds - found.fit_seconds) / n, "mib": peak}
    smoothings = {"as given": 0} if found.final else SMOOTHINGS
    return [
        {"smoothing": title, **quality(film, found, deviation), **cost, "seconds": round(seconds, 4)}
        for title, deviation in smoothings.items()
    ]


@lru_cache
def _warm(method: str) -> None:
    """Let a method import what it needs, before it is timed."""
    with warnings.catch_warnings(action="ignore"):
        _found(_scene("moving scene", 0), method)


def _timed(film: VideoSequence, method: str) -> tuple[Found, float]:
    begin = time.process_time()
    return _found(film, method), time.process_time() - begin


def _found(film: VideoSequence, method: str) -> Found:
    if method != ORACLE:
        return video_methods()[method](film.frames)
    if film.background is None:
        raise Cannot("the true background is not known")
    return Found(against(film.frames, film.background))


def quality(film: VideoSequence, found: Found, deviation: float) -> Row:
    """Return how well a method's score and mask tell foreground; `chance` is the share of it."""
    counts = film.labelled
    y, score = film.foreground[counts], smoothed(found.score, deviation)[counts]
    by_otsu = f1(y, score > otsu(score))
    own = by_otsu if found.mask is None else f1(y, found.mask[counts])
    return {"chance": float(y.mean()), **ranking(y, score), "f1": own, "f1_otsu": by_otsu}


def summary(rows: list[Row]) -> list[Row]:
    """Means over the films, and each film, by method with its best smoothing."""
    best = _best_smoothing(rows)
    kept = [
        {**row, "draw": row["set"]}
        for row in rows
        if row.get("auprc") is not None and best[row["method"]] == row["smoothing"]
    ]
    named = [{**row, "method": _label(row["method"], row["smoothing"])} for row in kept]
    return summarised([*_means(named), *named], ("set",), MEASURES, _chance, OURS)


def _best_smoothing(rows: list[Row]) -> dict[str, str]:
    """By method, the one of the highest mean AUPRC."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.get("auprc") is not None:
            values.setdefault(row["method"], {}).setdefault(row["smoothing"], []).append(row["auprc"])
    return {method: max(of, key=lambda name: float(np.mean(of[name]))) for method, of in values.items()}


def _label(method: str, smoothing: str) -> str:
    return method if method == OURS else f"{method} ({smoothing})"


def _means(rows: list[Row]) -> Iterator[Row]:
    """The films as what is drawn, for methods that have them all."""
    films = {row["set"] for row in rows}
    for method in dict.fromkeys(row["method"] for row in rows):
        of = [row for row in rows if row["method"] == method]
        if {row["set"] for row in of} == films:
            yield from ({**row, "set": MEAN} for row in of)


def _chance(measure: str, rows: Sequence[Row]) -> float | None:
    """What a score by chance has, and for F1 a mask of everything."""
    share = float(np.mean([row["chance"] for row in rows]))
    return {"auprc": share, "auroc": 0.5, "best_f1": 2 * share / (1 + share)}.get(measure)


def pictures(folder: Path, plan: Plan) -> list[Path]:
    """Bars of AUPRC; of each film the frame with most foreground, its truth, our background and mask."""
    from robustae.lab.figures import bars, place

    drawn = bars(folder, NAME, "auprc", OURS)
    if plan.methods is not None and OURS not in plan.methods:
        return drawn
    names = dict.fromkeys(row["set"] for row in read_csv(folder / f"{NAME}.csv") if row["method"] == OURS)
    return [*drawn, *(_picture(place(folder, NAME, name), film_of(name)) for name in names)]


def _picture(path: Path, film: VideoSequence) -> Path:
    """Keep a picture that is there: the same settings would draw it again."""
    from robustae.lab.figures import drawn, saved

    if path.exists():
        return path
    at = int(film.foreground.sum(axis=(1, 2)).argmax())
    background, mask = _separated(film.frames, at)
    panels = {"frame": film.frames[at], "truth": film.truth[at], "background": background, "mask": mask}
    figure, axes = drawn(1, len(panels), (2.6 * len(panels), 2.3))
    for axis, (title, image) in zip(axes[0], panels.items(), strict=True):
        axis.imshow(image, cmap="gray")
        axis.set(title=title, xticks=[], yticks=[])
    return saved(figure, path)


def _separated(frames: np.ndarray, at: int) -> tuple[np.ndarray, np.ndarray]:
    """Background and mask of frame `at`."""
    from robustae.video import separate

    batches: Any = separate(frames)
    batch = next(one for one in batches if one.first <= at < one.first + len(one.mask))
    return batch.background[at - batch.first], batch.mask[at - batch.first]
