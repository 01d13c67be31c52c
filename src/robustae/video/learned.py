"""A scene whose background moves by itself: a robust autoencoder of the frames, beginning at the scene.

The scene says which pixels are foreground; in the fit those are missing, and before new frames are encoded
they are replaced by the scene's background. So large foreground cannot pull the code (no ghosts).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from robustae.estimators.autoencoder import RobustAutoencoder
from robustae.video.fit import scene_of
from robustae.video.grid import loudest
from robustae.video.maps import CUT
from robustae.video.pixels import scaled
from robustae.video.scene import FAINT, Scene, View

__all__ = ["LearnedScene", "fit_learned"]

GREY = 255.0


@dataclass(frozen=True)
class LearnedScene:
    """A scene, and the estimator that predicts frames [0, 1] whose foreground is replaced."""

    scene: Scene
    estimator: RobustAutoencoder
    noise: float
    moving: bool = True

    @property
    def picture(self) -> np.ndarray:
        """The scene's."""
        return self.scene.picture

    @property
    def coloured(self) -> bool:
        """The scene's."""
        return self.scene.coloured

    @property
    def hidden_(self) -> Any:
        """Width of the code."""
        return self.estimator.hidden_

    @property
    def lam_(self) -> float:
        """The estimator's, on its scaled data."""
        return self.estimator.lam_

    def backgrounds(self, frames: np.ndarray) -> np.ndarray:
        """Return the background of each frame, float32 of the frames' shape."""
        bare = _replaced(self.scene, frames, self.scene.backgrounds(frames))
        predicted = self.estimator.reconstruct(bare / np.float32(GREY))
        return (predicted * GREY).reshape(frames.shape).astype(np.float32)

    def views(self, frames: np.ndarray) -> Iterator[View]:
        """Yield frames of bytes (n, height, width, c) beside their backgrounds."""
        grounds = (scaled(np.maximum(ground, 0), 1) for ground in self.backgrounds(frames))
        for frame, ground in zip(frames, grounds, strict=True):
            yield View(frame, ground, self.noise, shown=ground)


def _replaced(scene: Scene, frames: np.ndarray, by: Any) -> np.ndarray:
    foreground = loudest(frames - scene.backgrounds(frames)) > CUT * scene.noise
    return np.where(foreground[..., None], by, frames).astype(np.float32)


def fit_learned(frames: np.ndarray, settings: dict[str, Any]) -> LearnedScene:
    """Fit a scene, then an estimator with these settings to what the scene calls background.

    Raises
    ------
    InputError
        If a setting of RobustAutoencoder cannot be used.
    """
    scene = scene_of(frames, stabilise=False)  # what moves by itself is no camera
    bare = _replaced(scene, frames, np.nan) / np.float32(GREY)
    n, height, width, channels = frames.shape
    shape = (height, width) if channels == 1 else (height, width, channels)
    # A pixel that is foreground in every frame has nothing to learn from but the scene, nor has a frame
    # that is foreground in every pixel.
    bare[:1] = np.where(np.isnan(bare).all(0), scene.picture / GREY, bare[:1])
    for k in np.flatnonzero(np.isnan(bare).all((1, 2, 3))):
        bare[k] = scene.backgrounds(frames[k : k + 1])[0] / GREY
    estimator = RobustAutoencoder(image_shape=shape).set_params(**settings).fit(bare.reshape(n, *shape))
    learned = LearnedScene(scene, estimator, scene.noise)
    some = frames[:: max(1, n // 20)]
    sizes = loudest(some - learned.backgrounds(some))
    inlying = sizes[sizes < CUT * scene.noise]
    noise = float(np.median(inlying)) / 0.6745 if inlying.size else scene.noise
    return replace(learned, noise=max(noise, FAINT))
