"""From residuals to what people look at: a smooth score for each pixel, the mask, and blobs in it.

The score is in noise deviations: the root of a pixel's largest residual over its channels, smoothed by a
Gaussian (which keeps single bright pixels from deciding), squared again and divided by the noise. Where a
pixel is evenly darker than the background in all colours it is likely a shadow and counts less.

Frames and backgrounds are bytes, so residuals are whole grey levels and their roots come from a table.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.utils.checks import InputError
from robustae.video.pixels import Box, blurred, difference, levels, regions

__all__ = ["CUT", "MaskSettings", "boxes_in", "boxes_of", "mask_of", "root_of", "upper", "upper_by_pixel"]

CUT = 4.5  # noise deviations from which a pixel is foreground
ROOTS = np.sqrt(np.arange(256, dtype=np.float32))
LEAST_SMOOTH, MOST_SMOOTH, SMOOTH_SHARE = 1.5, 4.0, 1 / 200  # pixels; of the longest side
BLOB_SHARE = 3e-4  # of the picture
DARKEST, EVEN = 0.35, 0.11  # of shadows: how dark at most, and how different the channels' ratios may be
SHADOW = 0.36  # what a shadow's residual is multiplied by
FROM = 2.0  # noise deviations: a shadow that is fainter decides nothing
ABOVE, BINS = 6.0, 160  # deviations of the roots of background's scores
OFFSET = 8.0  # grey levels, that keep ratios of dark pixels near 1


@dataclass(frozen=True)
class MaskSettings:
    """How a mask is made.

    Attributes
    ----------
    cut : float
        Noise deviations from which a pixel is foreground.
    smooth : float or "auto"
        Deviation of the Gaussian in pixels; "auto" is 1.5, or longest side / 200 up to 4.
    shadows : bool
        Whether shadows count less (in colour only).
    least_blob : int or "auto"
        Pixels of the smallest region that stays; "auto" is .03 % of the picture.
    """

    cut: float = CUT
    smooth: float | str = "auto"
    shadows: bool = True
    least_blob: int | str = "auto"

    def at(self, height: int, width: int) -> "MaskSettings":
        """Return these settings, checked, "auto" replaced for frames of a size."""
        _positive("cut", self.cut)
        if not isinstance(self.shadows, bool | np.bool_):
            raise InputError(f"shadows={self.shadows!r} must be True or False.")
        smooth, blob = self.smooth, self.least_blob
        if smooth == "auto":
            smooth = min(MOST_SMOOTH, max(LEAST_SMOOTH, SMOOTH_SHARE * max(height, width)))
        elif smooth != 0:
            _positive("smooth", smooth)
        if blob == "auto":
            blob = round(BLOB_SHARE * height * width)
        elif blob != 0:
            _positive("least_blob", blob)
        return MaskSettings(float(self.cut), float(smooth), bool(self.shadows), int(blob))


def _positive(name: str, value: Any) -> None:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not 0 < value < np.inf:
        raise InputError(f"{name}={value!r} must be a positive number.")


def root_of(frame: np.ndarray, background: np.ndarray, noise: Any, settings: MaskSettings) -> np.ndarray:
    """Return the root of the score of all pixels, float32 of shape (height, width).

    Parameters
    ----------
    frame, background : arrays of uint8, shape (height, width, c)
    noise : float, or array of shape (height, width)
        Deviation of the residuals of background, grey levels.
    settings : MaskSettings
        As from `at`; `shadows` only for coloured scenes.
    """
    size = difference(frame, background)
    root = levels(size, ROOTS) / np.sqrt(np.float32(noise))
    if settings.shadows and frame.shape[-1] == 3:
        places = np.flatnonzero(size > FROM * float(np.min(noise)))
        root.reshape(-1)[places[_in_shadow(frame, background, places)]] *= np.float32(np.sqrt(SHADOW))
    return blurred(root, float(settings.smooth))


def _in_shadow(frame: np.ndarray, background: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Whether all channels are darker by the same factor, at some places."""
    above, below = (image.reshape(-1, 3)[places] + np.float32(OFFSET) for image in (frame, background))
    red, green, blue = (above / below).T
    low, high = np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
    return (high < 1) & (low > DARKEST) & (high - low < EVEN * high)


def upper(roots: np.ndarray) -> float:
    """What background hardly exceeds, told by the mode and by how far values lie below it."""
    counts, edges = np.histogram(roots, BINS, (0.0, 16.0))
    three = counts[:-2] + counts[1:-1] + counts[2:]
    mode = (edges[three.argmax() + 1] + edges[three.argmax() + 2]) / 2
    below = mode - roots[roots < mode]
    return float(mode + ABOVE * np.sqrt(np.mean(below**2)))


def upper_by_pixel(roots: np.ndarray) -> float:
    """The same of most pixels, by their own frames (n, height, width): one part may be calmer than another.

    Where pixels are mostly covered it is too much, as `upper` is where parts differ; neither is too little.
    """
    usual = np.median(roots, axis=0)
    below = np.minimum(roots - usual, 0)
    count = np.maximum((below < 0).sum(0), 1)
    return float(np.median(usual + ABOVE * np.sqrt((below**2).sum(0) / count)))


def mask_of(root: np.ndarray, settings: MaskSettings) -> tuple[np.ndarray, list[Box]]:
    """Return the mask (height, width) without small regions, and the regions' boxes, largest first."""
    return regions(root > np.float32(np.sqrt(settings.cut)), int(settings.least_blob))


def boxes_of(boxes: list[Box]) -> str:
    """Write boxes as text: "x,y,width,height;..."."""
    return ";".join(",".join(map(str, box)) for box in boxes)


def boxes_in(text: str) -> list[Box]:
    """Undo `boxes_of`."""
    return [tuple(map(int, box.split(","))) for box in text.split(";") if box]  # type: ignore[misc]
