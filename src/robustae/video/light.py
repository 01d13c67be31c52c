"""Light that changes for the whole picture: one gain a frame, which foreground cannot pull.

The gain is the mode of the logarithms of frame / background over the pixels: most of the picture is
multiplied by it, whoever walks through is not.
"""

import numpy as np

from robustae.video.grid import some_of

__all__ = ["Light", "gains"]

OFFSET = 4.0  # grey levels: dark pixels say little about gain
RANGE, BIN = 0.4, 0.01  # of log gains
WINDOWS = (0.06, 0.04, 0.03)
AGREE = 0.35  # share of the picture that must agree, else there is no telling
DARKEST, BRIGHTEST = 25, 245
PIXELS = 3000  # are enough
LEAST_PIXELS = 16
STEADY = 1.5  # how much less a gain of e counts than one of 1: a lamp that lights a half is no gain


class Light:
    """A picture's pixels that tell gains, picked once.

    Parameters
    ----------
    picture : array, shape (height, width, c)
        The background, grey levels from 0 to 255.
    """

    def __init__(self, picture: np.ndarray):
        grey = _grey(picture)
        usable = np.flatnonzero((grey > DARKEST) & (grey < BRIGHTEST))
        self.pixels = usable[some_of(len(usable), PIXELS)]
        self.logs = np.log(grey[self.pixels].astype(np.float32) + OFFSET)

    def gains(self, frames: np.ndarray) -> np.ndarray:
        """Return by how much frames (n, height, width, c) are brighter, shape (n,); 1 if none agree."""
        if len(self.pixels) < LEAST_PIXELS:
            return np.ones(len(frames), np.float32)
        pixels = _grey(frames.reshape(len(frames), -1, frames.shape[-1])[:, self.pixels])
        ratios = np.log(pixels.reshape(len(frames), -1) + OFFSET) - self.logs
        centres = _modes(ratios)
        for window in WINDOWS:
            near = np.abs(ratios - centres[:, None]) < window
            centres = (ratios * near).sum(1) / np.maximum(near.sum(1), 1)
        agree = (np.abs(ratios - centres[:, None]) < WINDOWS[-1]).mean(1)
        return np.where(agree >= AGREE, np.exp(centres), 1).astype(np.float32)


def gains(frames: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Return the gains of frames over a picture, shape (n,)."""
    return Light(picture).gains(frames)


def _grey(images: np.ndarray) -> np.ndarray:
    """The mean over the channels, flat."""
    channels = [images[..., k].ravel() for k in range(images.shape[-1])]
    return np.add.reduce(channels, dtype=np.float32) / np.float32(len(channels))


def _modes(ratios: np.ndarray) -> np.ndarray:
    """The fullest three neighbouring bins of each row, those around 0 preferred."""
    count = round(2 * RANGE / BIN)
    bins = np.clip(((ratios + RANGE) / BIN).astype(int), 0, count - 1)
    bins += np.arange(len(ratios))[:, None] * count
    heights = np.bincount(bins.ravel(), minlength=count * len(ratios)).reshape(-1, count)
    heights[:, [0, -1]] = 0  # all that lies beyond
    three = heights[:, :-2] + heights[:, 1:-1] + heights[:, 2:]
    centres = (np.arange(count - 2) + 1.5) * BIN - RANGE
    return centres[(three * (1 - STEADY * np.abs(centres))).argmax(1)]
