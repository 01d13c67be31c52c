"""The robust autoencoder of a scene: a bare picture, its light, and a few components that change it.

    Xhat = g (picture + z_1 V_1 + ... + z_K V_K)        g and z told frame by frame, by inlying pixels alone
    J    = sum over pixels of min(s^2, (lam / 2)^2)     s the largest residual of a pixel's channels

N takes whole pixels: all of the residual where s > lam / 2 (a hard threshold), which leaves this J. It is
not convex, so the start decides where it ends: `start` finds a bare picture.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from robustae.utils.checks import InputError
from robustae.video.camera import STEADY, Camera
from robustae.video.changes import codes_of
from robustae.video.light import Light
from robustae.video.maps import CUT, MaskSettings, root_of, upper
from robustae.video.pixels import blurred, scaled, warped
from robustae.video.registration import Reference, inverse

__all__ = ["FAINT", "LOUD", "Scene", "View"]

DIM = 0.9  # gain, below which the noise of a frame is its own
FAINT = 5.0  # grey levels: the noise is taken for no less, as less is not seen
LOUD = 20.0  # grey levels, beyond which most of the picture is not background
COLOURLESS = 4.0  # grey levels between the channels of all but a hundredth of the picture
LARGEST, LEAST_NOISE = 1e6, 1e-2  # grey levels, of what a file may hold


class View(NamedTuple):
    """A frame as it is compared with its background.

    Attributes
    ----------
    frame, background : arrays of uint8, shape (height, width, c)
        Both mended as the camera needs it.
    noise : float or array, shape (height, width)
        Grey levels of these.
    gain : float
        By how much the frame is brighter than the picture of the scene.
    back : array, shape (2, 3), or None
        Leads from places in the frame to those here, where the camera shakes.
    shown : array of uint8, shape (height, width, c), or None
        The background of the frame as it came, where that is at hand.
    """

    frame: np.ndarray
    background: np.ndarray
    noise: Any
    gain: float = 1.0
    back: np.ndarray | None = None
    shown: np.ndarray | None = None

    def root(self, settings: MaskSettings) -> np.ndarray:
        """Return the root of the score, shape (height, width), at the places of the frame as it came."""
        root = root_of(self.frame, self.background, self.noise, settings)
        if self.gain < DIM:
            # What is there is fainter too; but the frame's own noise need not be.
            root /= np.sqrt(np.clip(upper(root) ** 2 / CUT, self.gain, 1), dtype=np.float32)
        return root if self.back is None else warped(root, self.back)


@dataclass(frozen=True)
class Scene:
    """A fitted scene.

    Attributes
    ----------
    picture : array of float32, shape (height, width, c)
        The bare background, grey levels from 0 to 255.
    components : array of float32, shape (K, height, width, c)
    noise : float
        Size of residuals that counts as one deviation, grey levels: `CUT` of it are foreground.
    restless : array of float32, shape (height, width)
        By how much the noise of a pixel exceeds that; 1 mostly.
    camera : Camera
    """

    picture: np.ndarray
    components: np.ndarray
    noise: float
    restless: np.ndarray
    camera: Camera = STEADY

    @cached_property
    def light(self) -> Light:
        """What tells by how much frames are brighter than the picture."""
        return Light(self._ground)

    @cached_property
    def _ground(self) -> np.ndarray:
        """The picture as frames are compared with it."""
        return np.maximum(self.camera.stretched(self.picture), 0).astype(np.float32)

    @cached_property
    def _reference(self) -> Reference:
        return Reference(self._ground)

    @cached_property
    def _unit(self) -> Any:
        """The noise in stretched grey levels, by pixel where some are restless."""
        unit = self.noise * self.camera.stretch
        return unit * self.restless if (self.restless > 1).any() else unit

    @cached_property
    def coloured(self) -> bool:
        """Whether there are colours, without which shadows are not told."""
        spread = self.picture.max(-1) - self.picture.min(-1)
        return bool(np.quantile(spread, 0.99) >= COLOURLESS)

    @property
    def hidden_(self) -> int:
        """K."""
        return len(self.components)

    @property
    def lam_(self) -> float:
        """Twice the size of residuals, in grey levels, from which N takes a pixel."""
        return 2 * CUT * self.noise

    @property
    def moving(self) -> bool:
        """True where the background is more than one picture and its light."""
        return self.hidden_ > 0 or self.camera.shaking

    def backgrounds(self, frames: np.ndarray) -> np.ndarray:
        """Return the background of each frame, float32 of the frames' shape (n, height, width, c)."""
        if self.camera.shaking:
            return np.concatenate([self._background_at(frame) for frame in frames])
        frames = self.camera.stretched(frames)
        return self.camera.plain(self._grounds(frames, self.light.gains(frames)))

    def _background_at(self, frame: np.ndarray) -> np.ndarray:
        """The background where the camera was at that frame, shape (1, height, width, c)."""
        straight, matrix = self._aligned(self.camera.stretched(frame))
        ground = self.camera.plain(self._grounds(straight[None], self.light.gains(straight[None])))[0]
        return warped(ground, inverse(matrix))[None]

    def _aligned(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        matrix = self._reference.matrix(self._reference.move_of(frame))
        return warped(frame, matrix), matrix

    def _grounds(self, frames: np.ndarray, light: np.ndarray) -> np.ndarray:
        """Backgrounds of mended frames of these gains."""
        light = light[:, None, None, None]
        if not self.hidden_:
            return light * self._ground
        rows = (frames / light - self._ground).reshape(len(frames), -1)
        components = self.camera.stretch * self.components
        codes = codes_of(rows, components.reshape(self.hidden_, -1))
        return light * (self._ground + np.tensordot(codes, components, axes=1))

    def views(self, frames: np.ndarray) -> Iterator[View]:
        """Yield frames of bytes (n, height, width, c) beside their backgrounds."""
        frames = self.camera.stretched(frames)
        if self.camera.shaking:
            yield from map(self._shaken_view, frames)
        else:
            yield from self._views(frames)

    def _shaken_view(self, frame: np.ndarray) -> View:
        straight, matrix = self._aligned(frame)
        view = next(self._views(straight[None]))
        return view._replace(back=inverse(matrix), shown=None)

    def _views(self, frames: np.ndarray) -> Iterator[View]:
        light = self.light.gains(frames)
        for frame, ground, gain in zip(frames, self._grounds_in_bytes(frames, light), light, strict=True):
            seen, behind = (blurred(part, self.camera.blur) for part in (frame, ground))
            shown = ground if self.camera.stretch == 1 else None
            yield View(seen, behind, self._unit, float(gain), shown=shown)

    def _grounds_in_bytes(self, frames: np.ndarray, light: np.ndarray) -> Iterator[np.ndarray]:
        if self.hidden_:
            return (scaled(np.maximum(ground, 0), 1) for ground in self._grounds(frames, light))
        return (scaled(self._ground, gain) for gain in light)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file of it holds."""
        return {
            "scene.picture": self.picture,
            "scene.components": self.components,
            "scene.noise": np.array([self.noise]),
            "scene.restless": self.restless,
            "scene.camera": np.array(astuple(self.camera), float),
        }

    @classmethod
    def of(cls, arrays: dict[str, Any]) -> "Scene":
        """Undo `arrays`."""
        names = ("picture", "components", "noise", "restless", "camera")
        if "scene.pixel_noise" in arrays:
            raise InputError("model: it was written by an earlier version; fit the scene again.")
        if any(f"scene.{name}" not in arrays for name in names):
            raise InputError("model: it is not that of a scene; robustae video writes one.")
        picture, components, noise, restless, camera = (arrays[f"scene.{name}"] for name in names)
        _check_parts(picture, components, noise, restless, camera)
        *numbers, shaking, shift = map(float, camera)
        fields: Any = [*numbers, bool(shaking), shift]
        return cls(picture, components, float(noise[0]), restless, Camera(*fields))


def _check_parts(
    picture: np.ndarray, components: np.ndarray, noise: np.ndarray, restless: np.ndarray, camera: np.ndarray
) -> None:
    """Refuse arrays that no scene has; they may come from any file."""
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or not picture.size:
        raise InputError(f"model: its picture is of shape {picture.shape}, not (height, width, channels).")
    shapes = components.shape[1:], noise.shape, restless.shape, camera.shape
    parts = (picture, components, noise, restless, camera)
    fitting = (picture.shape, (1,), picture.shape[:2], (6,))
    if shapes != fitting or any(p.dtype.kind != "f" for p in parts):
        raise InputError("model: the parts of the scene do not fit together.")
    sound = all((np.abs(part) < LARGEST).all() for part in parts)
    possible = noise[0] >= LEAST_NOISE and (restless >= 1).all() and camera[2] >= 1 and 0 <= camera[3] <= 10
    if not sound or not possible:
        raise InputError("model: the scene holds numbers that no picture has.")
