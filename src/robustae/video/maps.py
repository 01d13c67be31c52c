"""From residuals to what people look at: a smooth score for each pixel, the mask, and blobs in it.

The score is in noise deviations: the root of a pixel's largest residual over its channels, smoothed by a
Gaussian (which keeps single bright pixels from deciding), squared again and divided by the noise. Where a
pixel is evenly darker than the background in all colours it is likely a shadow and counts less.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from robustae.utils.checks import InputError
from robustae.video.grid import loudest
from robustae.video.scene import CUT

__all__ = ["MaskSettings", "boxes_of", "masks_of", "scores_of"]

SIGMAS = 2.0  # where the Gaussian ends
WIDE = 3.0  # pixels, from which it is taken on pictures of half the size
LEAST_SMOOTH, MOST_SMOOTH, SMOOTH_SHARE = 1.5, 4.0, 1 / 200  # pixels; of the longest side
BLOB_SHARE = 3e-4  # of the picture
DARKEST, EVEN = 0.55, 0.11  # of shadows: how dark at most, and how different the channels' ratios may be
SHADOW = 0.36  # what a shadow's residual is multiplied by
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


def scores_of(
    frames: np.ndarray, backgrounds: np.ndarray, noise: float, settings: MaskSettings
) -> np.ndarray:
    """Return the scores of all pixels, float32 of shape (n, height, width), larger = more foreground.

    Parameters
    ----------
    frames, backgrounds : arrays, shape (n, height, width, c)
        Grey levels.
    noise : float
        Deviation of the residuals of background, grey levels.
    settings : MaskSettings
        As from `at`.
    """
    size = loudest(frames - backgrounds)
    if settings.shadows and frames.shape[-1] == 3:
        _discount_shadows(size, frames, backgrounds, noise)
    root = _smoothed(np.sqrt(size, out=size), float(settings.smooth))
    return np.multiply(root, root, out=root) / np.float32(noise)


def _discount_shadows(size: np.ndarray, frames: np.ndarray, backgrounds: np.ndarray, noise: float) -> None:
    """Multiply in place where all channels are darker by the same factor; noise is left alone.

    Never in grey clips, which have but one channel.
    """
    places = np.flatnonzero(size > noise)
    above, below = (images.reshape(-1, 3)[places] + np.float32(OFFSET) for images in (frames, backgrounds))
    red, green, blue = (above / below).T
    low, high = np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
    shadow = (high < 1) & (low > DARKEST) & (high - low < EVEN * high)
    size.reshape(-1)[places[shadow]] *= np.float32(SHADOW)


def _smoothed(images: np.ndarray, deviation: float) -> np.ndarray:
    if deviation == 0:
        return images
    if deviation >= WIDE:
        return _halved(images, deviation)
    reach = max(1, round(SIGMAS * deviation))
    taps = np.exp(-0.5 * (np.arange(reach + 1) / deviation) ** 2).astype(np.float32)
    taps /= taps[0] + 2 * taps[1:].sum()
    return _along(_along(images, taps, 1), taps, 2)


def _halved(images: np.ndarray, deviation: float) -> np.ndarray:
    """Wide Gaussians on pictures of half the size: four times fewer pixels and half the taps."""
    _, height, width = images.shape
    even = np.pad(images, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    rows = even[:, ::2] + even[:, 1::2]
    small = (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)
    large = _smoothed(small, deviation / 2).repeat(2, axis=1).repeat(2, axis=2)
    return np.ascontiguousarray(large[:, :height, :width])


def _along(images: np.ndarray, taps: np.ndarray, axis: int) -> np.ndarray:
    """Symmetric taps along one axis, the border repeated."""
    reach, side = len(taps) - 1, images.shape[axis]
    beyond = [(reach, reach) if k == axis else (0, 0) for k in range(3)]
    padded = np.pad(images, beyond, mode="edge")

    def shifted(by: int) -> np.ndarray:
        window = [slice(None)] * 3
        window[axis] = slice(reach + by, reach + by + side)
        return padded[tuple(window)]

    total = taps[0] * images
    for by in range(1, reach + 1):
        total += taps[by] * (shifted(-by) + shifted(by))
    return total


def masks_of(scores: np.ndarray, settings: MaskSettings) -> tuple[np.ndarray, list[list[tuple[int, ...]]]]:
    """Return masks (n, height, width) without small regions, and the regions' boxes by frame."""
    masks = scores > settings.cut
    return masks, [_blobs(mask, int(settings.least_blob)) for mask in masks]


def _blobs(mask: np.ndarray, least: int) -> list[tuple[int, ...]]:
    """Clear small regions of a mask in place; boxes (x, y, width, height) of the others, largest first."""
    from scipy.ndimage import find_objects, label

    if not mask.any():
        return []
    found_regions: Any = label(mask, structure=np.ones((3, 3)))
    regions, count = found_regions
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    small = sizes < least
    small[0] = False
    mask &= ~small[regions]
    found = find_objects(regions)
    order = [k for k in np.argsort(-sizes[1:], kind="stable") if not small[k + 1]]
    return [_box(found[k]) for k in order]


def _box(place: Any) -> tuple[int, ...]:
    rows, columns = place
    return columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start


def boxes_of(boxes: list[tuple[int, ...]]) -> str:
    """Write boxes as text: "x,y,width,height;..."."""
    return ";".join(",".join(map(str, box)) for box in boxes)
