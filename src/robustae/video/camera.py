"""What stands between a scene and its frames: haze or darkness, noise, a camera that shakes.

Frames are stretched where the picture has little contrast, blurred where the noise is strong, and aligned
where the camera shakes. A scene is fitted to frames so mended and compared with frames so mended; for most
films nothing of it is needed.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from robustae.video.pixels import levels
from robustae.video.registration import Reference, correlation, signature

__all__ = ["STEADY", "Camera", "aligned", "camera_of"]

ENOUGH = 24  # frames that tell what camera it is
CONTRAST = 200.0  # grey levels between the darkest and the brightest pixels of the frames that are enough
ENDS, EXTREME = 0.005, 1e-4  # of the pixels are dark and bright; hardly any is beyond
WHITE = 255.0
LARGE = 2**14  # values of a frame, from which every second row and column is enough
FEW = 8  # of these, after which a camera that stands still is known
MOST_STRETCH = 6.0
WORTH_STRETCH = 2.5
BLACK = 60.0  # grey level, of the darkest after stretching, at most
QUIET = 6.0  # grey levels of noise that blurring is not worth
WANTED = 5.0  # grey levels of noise that are left after it
LEAST_BLUR, MOST_BLUR = 0.7, 2.0  # pixels
SHAKES = 0.3  # pixels: deviation of the shifts
ALIKE = 0.6  # of that deviation is how the picture's halves differ, at most
BETTER = 0.95  # of the cost of residuals is left by aligning, at most
SAME_TAKE = 0.3  # correlation of two frames of one take at least, noise and night allowed for
LEAST_SIDE = 32  # pixels, below which nothing is aligned


@dataclass(frozen=True)
class Camera:
    """How frames are mended.

    Attributes
    ----------
    darkest : float
        Grey level of the darkest parts.
    black : float
        Grey level that these become by stretching.
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
    black: float = 0.0
    stretch: float = 1.0
    blur: float = 0.0
    shaking: bool = False
    shift: float = 0.0

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
    camera = _contrast(some)
    some = camera.stretched(some)
    noise = noise_of(some)
    if noise > QUIET:
        # Gaussians of deviation s leave 1 / (2 s sqrt(pi)) of white noise.
        blur = float(np.clip(noise / (2 * np.sqrt(np.pi) * WANTED), LEAST_BLUR, MOST_BLUR))
        camera = replace(camera, blur=blur)
    shift = _shift(some) if stabilise and min(some.shape[1:3]) >= LEAST_SIDE else 0.0
    return replace(camera, shaking=shift > SHAKES, shift=shift)


def _contrast(frames: np.ndarray) -> Camera:
    """Of frames, not of the picture: a foreground of good contrast before a plain sky needs no stretching."""
    step = 1 + (frames[0].size > LARGE)
    some = frames[:, ::step, ::step]
    darkest, dark, bright, brightest = np.quantile(some, (EXTREME, ENDS, 1 - ENDS, 1 - EXTREME))
    room = WHITE / max(brightest - darkest, 1)
    stretch = float(np.clip(min(CONTRAST / max(bright - dark, 1), room), 1, MOST_STRETCH))
    if stretch < WORTH_STRETCH:
        return STEADY
    black = min(BLACK, stretch * darkest, WHITE - stretch * (brightest - darkest))
    return Camera(float(darkest), float(black), stretch)


def noise_of(frames: np.ndarray) -> float:
    """Deviation of a camera's white noise, grey levels: of successive frames' differences, edges left out."""
    found = []
    for first, second in zip(frames[:-1], frames[1:], strict=True):
        difference = second.astype(np.float32) - first
        corners = np.diff(np.diff(difference, axis=1), axis=0)
        found.append(np.median(np.abs(corners)) / (0.6745 * np.sqrt(8)) if corners.size else 0.0)
    return float(np.median(found)) if found else 0.0


def _shift(frames: np.ndarray) -> float:
    """Deviation of the camera's shifts in pixels; 0 unless both halves of the picture move alike.

    And gain by it: water and leaves do not.
    """
    frames = _of_one_take(frames)
    middle = frames.shape[2] // 2
    halves = _Half(frames[:, :, :middle]), _Half(frames[:, :, middle:])
    if len(frames) > 2 * FEW and _together(*(half.some(FEW) for half in halves)) < SHAKES / 2:
        return 0.0
    together = _together(*halves)
    apart = _deviation(halves[0].shifts - halves[1].shifts) / 2
    if apart >= ALIKE * together:
        return 0.0
    return together if np.mean([half.left for half in halves]) < BETTER else 0.0


def _of_one_take(frames: np.ndarray) -> np.ndarray:
    """Those that show what the middle one does: another take is no shift."""
    signatures = [signature(frame) for frame in frames]
    middle = signatures[len(frames) // 2]
    return frames[[correlation(middle, other) > SAME_TAKE for other in signatures]]


class _Half:
    """Frames of a half of the picture, and how they have moved."""

    def __init__(self, frames: np.ndarray):
        self.frames = frames
        self._reference = Reference(frames[len(frames) // 2])

    def some(self, count: int) -> "_Half":
        return _Half(self.frames[:: len(self.frames) // count])

    @cached_property
    def _moves(self) -> list[np.ndarray]:
        return [self._reference.move_of(frame) for frame in self.frames]

    @property
    def shifts(self) -> np.ndarray:
        """Against the middle frame, shape (n, 2)."""
        return np.array(self._moves)[:, :2]

    @property
    def left(self) -> float:
        """The share of the residuals' cost that they leave."""
        pairs = zip(self.frames, self._moves, strict=True)
        return float(np.median([self._reference.left(frame, move) for frame, move in pairs]))


def _together(left: _Half, right: _Half) -> float:
    """Deviation of what is common to both."""
    return _deviation(left.shifts + right.shifts) / 2


def _deviation(shifts: np.ndarray) -> float:
    """Robust, of the direction that varies more."""
    spread = np.median(np.abs(shifts - np.median(shifts, axis=0)), axis=0)
    return float(spread.max()) / 0.6745


def aligned(frames: np.ndarray) -> np.ndarray:
    """Return frames (n, height, width, c) of bytes aligned with the middle one, then with their median."""
    found, picture = frames, frames[len(frames) // 2]
    for _ in range(2):
        reference = Reference(picture)
        found = np.stack([reference.aligned(frame) for frame in frames])
        picture = np.median(found[:: max(1, len(found) // ENOUGH)], axis=0)
    return found
