"""Light that changes for the whole picture: one gain a frame, which foreground cannot pull.

The gain is the mode of the logarithms of frame / background over the pixels: most of the picture is
multiplied by it, whoever walks through is not.
"""

import numpy as np

__all__ = ["gains"]

OFFSET = 4.0  # grey levels: dark pixels say little about gain
RANGE, BIN = 0.4, 0.01  # of log gains
WINDOWS = (0.06, 0.04, 0.03)
AGREE = 0.35  # share of the picture that must agree, else there is no telling
DARKEST, BRIGHTEST = 25, 245
PIXELS = 3000  # are enough


def gains(frames: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Return by how much each frame is brighter than the picture, shape (n,); 1 where nothing agrees.

    Parameters
    ----------
    frames : array, shape (n, height, width, c)
    picture : array, shape (height, width, c)
        The background, in the same units: grey levels from 0 to 255.
    """
    grey = picture.reshape(-1, picture.shape[-1]).mean(-1)
    usable = np.flatnonzero((grey > DARKEST) & (grey < BRIGHTEST))
    usable = usable[:: max(1, len(usable) // PIXELS)]
    if len(usable) < 16:
        return np.ones(len(frames), np.float32)
    pixels = frames.reshape(len(frames), -1, frames.shape[-1])[:, usable].mean(-1, dtype=np.float32)
    ratios = np.log((pixels + OFFSET) / (grey[usable].astype(np.float32) + OFFSET))
    centres = _modes(ratios)
    for window in WINDOWS:
        near = np.abs(ratios - centres[:, None]) < window
        centres = (ratios * near).sum(1) / np.maximum(near.sum(1), 1)
    agree = (np.abs(ratios - centres[:, None]) < WINDOWS[-1]).mean(1)
    return np.where(agree >= AGREE, np.exp(centres), 1).astype(np.float32)


def _modes(ratios: np.ndarray) -> np.ndarray:
    """The fullest three neighbouring bins of each row."""
    count = round(2 * RANGE / BIN)
    bins = np.clip(((ratios + RANGE) / BIN).astype(int), 0, count - 1)
    bins += np.arange(len(ratios))[:, None] * count
    heights = np.bincount(bins.ravel(), minlength=count * len(ratios)).reshape(-1, count)
    heights[:, [0, -1]] = 0  # all that lies beyond
    three = heights[:, :-2] + heights[:, 1:-1] + heights[:, 2:]
    return (three.argmax(1) + 1.5) * BIN - RANGE
