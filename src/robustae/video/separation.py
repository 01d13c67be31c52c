"""A clip in two: the background, which stays, and the foreground, which comes and goes."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from robustae.data.clips import Clip, open_clip
from robustae.utils.checks import InputError, known_names
from robustae.utils.json import plain
from robustae.video.fit import MOST_FRAMES, Progress, scene_of
from robustae.video.maps import MaskSettings, boxes_of, mask_of
from robustae.video.pixels import Box
from robustae.video.premises import Cuts, broken
from robustae.video.stored import load_scene, save_scene

if TYPE_CHECKING:
    from robustae.video.learned import LearnedScene
    from robustae.video.scene import Scene

__all__ = ["Batch", "Separation", "separate"]

LIVE_FRAMES, SAMPLE_BYTES = 200, 2**28  # eight seconds of what comes live
LEAST_SAMPLE = 25
BATCH_FRAMES, BATCH_VALUES = 32, 2**21
WINDOW_FRAMES = 100  # kept of a window, to fit the next scene to
ENOUGH = 50  # frames that tell which activity is usual
OUTSTANDING = 4.0  # times half of the spread of the middle half of the frames
LEAST_SPREAD = 0.0025  # of the picture
COLUMNS = ("frame", "seconds", "share", "score", "flagged", "blobs", "boxes")


@dataclass(frozen=True)
class Batch:
    """Some frames of a clip, separated.

    Attributes
    ----------
    first : int
        Number of the first of them in the source.
    frames : array of uint8, shape (b, height, width, 3)
    root : array of float32, shape (b, height, width)
        Of the score.
    mask : array of bool, shape (b, height, width)
    boxes : list of lists of (x, y, width, height)
        Of the regions of each frame's mask, largest first.
    of : callable
        Returns the backgrounds, bytes.
    """

    first: int
    frames: np.ndarray
    root: np.ndarray
    mask: np.ndarray
    boxes: list[list[Box]]
    of: Callable[[], np.ndarray]

    @cached_property
    def background(self) -> np.ndarray:
        """Array of uint8, shape (b, height, width, 3); made when asked for."""
        return _coloured(self.of())

    @cached_property
    def foreground(self) -> np.ndarray:
        """N, float32 of shape (b, height, width, 3): frame minus background where the mask is, else 0."""
        outliers = np.zeros(self.frames.shape, np.float32)
        outliers[self.mask] = self.frames[self.mask] - self.background[self.mask].astype(np.float32)
        return outliers

    @cached_property
    def score(self) -> np.ndarray:
        """Noise deviations, float32 of shape (b, height, width); larger is more foreground."""
        return np.square(self.root)


def separate(
    source: Any,
    *,
    model: Any = None,
    mask: dict[str, Any] | None = None,
    window: int | None = None,
    start: int | str | None = None,
    stop: int | str | None = None,
    every: int = 1,
    scale: Any = None,
    gray: bool = False,
    range: Any = None,
    stabilise: bool = True,
    progress: Progress | None = None,
    **settings: Any,
) -> "Separation":
    """Separate a clip into background and foreground.

    The model is fitted to at most 100 frames spread over the clip (live: over the first 200); frames are
    decoded and separated as they are asked for, so memory does not grow with the clip's length.

    Parameters
    ----------
    source : path, str, int or array
        A film, a folder of images, a .npy or .npz file of frames, an array of shape (n, height, width[,
        channels]), the number of a camera or the URL of a stream, as `robustae.data.frames.open_clip`
        takes.
    model : path or model, optional
        Of another clip of the same camera and frame size: `Separation.model`, or what
        `Separation.save` wrote. Nothing is fitted then.
    mask : dict, optional
        Fields of `MaskSettings`: `cut` (noise deviations, default 4.5), `smooth` (pixels), `shadows`
        (bool), `least_blob` (pixels).
    window : int, optional
        For long recordings: after so many frames the scene is fitted anew, to the latest ones.
    start, stop, every, scale, gray, range
        Which frames, how large, whether in grey, and which values are black and white, as for `open_clip`.
    stabilise : bool
        Whether frames are aligned where the camera is found to shake.
    progress : callable, optional
        Called during the fit with the hundredths that are done, 100, and what comes next.
    **settings
        Parameters of `RobustAutoencoder`, for backgrounds that move by themselves: for instance
        ``predictor="linear", hidden=3``. Without any, the background is a picture, its light and
        whatever else changes over most of it.

    Returns
    -------
    Separation

    Raises
    ------
    InputError
        One sentence: a source, a model or a setting that cannot be used.

    Examples
    --------
    >>> from robustae.datasets import load_walkway
    >>> from robustae.video import separate
    >>> clip = load_walkway()
    >>> result = separate(clip.X.reshape(-1, *clip.image_shape))
    >>> result.background.shape
    (120, 160, 3)
    """
    if model is not None and (settings or window):
        raise InputError("model: it is fitted already, so window and settings of a fit cannot be given too.")
    clip = open_clip(source, start=start, stop=stop, every=every, scale=scale, gray=gray, range=range)
    if mask is not None and not isinstance(mask, dict):
        raise InputError(f"mask={mask!r} must be a dict of settings, for instance {{'cut': 6}}.")
    known_names("mask setting", mask or {}, asdict(MaskSettings()))
    mask_settings = MaskSettings(**(mask or {})).at(clip.height, clip.width)
    fit = _Fit(clip, settings, _valid_window(window), stabilise)
    fitted = fit.first(progress) if model is None else _fitting(_loaded(model), clip)
    return Separation(clip, fitted, mask_settings, fit)


def _valid_window(window: Any) -> int | None:
    if window is None:
        return None
    if not hasattr(window, "__index__") or isinstance(window, bool) or window < LEAST_SAMPLE:
        raise InputError(f"window={window!r} must be a number of frames from {LEAST_SAMPLE} on.")
    return int(window)


def _loaded(model: Any) -> Any:
    return load_scene(model) if isinstance(model, str | os.PathLike) else model


def _fitting(model: Any, clip: Clip) -> Any:
    if not hasattr(model, "backgrounds"):
        raise InputError(f"model={model!r} is no model of a scene, nor the path of one.")
    height, width, channels = model.picture.shape
    if (height, width) != (clip.height, clip.width):
        raise InputError(
            f"model is for frames of {width}x{height} and the clip has {clip.width}x{clip.height}: "
            f"scale='{width}x{height}' would do."
        )
    if channels != clip.channels:
        raise InputError("model is for grey frames: gray=True would do." if channels == 1 else _GREY)
    return model


_GREY = "model is for frames in colour and the clip is grey; fit one to grey frames."


class _Fit:
    """How a model is fitted, once or window by window."""

    def __init__(self, clip: Clip, settings: dict[str, Any], window: int | None, stabilise: bool):
        self.clip, self.settings, self.window, self.stabilise = clip, settings, window, stabilise
        self.seconds: dict[str, float] = {}
        self.energies_of: np.ndarray | None = None

    def first(self, progress: Progress | None) -> Any:
        begin = time.perf_counter()
        frames = self.clip.sample(self.most())
        read = time.perf_counter()
        model = self.to(frames, progress)
        self.seconds = {"decode": read - begin, "fit": time.perf_counter() - read}
        self.energies_of = frames[:: max(1, len(frames) // ENOUGH)]
        return model

    def most(self) -> int:
        """Frames that a fit takes."""
        size = self.clip.height * self.clip.width * self.clip.channels
        most = LIVE_FRAMES if self.clip.live else MOST_FRAMES
        return int(np.clip(SAMPLE_BYTES // size, LEAST_SAMPLE, most))

    def to(self, frames: np.ndarray, progress: Progress | None = None) -> Any:
        if not self.settings:
            with threadpool_limits(1):  # on small matrices more threads only wait for one another
                return scene_of(frames, self.stabilise, progress)
        from robustae.video.learned import fit_learned

        return fit_learned(frames, self.settings)


class Separation:
    """A clip and what was learned of it; iterating decodes and separates it batch by batch.

    Attributes
    ----------
    clip : Clip
    model : Scene or LearnedScene
        Has `picture`, `noise`, `lam_`, `hidden_` (the number of components).
    mask_settings : MaskSettings
    threshold : float
        Score from which a pixel is foreground, noise deviations.
    moving : bool
        Whether the background is more than one picture and its light.
    offset_ : float
        Frames are flagged whose share of foreground is above ``-offset_``.
    timings : dict
        Seconds spent in decode, fit and stream.
    """

    def __init__(self, clip: Clip, model: "Scene | LearnedScene", mask_settings: MaskSettings, fit: _Fit):
        self.clip, self.model, self.mask_settings = clip, model, mask_settings
        self._fit = fit
        self.timings = {**fit.seconds, "stream": 0.0}
        self._columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._cuts, self._whole = Cuts(), False
        self.offset_ = self._usual()

    @property
    def threshold(self) -> float:
        """Score from which a pixel is foreground."""
        return float(self.mask_settings.cut)

    @property
    def moving(self) -> bool:
        """Whether the background is more than one picture and its light."""
        return bool(self.model.moving)

    @property
    def settings(self) -> dict[str, Any]:
        """What was asked for, "auto" replaced where it is known; fit for JSON."""
        chosen = {name: plain(value) for name, value in self._fit.settings.items()}
        return {**asdict(self.mask_settings), "window": self._fit.window, **chosen}

    @property
    def background(self) -> np.ndarray:
        """The background in uint8, shape (height, width, 3); (n, height, width, 3) where it moves."""
        if not self.moving:
            return _bytes(self.model.picture[None])[0]
        return np.concatenate([batch.background for batch in self])

    @property
    def activity_so_far(self) -> dict[str, np.ndarray]:
        """The columns of `activity` for the frames of the latest pass so far."""
        return {name: np.asarray(column) for name, column in self._columns.items()}

    @property
    def notes(self) -> list[str]:
        """What was odd in the file, and where the film breaks what a scene takes for granted."""
        shares = np.asarray(self._columns["share"])
        return [*self.clip.notes, *broken(self.model, shares, self._cuts.found, self.clip.seconds_of)]

    @property
    def activity(self) -> dict[str, np.ndarray]:
        """A table, as a dict of columns, each of shape (n,); the clip is read if it was not yet.

        frame (number in the source), seconds, share (of the pixels that are foreground), score (mean
        over the pixels), flagged (whether the share is unusual for the clip), blobs, boxes
        ("x,y,width,height;...", largest first).
        """
        if not self._whole:
            for _ in self:
                pass
        return self.activity_so_far

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model, for other clips of the same camera."""
        save_scene(self.model, path)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the clip batch by batch."""
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._columns, self._cuts, self._whole = columns, Cuts(), False
        model, windows = self.model, _Windows(self._fit)
        for number, frames in self._numbered():
            begin = time.perf_counter()
            batch = self._batch(model, number, frames)
            model = windows.after(frames, model)
            self._record(columns, batch)
            self.timings["stream"] += time.perf_counter() - begin
            yield batch
        self._columns, self._whole = columns, True

    def _numbered(self) -> Iterator[tuple[int, np.ndarray]]:
        values = self.clip.height * self.clip.width * self.clip.channels
        size = int(np.clip(BATCH_VALUES // values, 1, BATCH_FRAMES))
        number = self.clip.first
        for frames in self.clip.batches(size):
            yield number, frames
            number += len(frames) * self.clip.every

    def _batch(self, model: "Scene | LearnedScene", number: int, frames: np.ndarray) -> Batch:
        settings = self._settings_for(model)
        roots = np.empty(frames.shape[:3], np.float32)
        masks, boxes, shown = np.empty(frames.shape[:3], bool), [], []
        for k, view in enumerate(model.views(frames)):
            roots[k] = view.root(settings)
            masks[k], found = mask_of(roots[k], settings)
            boxes.append(found)
            shown.append(view.shown)
        of = partial(_shown, model, frames, shown)
        return Batch(number, _coloured(frames), roots, masks, boxes, of)

    def _settings_for(self, model: "Scene | LearnedScene") -> MaskSettings:
        """Without shadows where there are no colours to tell them by."""
        return self.mask_settings if model.coloured else replace(self.mask_settings, shadows=False)

    def _record(self, columns: dict[str, list[Any]], batch: Batch) -> None:
        numbers = batch.first + self.clip.every * np.arange(len(batch.frames))
        scores, shares = _mean_squares(batch.root), batch.mask.mean((1, 2))
        found = (
            numbers,
            [self.clip.seconds_of(number) for number in numbers.tolist()],
            shares,
            scores,
            -shares < self.offset_,
            [len(found) for found in batch.boxes],
            [boxes_of(found) for found in batch.boxes],
        )
        for name, values in zip(COLUMNS, found, strict=True):
            columns[name].extend(values)
        for number, frame in zip(numbers.tolist(), batch.frames, strict=True):
            self._cuts.see(number, frame)

    def _usual(self) -> float:
        """The threshold on shares, from the frames of the fit; from the first frames with a model."""
        frames = self._fit.energies_of
        if frames is None:
            frames = self.clip.sample(ENOUGH)
        self._fit.energies_of = None
        return -_unusual(np.array([self._batch(self.model, 0, frame[None]).mask.mean() for frame in frames]))


def _unusual(shares: np.ndarray) -> float:
    """The share of foreground from which a frame stands out among these."""
    low, middle, high = np.quantile(shares, (0.25, 0.5, 0.75))
    return float(middle + OUTSTANDING * max(high - middle, middle - low, LEAST_SPREAD))


def _mean_squares(roots: np.ndarray) -> np.ndarray:
    return np.array([np.vdot(root, root) / root.size for root in roots], np.float64)


def _shown(model: "Scene | LearnedScene", frames: np.ndarray, shown: list[np.ndarray | None]) -> np.ndarray:
    if any(ground is None for ground in shown):
        return _bytes(model.backgrounds(frames))
    return np.stack(shown)  # type: ignore[arg-type]


class _Windows:
    """Keeps some frames of a window, and fits the next model to them when it is full."""

    def __init__(self, fit: _Fit):
        self.fit, self.kept, self.count = fit, [], 0

    def after(self, frames: np.ndarray, model: "Scene | LearnedScene") -> "Scene | LearnedScene":
        window = self.fit.window
        if window is None:
            return model
        step = -(-window // min(WINDOW_FRAMES, self.fit.most()))
        for frame in frames:
            if self.count % step == 0:
                self.kept.append(frame)
            self.count += 1
        if self.count < window:
            return model
        sample, self.kept, self.count = np.stack(self.kept), [], 0
        return self.fit.to(sample)


def _coloured(images: np.ndarray) -> np.ndarray:
    return images if images.shape[-1] == 3 else images.repeat(3, axis=-1)


def _bytes(images: np.ndarray) -> np.ndarray:
    return _coloured(np.clip(images + np.float32(0.5), 0, 255).astype(np.uint8))
