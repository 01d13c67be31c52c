"""What stands between a scene and its frames: haze or darkness, noise, a camera that shakes.

Frames are stretched where the picture has little contrast, blurred where the noise is strong, and aligned
where the camera shakes. A scene is fitted to frames so mended and compared with frames so mended; for most
films nothing of it is needed.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from robustae.video.pixels import levels
from robustae.video.registration import Reference

__all__ = ["STEADY", "Camera", "aligned", "camera_of"]

ENOUGH = 30  # frames that tell what camera it is
CONTRAST = 120.0  # grey levels from the darkest to the brightest fiftieth of the picture that are enough
MOST_STRETCH = 6.0
WORTH_STRETCH = 1.5
BLACK = 60.0  # grey level, of the darkest fiftieth after stretching, at most
QUIET = 6.0  # grey levels of noise that blurring is not worth
WANTED = 5.0  # grey levels of noise that are left after it
LEAST_BLUR, MOST_BLUR = 0.7, 2.0  # pixels
SHAKES = 0.3  # pixels: deviation of the shifts
BETTER = 0.92  # of the residuals' cost is left by aligning, at most
LEAST_SIDE = 16  # pixels, below which nothing is aligned


@dataclass(frozen=True)
class Camera:
    """How frames are mended.

    Attributes
    ----------
    darkest : float
        Grey level of the darkest parts.
    stretch : float
        What grey levels are multiplied by; 1 for pictures of good contrast.
    blur : float
        Deviation of the Gaussian that frames and backgrounds are blurred by before they are compared, pixels.
    shaking : bool
        Whether each frame is aligned with the picture.
    shift : float
        Deviation of the shifts that were found, pixels.
    """

    darkest: float = 0.0
    stretch: float = 1.0
    blur: float = 0.0
    shaking: bool = False
    shift: float = 0.0

    @property
    def black(self) -> float:
        """Grey level that `darkest` becomes."""
        return min(BLACK, self.stretch * self.darkest)

    def stretched(self, values: np.ndarray) -> np.ndarray:
        """Grey levels as they are compared; bytes stay bytes."""
        if self.stretch == 1:
            return values
        if values.dtype == np.uint8:
            return levels(values, self._table)
        return (values - np.float32(self.darkest)) * np.float32(self.stretch) + np.float32(self.black)

    @cached_property
    def _table(self) -> np.ndarray:
        return np.clip(np.rint(self.stretched(np.arange(256, dtype=np.float32))), 0, 255).astype(np.uint8)

    def plain(self, values: np.ndarray) -> np.ndarray:
        """Undo `stretched`, for float values."""
        if self.stretch == 1:
            return values
        return (values - np.float32(self.black)) / np.float32(self.stretch) + np.float32(self.darkest)


STEADY = Camera()


def camera_of(frames: np.ndarray, stabilise: bool = True) -> Camera:
    """Return what camera took these frames (n, height, width, c) of bytes.

    Parameters
    ----------
    stabilise : bool
        Whether it may be one that shakes.
    """
    some = frames[:: max(1, len(frames) // ENOUGH)]
    camera = _contrast(np.median(some, axis=0))
    some = camera.stretched(some)
    noise = noise_of(some)
    if noise > QUIET:
        # Gaussians of deviation s leave 1 / (2 s sqrt(pi)) of white noise.
        blur = float(np.clip(noise / (2 * np.sqrt(np.pi) * WANTED), LEAST_BLUR, MOST_BLUR))
        camera = replace(camera, blur=blur)
    shift, left = _shakes(some) if stabilise and min(some.shape[1:3]) >= LEAST_SIDE else (0.0, 1.0)
    shaking = shift > SHAKES and left < BETTER
    return replace(camera, shaking=shaking, shift=shift if shaking else 0.0)


def _contrast(picture: np.ndarray) -> Camera:
    darkest, brightest = np.quantile(picture.mean(-1), (0.02, 0.98))
    stretch = float(np.clip(CONTRAST / max(brightest - darkest, 1), 1, MOST_STRETCH))
    return Camera(float(darkest), stretch) if stretch > WORTH_STRETCH else STEADY


def noise_of(frames: np.ndarray) -> float:
    """Deviation of a camera's white noise, grey levels: of successive frames' differences, edges left out."""
    found = []
    for first, second in zip(frames[:-1], frames[1:], strict=True):
        difference = second.astype(np.float32) - first
        across = np.diff(difference, axis=1)
        found.append(np.median(np.abs(np.diff(across, axis=0))) / (0.6745 * np.sqrt(8)))
    return float(np.median(found)) if found else 0.0


def _shakes(frames: np.ndarray) -> tuple[float, float]:
    """Robust deviation of the shifts against the middle frame, and the share of the cost that aligning leaves."""
    reference = Reference(frames[len(frames) // 2])
    moves = np.array([reference.move_of(frame) for frame in frames])
    shifts = moves[:, :2]
    deviation = np.median(np.abs(shifts - np.median(shifts, axis=0)), axis=0) / 0.6745
    left = [reference.left(frame, move) for frame, move in zip(frames, moves, strict=True)]
    return float(deviation.max()), float(np.median(left))


def aligned(frames: np.ndarray) -> np.ndarray:
    """Return frames (n, height, width, c) of bytes aligned with the middle one, then with their median."""
    found, picture = frames, frames[len(frames) // 2]
    for _ in range(2):
        reference = Reference(picture)
        found = np.stack([reference.aligned(frame) for frame in frames])
        picture = np.median(found[:: max(1, len(found) // ENOUGH)], axis=0)
    return found
