"""Light that changes for the whole picture: one gain a frame, which foreground cannot pull.

The gain is the mode of the logarithms of frame / background over the pixels: most of the picture is
multiplied by it, whoever walks through is not. It is looked for near 1, and where nothing agrees there
further off and within the noise of a night.
"""

from typing import Any

import numpy as np

from robustae.video.grid import some_of

__all__ = ["Light", "gains", "gains_of", "goes_far"]

OFFSET = 4.0  # grey levels: dark pixels say little about gain
RANGE, BIN = 0.4, 0.01  # of log gains
WINDOWS = (0.06, 0.04, 0.03)
AGREE = 0.35  # share of the picture that must agree, else it is looked at twice
DARKEST, BRIGHTEST = 25, 245
PIXELS, FEWER = 3000, 1000  # are enough; for gains that are far off
SURE = 0.5  # share of the picture that agrees with one gain: with no other then
LEAST_PIXELS = 16
STEADY = 1.5  # how much less a gain of e counts than one of 1: a lamp that lights a half is no gain
FAR = (0.0, -0.5, -1.0, -1.5, -2.0, 0.5, 1.0)  # log gains, around which it is looked for then
NOISE = 5.0  # grey levels, within which pixels agree with these
LEAST, LEAST_GREY = 0.12, 0.3  # share that must agree in all colours, and where there are none, ...
TIMES = 2.0  # ... as a multiple of what agrees with 1
SLIGHT = 0.1  # log gain that is not worth a doubt
COLOURLESS = 4.0  # grey levels between the channels
ENOUGH = 60  # frames for a median
BRIGHT, FAR_APART = 0.95, 1.3  # share of the frames that are darker than a bright one; times the dark ones


class Light:
    """A picture's pixels that tell gains, picked once.

    Parameters
    ----------
    picture : array, shape (height, width, c)
        The background, grey levels from 0 to 255.
    most : int
        Pixels.
    """

    def __init__(self, picture: np.ndarray, most: int = PIXELS):
        grey = _grey(picture)
        usable = np.flatnonzero((grey > DARKEST) & (grey < BRIGHTEST))
        self.pixels = usable[some_of(len(usable), most)]
        self.grey = grey[self.pixels].astype(np.float32)
        self._few = some_of(len(self.pixels), FEWER)
        self._colours = picture.reshape(len(grey), -1)[self.pixels[self._few]].astype(np.float32)

    def gains(self, frames: np.ndarray) -> np.ndarray:
        """Return by how much frames (n, height, width, c) are brighter, shape (n,); 1 if none agree."""
        return self.gains_and_shares(frames)[0]

    def gains_and_shares(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gains, and the share of the pixels that agree with what is near 1, shape (n,)."""
        if len(self.pixels) < LEAST_PIXELS:
            return np.ones(len(frames), np.float32), np.zeros(len(frames))
        pixels = frames.reshape(len(frames), -1, frames.shape[-1])[:, self.pixels]
        logs = np.log(_grey(pixels).reshape(len(frames), -1) + OFFSET)
        centres = _nearer(logs, self.grey, _modes(logs - _logs(self.grey, 0), STEADY)[0])
        agree = (np.abs(logs - _logs(self.grey, centres)) < WINDOWS[-1]).mean(1)
        for k in np.flatnonzero(agree < AGREE):
            centres[k] = self._sure(pixels[k, self._few], logs[k, self._few], centres[k])
        return np.exp(centres).astype(np.float32), agree

    def _sure(self, pixels: np.ndarray, logs: np.ndarray, near: float) -> float:
        """The log gain of one frame, also where it is far off; 0 if too few pixels agree in all colours."""
        grey, starts = self.grey[self._few], np.array(FAR, np.float32)
        modes, heights = _modes(logs - _logs(grey, starts), 0)
        best = heights.argmax()
        far = _nearer(logs[None], grey, starts[best] + modes[best : best + 1])[0]
        shares = {centre: self._agreeing(pixels, centre) for centre in (near, far)}
        found = max(shares, key=lambda centre: shares[centre])
        coloured = np.quantile(np.ptp(self._colours, axis=-1), 0.9) >= COLOURLESS
        least = max(LEAST if coloured else LEAST_GREY, TIMES * self._agreeing(pixels, 0.0))
        return found if shares[found] >= least and abs(found) > SLIGHT else 0.0

    def _agreeing(self, pixels: np.ndarray, centre: float) -> float:
        """The share of pixels (few, c) that a log gain explains, in all channels, noise allowed for."""
        expected = np.log(np.exp(centre) * self._colours + OFFSET)
        off = np.abs(np.log(pixels + OFFSET) - expected) - NOISE * np.exp(-expected)
        return float((off.max(-1) < WINDOWS[-1]).mean())


def _nearer(logs: np.ndarray, grey: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Means of what is near, in windows that shrink, shape (n,)."""
    for window in WINDOWS:
        left = logs - _logs(grey, centres)
        near = np.abs(left) < window
        centres = centres + (left * near).sum(1) / np.maximum(near.sum(1), 1)
    return centres


def _logs(grey: np.ndarray, centres: Any) -> np.ndarray:
    """Logarithms of the picture by log gains, (n, pixels)."""
    return np.log(np.exp(np.float32(centres))[..., None] * grey + OFFSET)


def gains(frames: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Return the gains of frames over a picture, shape (n,)."""
    return Light(picture).gains(frames)


def gains_of(frames: np.ndarray) -> np.ndarray:
    """Return the gains of frames in order, over what most of them show, shape (n,).

    From each to the next most of the picture is the same; so light is followed where it goes far. Where
    it does not, that is no more than errors that add up.
    """
    light, agree = Light(np.median(frames, axis=0)).gains_and_shares(frames)
    if agree.min() > SURE and not goes_far(light):
        return light
    pairs = zip(frames[:-1], frames[1:], strict=True)
    steps = [Light(before, FEWER).gains(after[None])[0] for before, after in pairs]
    followed = _over_usual(np.cumprod([1.0, *steps]).astype(np.float32))
    if not goes_far(followed):
        return light
    even = frames / followed[:, None, None, None]
    return _over_usual(followed * gains(even, np.median(even[:: -(-len(even) // ENOUGH)], axis=0)))


def goes_far(light: np.ndarray) -> bool:
    """Whether gains are so different that what is white in some frames is not in others."""
    return bool(light.max() >= FAR_APART * light.min())


def _over_usual(light: np.ndarray) -> np.ndarray:
    """Gains over what is usual; where they go far, over a bright frame's, which shows most."""
    low, usual, high = np.quantile(light, (1 - BRIGHT, 0.5, BRIGHT))
    return light / np.float32(high if high > FAR_APART * low else usual)


def _grey(images: np.ndarray) -> np.ndarray:
    """The mean over the channels, flat."""
    channels = [images[..., k].ravel() for k in range(images.shape[-1])]
    return np.add.reduce(channels, dtype=np.float32) / np.float32(len(channels))


def _modes(ratios: np.ndarray, steady: float) -> tuple[np.ndarray, np.ndarray]:
    """Middle and height of the fullest three neighbouring bins of each row, those around 0 preferred."""
    count = round(2 * RANGE / BIN)
    bins = np.clip(((ratios + RANGE) / BIN).astype(int), 0, count - 1)
    bins += np.arange(len(ratios))[:, None] * count
    heights = np.bincount(bins.ravel(), minlength=count * len(ratios)).reshape(-1, count)
    heights[:, [0, -1]] = 0  # all that lies beyond
    three = heights[:, :-2] + heights[:, 1:-1] + heights[:, 2:]
    centres = ((np.arange(count - 2) + 1.5) * BIN - RANGE).astype(np.float32)
    valued = three * (1 - steady * np.abs(centres))
    return centres[valued.argmax(1)], valued.max(1)
