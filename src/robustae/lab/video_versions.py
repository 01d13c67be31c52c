"""Versions of films that cameras and weather make of them; the truth is carried along."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from robustae.datasets import VideoSequence
from robustae.utils.checks import one_of

__all__ = ["VERSIONS", "version"]

SHIFT, TURN, MARGIN = (
    1.5,
    0.2,
    8,
)  # deviations in pixels and degrees; pixels cut off around, so that none is made up
NOISE = 20.0  # grey levels
DARK, DARK_NOISE = 0.25, 4.0  # gain, grey levels
FOG, HAZE, FOG_NOISE = 0.25, 150.0, 1.0
STEP, LEAST_GAIN, MOST_GAIN = 20, 0.6, 1.3  # frames between jumps
NIGHT, NIGHT_NOISE = 0.2, 2.0  # the last frame's gain, grey levels
LAMP, REACH, LIT = 0.6, 0.25, (0.35, 0.75)  # more light there; of the longest side; part of the clip


def version(film: VideoSequence, kind: str, random_state: int = 0) -> VideoSequence:
    """Return a film as a worse camera would have taken it.

    Parameters
    ----------
    film : VideoSequence
    kind : str
        "shaken" (1.5 pixels and .2 degrees, each frame by itself), "noisy" (20 grey levels), "dark" (a
        quarter of the light, noise of 4), "foggy" (a quarter of the contrast), "jumping gain" (another
        every 20 frames), "nightfall" (the light goes down to a fifth, noise of 2) or "lamp" (one that
        lights a part of the picture for a while).
    random_state : int

    Returns
    -------
    VideoSequence
        Its background is not known.
    """
    made = VERSIONS[one_of("kind", kind, VERSIONS)](film, np.random.default_rng(random_state))
    return replace(made, name=f"{film.name}, {kind}", background=None)


def _shaken(film: VideoSequence, rng: np.random.Generator) -> VideoSequence:
    moves = [_move(rng, film.frames.shape[1:3]) for _ in film.frames]
    frames = np.stack([_moved(frame, move, 1) for frame, move in zip(film.frames, moves, strict=True)])
    truth = np.stack([_moved(mask, move, 0) for mask, move in zip(film.truth, moves, strict=True)])
    inside = np.s_[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return replace(film, frames=frames[inside].copy(), truth=truth[inside].copy())


def _move(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A turn about the middle and a shift: matrix and offset from places in the new picture to the old."""
    angle, middle = np.deg2rad(TURN * rng.normal()), (np.array(shape) - 1) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn, middle - turn @ middle + SHIFT * rng.normal(size=2)


def _moved(image: np.ndarray, move: tuple[np.ndarray, np.ndarray], order: int) -> np.ndarray:
    from scipy.ndimage import affine_transform

    if image.ndim == 3:
        return np.stack([_moved(channel, move, order) for channel in image.transpose(2, 0, 1)], axis=-1)
    turn: Any = move[0]
    shift: Any = move[1]
    values = affine_transform(image.astype(np.float32), turn, shift, order=order, mode="nearest")
    return np.rint(values).astype(np.uint8)


def _noisy(film: VideoSequence, rng: np.random.Generator) -> VideoSequence:
    return _graded(film, np.ones(len(film.frames)), 0.0, NOISE, rng)


def _dark(film: VideoSequence, rng: np.random.Generator) -> VideoSequence:
    return _graded(film, np.full(len(film.frames), DARK), 0.0, DARK_NOISE, rng)


def _foggy(film: VideoSequence, rng: np.random.Generator) -> VideoSequence:
    return _graded(film, np.full(len(film.frames), FOG), HAZE, FOG_NOISE, rng)


def _jumping(film: VideoSequence, rng: np.random.Generator) -> VideoSequence:
    jumps = np.exp(rng.uniform(np.log(LEAST_GAIN), np.log(MOST_GAIN), 1 + len(film.frames) // STEP))
    return _graded(film, jumps.repeat(STEP)[: len(film.frames)], 0.0, 0.0, rng)


def _nightfall(film: VideoSequence, rng: np.random.Generator) -> VideoSequence:
    return _graded(film, NIGHT ** np.linspace(0, 1, len(film.frames)), 0.0, NIGHT_NOISE, rng)


def _lamp(film: VideoSequence, rng: np.random.Generator) -> VideoSequence:
    """What is there is lit by half as much again and more at the lamp, less and less around."""
    n, height, width = film.frames.shape[:3]
    y, x = np.mgrid[:height, :width]
    far = np.hypot(y - height * rng.uniform(0.2, 0.8), x - width * rng.uniform(0.2, 0.8))
    more = LAMP * np.exp(-0.5 * (far / (REACH * max(height, width))) ** 2)[..., None]
    frames = film.frames.copy()
    lit = slice(round(LIT[0] * n), round(LIT[1] * n))
    frames[lit] = np.clip(np.rint(frames[lit] * (1 + more)), 0, 255)
    return replace(film, frames=frames)


def _graded(
    film: VideoSequence, gains: np.ndarray, haze: float, noise: float, rng: np.random.Generator
) -> VideoSequence:
    frames = np.empty_like(film.frames)
    for k, (frame, gain) in enumerate(zip(film.frames, gains, strict=True)):
        values = gain * frame + haze + noise * rng.normal(size=frame.shape)
        frames[k] = np.clip(np.rint(values), 0, 255)
    return replace(film, frames=frames)


VERSIONS: dict[str, Callable[[VideoSequence, np.random.Generator], Any]] = {
    "shaken": _shaken,
    "noisy": _noisy,
    "dark": _dark,
    "foggy": _foggy,
    "jumping gain": _jumping,
    "nightfall": _nightfall,
    "lamp": _lamp,
}
