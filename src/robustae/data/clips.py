"""Clips: frames of a film, a folder of images, an array or a camera, in batches as they are asked for."""

import os
import re
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count as counting
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from robustae.data.films import IMAGES, Film, ImageFiles, animated, image_folder
from robustae.data.greys import checked_range
from robustae.data.selection import frame_window, new_size
from robustae.data.stacks import from_array, from_npy, from_npz, from_webp
from robustae.utils.checks import InputError, NotFound, path_of, suggestion

__all__ = ["Clip", "open_clip"]

_URL = re.compile(r"(https?|rtsps?|rtmps?|rtp|udp|tcp|srt)://", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<=//)[^/@]*@")  # names end up in reports
_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}
_NO_CLIPS = (bool, float, complex, bytes, bytearray, dict, set)
_WAIT = (10.0, 30.0)  # seconds until a stream answers, and between its packets


class _Reader(Protocol):
    name: str
    height: int
    width: int
    channels: int
    fps: float
    live: bool
    remarks: dict[str, str]

    @property
    def count(self) -> int | None: ...

    def pictures(self, numbers: Iterable[int]) -> Iterator[Any]: ...

    def pixels(self, picture: Any, shape: tuple[int, int, int]) -> np.ndarray: ...

    def counted(self) -> int: ...

    def seconds_of(self, number: int) -> float: ...

    def number_at(self, seconds: float) -> int: ...


def open_clip(
    source: Any,
    *,
    start: int | str | None = None,
    stop: int | str | None = None,
    every: int = 1,
    scale: Any = None,
    gray: bool = False,
    range: Any = None,
) -> "Clip":
    """Open frames, wherever they are; pixels are read only as they are asked for.

    Parameters
    ----------
    source : path, str, int or array
        A film (any file PyAV reads), a folder of images (in natural order: frame2 before
        frame10), a .npy or .npz file of frames, an array of shape (n, height, width[, channels])
        with 1, 3 or 4 channels (uint8; bool; uint16 and floats whose white is the least of 1 (floats), 255,
        1023, 4095, 16383 and 65535 that a thousandth of the values exceed at most), the number of a
        camera, or the URL of a stream. Transparency is ignored.
    start, stop : int or str, optional
        First frame, and the first one left out: a number counted from 0, or a time such as "12.5s",
        "1:02" or "1:02:03.5".
    every : int
        Keep one frame in `every`, beginning with `start`.
    scale : float, pair of int, or str, optional
        A factor (0.5), or (width, height), or "320x240".
    gray : bool
        One channel instead of three.
    range : pair of float, or str, optional
        The values of black and white in arrays of other numbers than bytes, as (0, 4095) or "0,4095".

    Returns
    -------
    Clip

    Raises
    ------
    InputError
        One sentence: nothing there (NotFound), no video in it, damaged, an array of another
        shape, nothing between `start` and `stop`, or a `scale` that makes no picture.
    """
    reader = _reader(source)
    if range is not None:
        _take_range(reader, range)
    window = frame_window(start, stop, every, reader.number_at)
    _check_start(reader, start, window[0])
    size = new_size(scale, reader.height, reader.width)
    shape = (*size, 1 if gray else reader.channels)
    return (LiveClip if reader.live else Clip)(reader, window, shape)


class Clip:
    """Frames of one size, to be read any number of times.

    Attributes
    ----------
    name : str
        What the source is called.
    height, width, channels : int
        Of every frame, after scaling; channels is 1 or 3.
    fps : float
        Frames per second of the source, before `every`; 25 where it gives none.
    first, every : int
        Frame k of the clip is frame ``first + k * every`` of the source. Frames are numbered as they
        are read: one that cannot be decoded is left out and has no number.
    live : bool
        True for cameras and streams: read once, forwards.
    """

    def __init__(
        self, reader: _Reader, window: tuple[int, int | None, int], shape: tuple[int, int, int]
    ) -> None:
        self._reader = reader
        self.first, self._stop, self.every = window
        self.height, self.width, self.channels = shape
        self.name, self.fps, self.live = reader.name, reader.fps, reader.live

    @property
    def count(self) -> int | None:
        """Number of frames, or None if unknown; for films not read yet an estimate, if live the most."""
        known = self._stop if self.live else self._reader.count
        return None if known is None else len(self._kept(known))

    @property
    def notes(self) -> list[str]:
        """What was odd, in sentences; grows while frames are read."""
        return list(self._reader.remarks.values())

    def seconds_of(self, number: int) -> float:
        """Return when a frame, by its number in the source, is shown."""
        return self._reader.seconds_of(number)

    def batches(self, size: int = 32) -> Iterator[np.ndarray]:
        """Read the frames from the first to the last.

        Parameters
        ----------
        size : int
            Frames in a batch; the last one may have fewer.

        Yields
        ------
        uint8 array of shape (b, height, width, channels)
            Contiguous, and the caller's own.

        Raises
        ------
        InputError
            If a frame cannot be read, or `start` turns out to be beyond the end.
        """
        if size < 1:
            raise InputError(f"size={size} must be 1 or more.")
        frames, some = self._frames(), False
        while (batch := self._stacked(islice(frames, size), size)).size:
            some = True
            yield batch
        if not some:
            raise self._nothing()

    def sample(self, most: int) -> np.ndarray:
        """Read frames spread evenly over the clip.

        Parameters
        ----------
        most : int
            As many frames, or all of them where there are fewer. Memory is that of as many frames.

        Returns
        -------
        uint8 array of shape (m, height, width, channels), m <= `most`
            The first frames, if live.
        """
        if most < 1:
            raise InputError(f"most={most} must be 1 or more.")
        kept = self._kept(self._reader.counted())
        if not kept:
            raise self._nothing()
        picks = np.linspace(0, len(kept) - 1, min(most, len(kept))).round().astype(int)
        pictures = self._reader.pictures(kept[pick] for pick in picks.tolist())
        return self._stacked(map(self._pixels, pictures), len(picks))

    def _kept(self, total: int) -> range:
        stop = total if self._stop is None else min(total, self._stop)
        return range(self.first, stop, self.every)

    def _frames(self) -> Iterator[np.ndarray]:
        endless = counting(self.first, self.every)
        numbers = endless if self._stop is None else range(self.first, self._stop, self.every)
        return map(self._pixels, self._reader.pictures(numbers))

    def _nothing(self) -> InputError:
        return InputError(f"start is frame {self.first}: {_beyond(self._reader.counted(), self.name)}")

    def _pixels(self, picture: Any) -> np.ndarray:
        return self._reader.pixels(picture, (self.height, self.width, self.channels))

    def _stacked(self, frames: Iterable[np.ndarray], most: int) -> np.ndarray:
        # Filled in place: a list of frames and its stack would be twice the memory.
        batch, filled = np.empty((most, self.height, self.width, self.channels), np.uint8), 0
        for frame in frames:
            batch[filled] = frame
            filled += 1
        return batch[:filled]


class LiveClip(Clip):
    """Frames that come once; what `sample` took, `batches` yields again first."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ahead: deque[np.ndarray] = deque()
        self._coming = super()._frames()
        self._read = False

    def sample(self, most: int) -> np.ndarray:
        """Wait for the first `most` frames."""
        if self._read:
            raise InputError(f"{self.name!r} is live: take the sample before its frames are read.")
        self._ahead.extend(islice(self._coming, max(0, most - len(self._ahead))))
        if not self._ahead:
            raise self._nothing()
        return self._stacked(islice(self._ahead, most), most)

    def _frames(self) -> Iterator[np.ndarray]:
        if self._read:
            raise InputError(f"{self.name!r} is live: it can be read only once.")
        self._read = True
        return self._all()

    def _nothing(self) -> InputError:
        return InputError(f"{self.name!r} ended before frame {self.first} came.")

    def _all(self) -> Iterator[np.ndarray]:
        while self._ahead:
            yield self._ahead.popleft()
        yield from self._coming


def _take_range(reader: Any, values: Any) -> None:
    if not hasattr(reader, "take"):
        raise InputError(
            f"range={values!r} is for arrays of numbers; {reader.name!r} names its own black and white."
        )
    reader.take(*checked_range(values))


def _check_start(reader: _Reader, start: int | str | None, first: int) -> None:
    if reader.count is not None and first >= reader.count:
        raise InputError(f"start={start!r} is frame {first}: {_beyond(reader.count, reader.name)}")


def _beyond(total: int, name: str) -> str:
    return f"{name!r} has only {total} frame{'s' * (total != 1)}, counted from 0."


def _reader(source: Any) -> _Reader:
    if source is None or isinstance(source, _NO_CLIPS):
        raise InputError(f"source={source!r} is no clip: name a file, a folder, a camera or an array.")
    if isinstance(source, Iterator):
        return from_array(list(source))  # every pass reads the frames anew, and it gives them once
    if isinstance(source, int | np.integer):
        return _camera(int(source))
    if isinstance(source, str | os.PathLike):
        return _place(os.fspath(source))
    return from_array(source)


def _place(text: str) -> _Reader:
    path = path_of(text, "source")
    if path.is_dir():
        return image_folder(path)
    if path.is_file():
        return _file_reader(path)(path)
    if _URL.match(text):
        return Film(text, _PASSWORD.sub("", text), live=True, options=_transport(text), timeout=_WAIT)
    if text.isdecimal():
        return _camera(int(text))
    if path.exists():
        return _device(path)
    raise NotFound(f"there is no file or folder {text!r}{_similar(path)}")


def _file_reader(path: Path) -> Callable[[Path], _Reader]:
    suffix = path.suffix.lower()
    if suffix in IMAGES and not animated(path):
        return lambda file: ImageFiles([file], file.name)
    if suffix == ".webp":
        return from_webp
    return {".npy": from_npy, ".npz": from_npz}.get(suffix, lambda file: Film(str(file), file.name))


def _transport(url: str) -> dict[str, str]:
    # Over UDP, cameras lose packets on any busy network.
    return {"rtsp_transport": "tcp"} if url.lower().startswith("rtsp") else {}


def _device(path: Path) -> _Reader:
    if stat.S_ISCHR(path.stat().st_mode):
        return Film(str(path), str(path), live=True, format=_camera_kind()[0])
    return Film(str(path), path.name, live=True)  # a named pipe


def _camera(number: int) -> _Reader:
    kind, place = _camera_kind()
    return Film(place.format(number), f"camera {number}", live=True, format=kind)


def _camera_kind() -> tuple[str, str]:
    if sys.platform not in _CAMERAS:
        raise InputError(f"cameras are not known on {sys.platform}: name the URL of a stream instead.")
    return _CAMERAS[sys.platform]


def _similar(path: Path) -> str:
    if not path.parent.is_dir():
        return f", nor a folder {str(path.parent)!r}."
    hint = suggestion(path.name, (entry.name for entry in path.parent.iterdir()))
    return f": {hint}" if hint.startswith("did you mean") else "."
