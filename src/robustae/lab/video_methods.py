"""What finds the foreground of a film: backgrounds by the pixel, low rank + sparse, OpenCV's mixtures, ours.

Each method is given the frames and nothing else: array of uint8, shape (n, height, width, 3). OpenCV's two
learn in a first pass, and give the background that they then have, and masks in a second: as many frames
as there are here are few for them, and their first masks would be of a scene they do not know.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from robustae.lab.jobs import Cannot

__all__ = ["ORACLE", "OURS", "Found", "against", "video_methods"]

OURS = "separate"
ORACLE = "oracle background"
GREY_LEVELS = 8 / 255  # within them a residual is noise: as the authors of GoDec have it for video
ORPCA_RANK = 3  # did best of 1, 3, 5 and 10, by the truth of the films known by name
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Found:
    """What a method makes of a film.

    Attributes
    ----------
    score : array of float32, shape (n, height, width)
        Larger = more foreground.
    mask : array of bool, shape (n, height, width), or None
        What it calls foreground by itself.
    fit_seconds : float
        Of the time it took, what went before the first frame could be scored.
    final : bool
        Whether the score is to be taken as it is: no smoothing.
    """

    score: np.ndarray
    mask: np.ndarray | None = None
    fit_seconds: float = 0.0
    final: bool = False


VideoMethod = Callable[[np.ndarray], Found]


def video_methods(quick: bool = False) -> dict[str, VideoMethod]:
    """Return the methods by name, in the order of tables."""
    quickly: dict[str, VideoMethod] = {
        "temporal median": partial(_still, _median),
        "linear RAE, K = 0": partial(_autoencoder, 0),
        OURS: _separate,
    }
    return quickly if quick else {**_peers(), OURS: _separate}


def _peers() -> dict[str, VideoMethod]:
    return {
        "temporal median": partial(_still, _median),
        "half-sample mode": partial(_still, half_sample_mode),
        "RPCA (IALM)": partial(_pursuit, 1.0),
        "RPCA (IALM), half lambda": partial(_pursuit, 0.5),
        "GoDec": partial(_split, "GoDec", threshold=GREY_LEVELS),
        "OR-PCA": partial(_split, "OnlineRobustPCA", rank=ORPCA_RANK, lam2=GREY_LEVELS),
        "MOG2": partial(_mixture, "createBackgroundSubtractorMOG2"),
        "KNN": partial(_mixture, "createBackgroundSubtractorKNN"),
        **{f"linear RAE, K = {K}": partial(_autoencoder, K) for K in (0, 1, 3)},
        "linear RAE, K = 1, colour": partial(_autoencoder, 1, colour=True),
    }


# One background picture -----------------------------------------------------------------------------


def against(frames: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Score of frames beside a background, (height, width, 3): root of the mean difference in colour."""
    difference = np.abs(frames - background.astype(np.float32)).mean(axis=-1)
    return np.sqrt(difference / np.float32(255))


def _still(estimate: Callable[[np.ndarray], np.ndarray], frames: np.ndarray) -> Found:
    begin = time.process_time()
    background = estimate(frames)
    seconds = time.process_time() - begin
    return Found(against(frames, background), None, seconds)


def _median(frames: np.ndarray) -> np.ndarray:
    return np.median(frames, axis=0)


def half_sample_mode(x: np.ndarray) -> np.ndarray:
    """Mode along the first axis: the shortest half, of it the shortest half, and so on (Bickel 2002).

    Of halves that are equally short the middle one is taken.
    """
    x = np.sort(x, axis=0).astype(np.float32)
    while len(x) > 2:
        half = -(-len(x) // 2)
        width = x[half - 1 :] - x[: len(x) - half + 1]
        x = np.take_along_axis(x, _middle_of_least(width)[None] + _column(half, x.ndim), axis=0)
    return x.mean(axis=0)


def _middle_of_least(width: np.ndarray) -> np.ndarray:
    least = width == width.min(axis=0)
    last = len(width) - 1 - least[::-1].argmax(axis=0)
    middle = (least.argmax(axis=0) + last) // 2
    return np.where(np.take_along_axis(least, middle[None], axis=0)[0], middle, last)


def _column(length: int, dimensions: int) -> np.ndarray:
    return np.arange(length).reshape(-1, *[1] * (dimensions - 1))


# Low rank + sparse ------------------------------------------------------------------------------


def gray(frames: np.ndarray) -> np.ndarray:
    """Luma in [0, 1], float32, shape (n, height, width)."""
    return frames @ (LUMA / 255)


def _pursuit(factor: float, frames: np.ndarray) -> Found:
    from robustae.baselines import pursue

    X = gray(frames).reshape(len(frames), -1).astype(np.float64)
    begin = time.process_time()
    S = pursue(X, factor / np.sqrt(max(X.shape))).sparse
    return _sparse(S, S, frames, begin)


def _split(name: str, frames: np.ndarray, **settings: Any) -> Found:
    from robustae import baselines

    X = gray(frames).reshape(len(frames), -1)
    begin = time.process_time()
    L, S = getattr(baselines, name)(**settings).fit(X).split(X)
    return _sparse(X - L, S, frames, begin)


def _sparse(R: np.ndarray, S: np.ndarray, frames: np.ndarray, begin: float) -> Found:
    seconds = time.process_time() - begin
    score = np.sqrt(np.abs(R)).astype(np.float32)
    return Found(score.reshape(frames.shape[:3]), (S != 0).reshape(frames.shape[:3]), seconds)


def _autoencoder(K: int, frames: np.ndarray, colour: bool = False) -> Found:
    from robustae.estimators.autoencoder import RobustAutoencoder

    X = frames / np.float32(255) if colour else gray(frames)[..., None]
    settings: dict[str, Any] = {"predictor": "linear", "hidden": K} if K else {"predictor": "constant"}
    begin = time.process_time()
    model = RobustAutoencoder(image_shape=X.shape[1:], random_state=0, **settings).fit(X)
    seconds = time.process_time() - begin
    size = np.abs(X - model.reconstruct(X)).mean(axis=-1)
    mask: Any = model.flags(X).any(axis=-1)
    return Found(np.sqrt(size), mask, seconds)


# OpenCV, and ours -----------------------------------------------------------------------------------


def _mixture(name: str, frames: np.ndarray) -> Found:
    with _opencv() as cv2:
        model = getattr(cv2, name)(detectShadows=False)
        bgr = np.ascontiguousarray(frames[..., ::-1])
        begin = time.process_time()
        for frame in bgr:
            model.apply(frame)
        background = model.getBackgroundImage()[..., ::-1]
        seconds = time.process_time() - begin
        masks = np.stack([model.apply(frame) for frame in bgr])
    return Found(against(frames, background), masks > 0, seconds)


@contextmanager
def _opencv() -> Iterator[Any]:
    """OpenCV on one thread; as before after."""
    if find_spec("cv2") is None:
        raise Cannot("needs OpenCV: pip install 'robustae[benchmarks]'")
    cv2 = import_module("cv2")
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield cv2
    finally:
        cv2.setNumThreads(threads)


def _separate(frames: np.ndarray) -> Found:
    from robustae.video import separate

    begin = time.process_time()
    found = separate(frames)
    seconds = time.process_time() - begin
    parts = [(batch.score, batch.mask) for batch in found]
    scores, masks = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Found(scores, masks, seconds, final=True)
