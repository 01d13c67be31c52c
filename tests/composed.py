"""Clips of which all is known: a textured wall, somebody before it, a camera's noise."""

from dataclasses import dataclass, replace

import numpy as np

from robustae.datasets.synthetic import moving_scene

HEIGHT, WIDTH = 60, 80


@dataclass(frozen=True)
class Composed:
    """Grey levels: where `masks` (n, height, width) are, somebody is before the `background` (one frame)."""

    frames: np.ndarray
    background: np.ndarray
    masks: np.ndarray

    def __len__(self):
        return len(self.frames)

    def lit(self, light):
        """The same in a light that changes, an array that broadcasts to the frames."""
        return replace(self, frames=self.frames * light)

    def clip(self, seed=0, noise=2):
        """What a camera makes of it: bytes, noise in each."""
        noise = np.random.default_rng(seed).normal(0, noise, self.frames.shape)
        return np.clip(np.rint(self.frames + noise), 0, 255).astype(np.uint8)

    def seen(self, people):
        """With more people: masks (n, height, width), in one coat."""
        coat = np.array([20.0, 30.0, 225.0])[: self.background.shape[2]]
        frames = np.where(people[..., None], coat, self.frames)
        return replace(self, frames=frames, masks=self.masks | people)


def wall(n, height=HEIGHT, width=WIDTH, channels=3, seed=0):
    """Nobody there; between 60 and 190, in waves and grain."""
    rng = np.random.default_rng(seed)
    waves = moving_scene(1, height, width, random_state=seed).background.reshape(height, width, 1)
    grain = rng.normal(0, 5, (height, width, 1))
    background = np.clip(45 + 200 * (waves - 0.25) + grain + rng.uniform(0, 30, channels), 60, 190)
    frames = np.broadcast_to(background, (n, *background.shape)).copy()
    return Composed(frames, background, np.zeros(frames.shape[:3], bool))


def box(n, left, top=20, height=30, width=12, shape=(HEIGHT, WIDTH)):
    """Masks of a box whose left side is at `left` (a number for each frame; nan: away)."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    across = columns - np.broadcast_to(np.asarray(left, float), (n,))[:, None, None]
    return (across >= 0) & (across < width) & (rows >= top) & (rows < top + height)


def walking(n, speed=2.0, start=-12.0, **where):
    """Masks of a box that goes through from the left, and begins anew when it is out."""
    width = where.get("shape", (HEIGHT, WIDTH))[1]
    return box(n, (np.arange(n) * speed) % (width + 14) + start, **where)


def standing(n, begin, end, at=34, **where):
    """Masks of a box that walks in, stands from frame `begin` to `end`, and walks out."""
    left = np.full(n, float(at))
    come, go = np.arange(begin)[::-1], np.arange(n - end)
    left[:begin] = at - 3.0 * (come + 1)
    left[end:] = at + 3.0 * (go + 1)
    return box(n, left, **where)


def leaves(n, share, darkest=0, brightest=255, size=6, shape=(HEIGHT, WIDTH)):
    """Patches that come and go anywhere: masks which cover so much of each frame, and their shades."""
    rng = np.random.default_rng(0)
    grid = [-(-side // size) for side in shape]
    covered = rng.random((n, *grid)) < share
    shades = rng.uniform(darkest, brightest, (n, *grid))
    masks, shades = (
        part.repeat(size, 1).repeat(size, 2)[:, : shape[0], : shape[1]] for part in (covered, shades)
    )
    return masks, shades


def f1(found, true):
    """Of pixels."""
    return 2 * (found & true).sum() / max(1, found.sum() + true.sum())
