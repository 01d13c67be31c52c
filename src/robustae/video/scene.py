"""The robust autoencoder of a scene: a bare picture, its light, and a few components that change it.

    Xhat = g (picture + z_1 V_1 + ... + z_K V_K)        g and z told frame by frame, by inlying pixels alone
    J    = sum over pixels of min(s^2, (lam / 2)^2)     s the largest residual of a pixel's channels

N takes whole pixels: all of the residual where s > lam / 2 (a hard threshold), which leaves this J. It is
not convex, so the start decides where it ends: `start` finds a bare picture.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from robustae.utils.checks import InputError
from robustae.video.changes import Changes, codes_of, components_of, refined
from robustae.video.grid import grid_for, loudest
from robustae.video.light import Light, gains
from robustae.video.start import bare_picture

__all__ = ["CUT", "Scene", "scene_of"]

CUT = 4.5  # noise deviations from which a pixel is foreground
FAINT = 5.0  # grey levels: the noise is taken for no less, as less is not seen
LEAST_FRAMES = 2
ENOUGH = 50  # frames to tell the noise
SOME = 100  # frames to tell components
ROUNDS = 2
LARGEST, LEAST_NOISE = 1e6, 1.0  # grey levels, of what a file may hold


@dataclass(frozen=True)
class Scene:
    """A fitted scene.

    Attributes
    ----------
    picture : array of float32, shape (height, width, c)
        The bare background, grey levels from 0 to 255.
    components : array of float32, shape (K, height, width, c)
    noise : float
        Robust size of the inlying residuals (of a pixel's loudest channel: the median / .6745), grey levels,
        at least 5.
    pixel_noise : array of float32, shape (height, width)
        The same for each pixel, without a least.
    """

    picture: np.ndarray
    components: np.ndarray
    noise: float
    pixel_noise: np.ndarray

    @cached_property
    def light(self) -> Light:
        """What tells by how much frames are brighter than the picture."""
        return Light(self.picture)

    @property
    def hidden_(self) -> int:
        """K."""
        return len(self.components)

    @property
    def lam_(self) -> float:
        """Twice the size of residuals, in grey levels, from which N takes a pixel."""
        return 2 * CUT * self.noise

    @property
    def least(self) -> float:
        """What the noise is taken for at least, grey levels."""
        return FAINT

    @property
    def moving(self) -> bool:
        """True where the background is more than one picture and its light."""
        return self.hidden_ > 0

    def backgrounds(self, frames: np.ndarray) -> np.ndarray:
        """Return the background of each frame, float32 of the frames' shape (n, height, width, c)."""
        light = self.light.gains(frames)[:, None, None, None]
        if not self.moving:
            return light * self.picture
        rows = (frames / light - self.picture).reshape(len(frames), -1)
        codes = codes_of(rows, self.components.reshape(self.hidden_, -1))
        return light * (self.picture + np.tensordot(codes, self.components, axes=1))

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file of it holds."""
        return {
            "scene.picture": self.picture,
            "scene.components": self.components,
            "scene.noise": np.array([self.noise]),
            "scene.pixel_noise": self.pixel_noise,
        }

    @classmethod
    def of(cls, arrays: dict[str, Any]) -> "Scene":
        """Undo `arrays`."""
        names = ("picture", "components", "noise", "pixel_noise")
        if any(f"scene.{name}" not in arrays for name in names):
            raise InputError("model: it is not that of a scene; robustae video writes one.")
        picture, components, noise, pixel_noise = (arrays[f"scene.{name}"] for name in names)
        _check_parts(picture, components, noise, pixel_noise)
        return cls(picture, components, float(noise[0]), pixel_noise)


def _check_parts(
    picture: np.ndarray, components: np.ndarray, noise: np.ndarray, pixel_noise: np.ndarray
) -> None:
    """Refuse arrays that no scene has; they may come from any file."""
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or not picture.size:
        raise InputError(f"model: its picture is of shape {picture.shape}, not (height, width, channels).")
    shapes = components.shape[1:], noise.shape, pixel_noise.shape
    parts = (picture, components, noise, pixel_noise)
    if shapes != (picture.shape, (1,), picture.shape[:2]) or any(p.dtype.kind != "f" for p in parts):
        raise InputError("model: the parts of the scene do not fit together.")
    if not all((np.abs(part) < LARGEST).all() for part in parts) or noise[0] < LEAST_NOISE:
        raise InputError("model: the scene holds numbers that no picture has.")


def scene_of(frames: np.ndarray) -> Scene:
    """Fit a scene to frames spread over a clip, foreground among them.

    Parameters
    ----------
    frames : array of uint8, shape (n, height, width, c)

    Raises
    ------
    InputError
        If there are fewer than two frames.
    """
    if len(frames) < LEAST_FRAMES:
        raise InputError(
            f"frames: {len(frames)} is too few to tell background from foreground; give 2 or more."
        )
    picture, components = _components(frames, bare_picture(frames))
    scene = Scene(picture, components, FAINT, np.zeros(picture.shape[:2], np.float32))
    noise = _pixel_noise(scene, frames[:: max(1, len(frames) // ENOUGH)])
    return Scene(picture, components, max(FAINT, float(np.median(noise))), noise)


def _components(frames: np.ndarray, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture, corrected where it must be, and its components."""
    frames = frames[:: max(1, len(frames) // SOME)]
    grid = grid_for(*picture.shape[:2])
    light = gains(frames, picture)
    small = 255 * grid.small(frames) / light[:, None, None, None]
    found = components_of(small - 255 * grid.small(picture[None]))
    if not len(found.components):
        return picture, np.zeros((0, *picture.shape), np.float32)
    start = np.stack([found.correction, *found.components]).reshape(-1, *small.shape[1:])
    start = np.stack([grid.enlarged(one) / 255 for one in start])
    corrected = _sharpened(frames / light[:, None, None, None] - picture, found.codes, start)
    return picture + corrected[0], corrected[1:]


def _sharpened(residuals: np.ndarray, codes: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Correction and components pixel by pixel, for the codes that small pictures gave."""
    result = np.empty_like(start)
    for row in range(start.shape[1]):
        rows, part = (images[:, row].reshape(len(images), -1) for images in (residuals, start))
        found = Changes(codes, part[1:], part[0])
        for _ in range(ROUNDS):
            found = refined(rows, found)
        result[:, row] = np.stack([found.correction, *found.components]).reshape(result[:, row].shape)
    return result


def _pixel_noise(scene: Scene, frames: np.ndarray) -> np.ndarray:
    """The median of each pixel's inlying residuals, as a deviation."""
    sizes = np.stack([loudest(frame - scene.backgrounds(frame[None])[0]) for frame in frames])
    sizes[sizes > CUT * FAINT] = np.nan
    return _nan_median(sizes) / np.float32(0.6745)


def _nan_median(sizes: np.ndarray) -> np.ndarray:
    """0 where a pixel is never inlying."""
    ordered = np.sort(sizes, axis=0)
    seen = np.isfinite(sizes).sum(0)
    middle = np.take_along_axis(ordered, np.maximum(seen - 1, 0)[None] // 2, axis=0)[0]
    return np.where(seen > 0, middle, 0).astype(np.float32)
