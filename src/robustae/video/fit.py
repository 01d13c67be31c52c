"""A scene fitted to frames: what camera took them, the bare picture, what else changes, and the noise."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from robustae.stats.scales import evenly
from robustae.utils.checks import InputError
from robustae.video.camera import Camera, aligned, camera_of
from robustae.video.changes import Changes, components_of, refined
from robustae.video.grid import grid_for, loudest
from robustae.video.light import gains
from robustae.video.maps import CUT, MaskSettings, upper, upper_by_pixel
from robustae.video.pixels import blurred
from robustae.video.scene import FAINT, Scene, View
from robustae.video.start import bare_picture

__all__ = ["MOST_FRAMES", "Progress", "scene_of"]

Progress = Callable[[int, int, str], None]

LEAST_FRAMES, MOST_FRAMES = 2, 100  # more of them only take longer
CHANNELS = 3
ENOUGH = 50  # frames to tell the noise
ROUNDS = 2
CHANGE, MOST_OFTEN = (
    12.0,
    0.5,
)  # grey levels; share of the frames that a value's components must explain within
OFTEN = 0.4  # of the pairs of frames, in which a pixel must be inlying to be restless
MOST_RESTLESS = 3.0


def scene_of(frames: np.ndarray, stabilise: bool = True, progress: Progress | None = None) -> Scene:
    """Fit a scene to frames spread over a clip, foreground among them.

    Parameters
    ----------
    frames : array of uint8, shape (n, height, width, c)
    stabilise : bool
        Whether frames are aligned where the camera shakes.
    progress : callable, optional
        Called with the hundredths of the work that are done, 100, and what comes next.

    Raises
    ------
    InputError
        If there are fewer than two frames.
    """
    if len(frames) < LEAST_FRAMES:
        raise InputError(
            f"frames: {len(frames)} is too few to tell background from foreground; give 2 or more."
        )
    if _colourless(frames):
        return _in_colour(scene_of(frames[..., :1], stabilise, progress))
    report = progress or (lambda done, total, note: None)
    report(0, 100, "the camera")
    frames = frames[evenly(len(frames), MOST_FRAMES)]
    camera = camera_of(frames, stabilise)
    frames = camera.stretched(frames)
    if camera.shaking:
        frames = aligned(frames)
    calm = frames if not camera.blur else np.stack([blurred(frame, camera.blur) for frame in frames])
    picture = bare_picture(calm, lambda share: report(round(10 + 70 * share), 100, "the bare picture"))
    report(80, 100, "what else changes")
    picture, components = _components(calm, picture)
    some = frames[:: max(1, len(frames) // ENOUGH)]
    if camera.blur:
        picture = _sharp(calm, frames, picture)
    report(95, 100, "noise")
    return _with_noise(picture, components, camera, some)


def _colourless(frames: np.ndarray) -> bool:
    """Whether three channels say the same, as where a grey film was stored as any other."""
    return frames.shape[-1] == CHANNELS and all(
        np.array_equal(frame[..., 0], frame[..., k]) for frame in frames for k in (1, 2)
    )


def _in_colour(scene: Scene) -> Scene:
    """The scene of grey frames for frames of three equal channels."""
    picture, components = (part.repeat(CHANNELS, axis=-1) for part in (scene.picture, scene.components))
    return replace(scene, picture=picture, components=components)


def _sharp(calm: np.ndarray, frames: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The mean of the frames as they came, where the blurred ones are inlying."""
    light = gains(calm, picture)
    total, count = np.zeros_like(picture), np.zeros(picture.shape[:2], np.float32)
    for soft, frame, gain in zip(calm, frames, light, strict=True):
        inlying = loudest(soft / gain - picture) < CUT * FAINT
        total += inlying[..., None] * (frame / gain)
        count += inlying
    return np.where(count[..., None] > 0, total / np.maximum(count, 1)[..., None], picture)


def _with_noise(picture: np.ndarray, components: np.ndarray, camera: Camera, frames: np.ndarray) -> Scene:
    """The scene, its noise told by how frames, stretched and aligned, differ from it."""
    ones = np.ones(picture.shape[:2], np.float32)
    inner = Scene(picture, components, 1.0, ones, Camera(blur=camera.blur))
    settings = MaskSettings(shadows=False).at(*picture.shape[:2])
    views = list(inner.views(frames))
    roots = np.stack([view.root(settings)[::2, ::2] for view in views])
    noise = max(FAINT, min(upper(roots), upper_by_pixel(roots)) ** 2 / CUT)
    picture, components = camera.plain(picture), components / np.float32(camera.stretch)
    return Scene(picture, components, noise / camera.stretch, _restless(views, noise), camera)


def _restless(views: list[View], noise: float) -> np.ndarray:
    """By how much each pixel's noise exceeds the usual: from successive inlying residuals.

    Somebody who stands still for a while adds two differences only, leaves and water one in each frame.
    """
    residuals = (
        view.frame.mean(-1, dtype=np.float32) - view.background.mean(-1, dtype=np.float32) for view in views
    )
    before, roots, pairs = None, 0.0, 0.0
    for left in residuals:
        inlying = np.abs(left) < CUT * noise
        if before is not None:
            both = inlying & before[1]
            roots, pairs = roots + both * np.sqrt(np.abs(left - before[0])), pairs + both
        before = left, inlying
    deviation = (roots / np.maximum(pairs, 1)) ** 2  # by roots: few large differences count little
    usual = 1.5 * max(float(np.median(deviation)), 1.0)
    known = pairs >= OFTEN * (len(views) - 1)
    return np.where(known, np.clip(deviation / usual, 1, MOST_RESTLESS), 1).astype(np.float32)


def _components(frames: np.ndarray, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture, corrected where it must be, and its components."""
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
        sound = (np.abs(rows - found.rows) < CHANGE).mean(0) > MOST_OFTEN
        new = np.where(sound, np.stack([found.correction, *found.components]), part.reshape(len(part), -1))
        result[:, row] = new.reshape(result[:, row].shape)
    return result
