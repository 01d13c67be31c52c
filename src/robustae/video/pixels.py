"""What is done to every pixel: by OpenCV where it is installed, else the same by NumPy and SciPy."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

__all__ = ["Box", "blurred", "difference", "levels", "regions", "scaled", "warped"]

Box = tuple[int, int, int, int]  # x, y, width, height
SIGMAS = 2.0  # where the Gaussian ends


@cache
def _opencv() -> Any:
    return import_module("cv2") if find_spec("cv2") is not None else None


def difference(frame: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Largest absolute difference over the channels of two pictures of bytes (h, w, c), bytes (h, w)."""
    cv2, c = _opencv(), frame.shape[-1]
    if cv2 is None:
        sizes = [_apart(frame[..., k], background[..., k]) for k in range(c)]
        return np.maximum.reduce(sizes)
    channels = cv2.split(cv2.absdiff(frame, background))
    return channels[0] if c == 1 else cv2.max(cv2.max(channels[0], channels[1]), channels[2])


def _apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.maximum(first, second) - np.minimum(first, second)


def levels(pictures: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Look up bytes of any shape in a table of 256 values."""
    cv2 = _opencv()
    return table[pictures] if cv2 is None else cv2.LUT(pictures, table).reshape(pictures.shape)


def scaled(picture: np.ndarray, factor: float) -> np.ndarray:
    """Round factor x picture of non-negative values to bytes."""
    cv2 = _opencv()
    if cv2 is None:
        return np.clip(np.rint(picture * np.float32(factor)), 0, 255).astype(np.uint8)
    return cv2.convertScaleAbs(picture, alpha=float(factor)).reshape(picture.shape)


def blurred(picture: np.ndarray, deviation: float) -> np.ndarray:
    """Blur (h, w[, c]) by a Gaussian of a deviation in pixels, the border repeated; bytes stay bytes."""
    cv2, reach = _opencv(), max(1, round(SIGMAS * deviation))
    if deviation == 0:
        return picture
    if cv2 is not None:
        side = (2 * reach + 1, 2 * reach + 1)
        found = cv2.GaussianBlur(picture, side, deviation, borderType=cv2.BORDER_REPLICATE)
        return found.reshape(picture.shape)
    from scipy.ndimage import correlate1d

    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    values: Any = picture.astype(np.float32)
    for axis in (0, 1):
        values = correlate1d(values, taps / taps.sum(), axis=axis, mode="nearest")
    return values if picture.dtype.kind == "f" else np.rint(values).astype(picture.dtype)


def warped(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Move a picture (h, w[, c]): at (x, y) is what was at matrix (2, 3) times (x, y, 1), bilinear.

    The border is repeated.
    """
    cv2, (height, width) = _opencv(), picture.shape[:2]
    if cv2 is not None:
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        found = cv2.warpAffine(picture, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
        return found.reshape(picture.shape)
    from scipy.ndimage import affine_transform

    if picture.ndim == 3:
        return np.stack([warped(picture[..., k], matrix) for k in range(picture.shape[2])], axis=-1)
    rows_first: Any = matrix[::-1, [1, 0, 2]]
    values: Any = affine_transform(
        picture.astype(np.float32), rows_first[:, :2], rows_first[:, 2], order=1, mode="nearest"
    )
    return values if picture.dtype.kind == "f" else np.rint(values).astype(picture.dtype)


def regions(mask: np.ndarray, least: int) -> tuple[np.ndarray, list[Box]]:
    """Return a mask (h, w) without regions smaller than `least` pixels, and the others' boxes, largest first.

    Pixels that touch, also at a corner, are one region.
    """
    if not mask.any():
        return mask, []
    places, boxes, sizes = _labelled(mask)
    small = sizes < least
    small[0] = True
    order = [k for k in np.argsort(-sizes, kind="stable").tolist() if not small[k]]
    kept = (~small)[places] if small[1:].any() else mask
    return kept, [boxes[k] for k in order]


def _labelled(mask: np.ndarray) -> tuple[np.ndarray, list[Box], np.ndarray]:
    """Number of each pixel's region (0 is none), and box and size of every number."""
    cv2 = _opencv()
    if cv2 is not None:
        _, places, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
            mask.view(np.uint8),
            8,
            cv2.CV_32S,
            cv2.CCL_GRANA,  # by far the quickest with 32 bits
        )
        return places, [tuple(map(int, row[:4])) for row in stats], stats[:, 4]  # type: ignore[misc]
    from scipy.ndimage import find_objects, label

    found: Any = label(mask, structure=np.ones((3, 3)))
    boxes = [
        (across.start, down.start, across.stop - across.start, down.stop - down.start)
        for down, across in find_objects(found[0])
    ]
    return found[0], [(0, 0, 0, 0), *boxes], np.bincount(found[0].ravel(), minlength=found[1] + 1)
