"""Films and images by PyAV: decoded one by one, turned upright, progressive, damaged ones left out."""

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from robustae.utils.checks import InputError, need

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2")
_FPS = 25.0  # where the source gives none
_THREADS = 2
_Shape = tuple[int, int, int]


class Film:
    """A file, camera or stream that PyAV opens; frames come in order, from the beginning.

    Parameters
    ----------
    place : str
        What PyAV opens.
    name : str
        What it is called in messages.
    live : bool
        Whether it can be opened only once.
    **opening
        More arguments of `av.open`.
    """

    def __init__(self, place: str, name: str, *, live: bool = False, **opening: Any) -> None:
        self._av = need("video", "av", "reading video")
        self._place, self.name, self.live, self._opening = place, name, live, opening
        self.remarks: dict[str, str] = {}
        self.fps, self.count, self._times = _FPS, None, None
        self._convert = Converter()
        flow = self._frames()
        first = next(flow, None)
        if first is None:
            raise InputError(f"{name!r} has no frame that can be decoded.")
        self.height, self.width, self.channels = _upright_shape(first)
        self._size = first.width, first.height
        self._remark_format(first)
        self._live_flow = chain([first], flow) if live else None

    def pictures(self, numbers: Iterable[int]) -> Iterator[Any]:
        """Decode the frames of these rising numbers."""
        return _picked(self._frames() if self._live_flow is None else self._live_flow, numbers)

    def pixels(self, picture: Any, shape: _Shape) -> np.ndarray:
        """Convert a decoded frame to uint8."""
        if (picture.width, picture.height) != self._size:
            self.remarks["size"] = (
                f"Frames change their size: all are scaled to the first one's {self.width} x {self.height}."
            )
        return self._convert(picture, shape)

    def counted(self) -> int:
        """Count the frames without decoding them: headers may promise more than there is."""
        with self._opened() as container:
            stream = self._video(container)
            stamps = [
                packet.pts for packet in self._packets(stream) if packet is not None and packet.size > 0
            ]
            self.count = len(stamps)
            self._times = _irregular(stamps, float(stream.time_base), self.fps)
        if self._times is not None:
            self.remarks["rate"] = "The frame rate changes: times are those that the file has for its frames."
        return self.count

    def seconds_of(self, number: int) -> float:
        """Return when a frame is shown."""
        if self._times is None:
            return number / self.fps
        beyond = max(0, number - len(self._times) + 1) / self.fps
        return float(self._times[min(number, len(self._times) - 1)]) + beyond

    def number_at(self, seconds: float) -> int:
        """Return the first frame that is shown at that time or later."""
        if not self.live and self._times is None:
            self.counted()
        if self._times is None:
            return first_at(seconds, self.fps)
        return int(np.searchsorted(self._times, seconds - 1e-6))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            container = self._av.open(self._place, **self._opening)
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"cannot open {self.name!r}: {self._reason(error)}.") from error
        with container:
            yield container

    def _reason(self, error: Exception) -> str:
        if not self.live and Path(self._place).stat().st_size == 0:
            return "the file is empty"
        if isinstance(error, self._av.error.InvalidDataError):
            return "it is no video, or it was cut off before its table of contents"
        return str(getattr(error, "strerror", None) or error)

    def _video(self, container: Any) -> Any:
        # Covers of music are streams of a single picture; FFmpeg makes a film of any plain text ("tty").
        videos = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not videos or container.format.name == "tty":
            sound = " (it has sound only)" if container.streams.audio else ""
            raise InputError(f"{self.name!r} holds no video{sound}.")
        if videos[0].codec_context is None:
            raise InputError(f"{self.name!r} holds video that FFmpeg has no decoder for, or is damaged.")
        return videos[0]

    def _frames(self) -> Iterator[Any]:
        with self._opened() as container:
            stream = self._video(container)
            self._describe(stream)
            yield from _progressive(self._av, self._sound_frames(stream), self.remarks)

    def _describe(self, stream: Any) -> None:
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        self.fps = rate if 0 < rate <= 1000 else _FPS
        duration = _duration(stream)
        if self.count is None and not self.live:
            self.count = stream.frames or (round(duration * self.fps) if duration else None)
        stream.thread_type, stream.codec_context.thread_count = "AUTO", _THREADS

    def _sound_frames(self, stream: Any) -> Iterator[Any]:
        good, lost, end = 0, 0, 0.0
        try:
            for packet in self._packets(stream):
                frames, broken = self._decoded(stream, packet)
                lost += broken
                for frame in frames:
                    good, end = good + 1, frame.time or end
                    yield frame
        finally:
            self._remark_lost(lost)
        self._finish(good, end - (stream.start_time or 0) * float(stream.time_base), _duration(stream))

    def _packets(self, stream: Any) -> Iterator[Any]:
        try:
            yield from stream.container.demux(stream)
        except self._av.error.FFmpegError as error:
            self.remarks["cut"] = f"Reading ended early: {error.strerror or error}."
            yield None  # what is still inside the decoder

    def _decoded(self, stream: Any, packet: Any) -> tuple[list[Any], int]:
        try:
            frames = stream.decode(packet)
        except self._av.error.FFmpegError:
            return [], 1
        sound = [frame for frame in frames if not frame.is_corrupt]
        return sound, len(frames) - len(sound)

    def _remark_lost(self, lost: int) -> None:
        if lost:
            what = f"{lost} damaged frames were" if lost > 1 else "1 damaged frame was"
            self.remarks["lost"] = f"{what} left out."

    def _finish(self, good: int, seconds: float, duration: float | None) -> None:
        """Keep the true count, and remark if the file stops long before the end its header names."""
        self.count = None if self.live else good
        if duration and not self.live and seconds < 0.95 * duration - 3 / self.fps:
            reached = f"{seconds:.1f} of {duration:.1f} seconds"
            self.remarks["cut"] = f"The file is cut off: it has {good} frames, {reached}."

    def _remark_format(self, frame: Any) -> None:
        if any(part.is_alpha for part in frame.format.components):
            self.remarks["alpha"] = "Transparency is ignored."
        if _turns(frame):
            self.remarks["turned"] = f"Frames are turned by {90 * _turns(frame)} degrees, as the file asks."


class ImageFiles:
    """Image files as frames, all of one size; each is read when asked for."""

    live = False
    fps = _FPS

    def __init__(self, files: list[Path], name: str) -> None:
        self._av = need("video", "av", "reading images")
        self._files, self.name, self.count = files, name, len(files)
        self.remarks: dict[str, str] = {}
        self._convert = Converter()
        self._shape = self.height, self.width, self.channels = _upright_shape(self._read(files[0]))

    def pictures(self, numbers: Iterable[int]) -> Iterator[Path]:
        """Name the files of these numbers."""
        for number in numbers:
            if number >= len(self._files):
                return
            yield self._files[number]

    def pixels(self, picture: Path, shape: _Shape) -> np.ndarray:
        """Read an image."""
        frame = self._read(picture)
        height, width, _ = _upright_shape(frame)
        if (height, width) != self._shape[:2]:
            first = f"{self._files[0].name!r} of {self.width} x {self.height}"
            raise InputError(
                f"the images of {self.name!r} differ in size: {first}, {picture.name!r} of "
                f"{width} x {height} pixels."
            )
        return self._convert(frame, shape)

    def counted(self) -> int:
        """Return the number of files."""
        return self.count

    def seconds_of(self, number: int) -> float:
        """Return when a frame is shown."""
        return number / self.fps

    def number_at(self, seconds: float) -> int:
        """Return the first frame that is shown at that time or later."""
        return first_at(seconds, self.fps)

    def _read(self, file: Path) -> Any:
        try:
            # By its content: FFmpeg would take % in a name for a pattern.
            with open(file, "rb") as raw, self._av.open(raw) as container:
                frame = next(container.decode(video=0))
        except (self._av.error.FFmpegError, StopIteration, IndexError, ValueError):
            frame = None
        except OSError as error:
            raise InputError(f"cannot read the image {str(file)!r}: {error.strerror or error}.") from error
        if frame is None or frame.is_corrupt:
            raise InputError(f"cannot read the image {str(file)!r}: it is damaged, or another kind of file.")
        if any(part.is_alpha for part in frame.format.components):
            self.remarks["alpha"] = "Transparency is ignored."
        return frame


def animated(file: Path) -> bool:
    """Whether a PNG or WebP image is an animation, by the chunk that says so in its first bytes."""
    with open(file, "rb") as raw:
        head = raw.read(256)
    return (head[:4] == b"\x89PNG" and b"acTL" in head) or (head[8:12] == b"WEBP" and b"ANIM" in head)


def image_folder(folder: Path) -> ImageFiles:
    """Return the images of a folder in natural order: frame2 before frame10."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    images = [entry for entry in entries if entry.suffix.lower() in IMAGES]
    if not images:
        hint = f"; it has {min(entries).name!r}" if entries else ""
        raise InputError(f"the folder {str(folder)!r} holds no images ({', '.join(IMAGES)}){hint}.")
    return ImageFiles(sorted(images, key=_natural), folder.name)


class Converter:
    """Decoded frames to uint8 pixels, upright and of the size asked for."""

    def __init__(self) -> None:
        reformatter = need("video", "av.video.reformatter", "reading video")
        self._reformat = reformatter.VideoReformatter().reformat
        # From version 17 on it would start a thread for every core, for frames of any size.
        modern = int(need("video", "av", "reading video").__version__.split(".")[0]) >= 17
        self._single = {"threads": 1} if modern else {}

    def __call__(self, frame: Any, shape: _Shape) -> np.ndarray:
        """Return `frame` as an array of shape (height, width, channels)."""
        turns, (height, width, channels) = _turns(frame), shape
        across, down = (height, width) if turns % 2 else (width, height)
        smaller = across * down < frame.width * frame.height
        pixels = self._reformat(
            frame,
            width=across,
            height=down,
            format="gray" if channels == 1 else "rgb24",
            interpolation="AREA" if smaller else "BICUBIC",
            **self._single,
        ).to_ndarray()
        return np.rot90(pixels.reshape(down, across, channels), turns)


def resized(pixels: np.ndarray, shape: _Shape, convert: Converter) -> np.ndarray:
    """Return pixels of shape (height, width, channels) scaled (and made gray) to another shape."""
    frames = need("video", "av", "scaling").VideoFrame
    gray = pixels.shape[2] == 1
    pixels = np.ascontiguousarray(pixels[:, :, 0] if gray else pixels)
    return convert(frames.from_ndarray(pixels, format="gray" if gray else "rgb24"), shape)


def _picked(items: Iterable[Any], numbers: Iterable[int]) -> Iterator[Any]:
    wanted = iter(numbers)
    target = next(wanted, None)
    for number, item in enumerate(items):
        if number == target:
            yield item
            target = next(wanted, None)
        if target is None:
            return


def _progressive(av: Any, frames: Iterable[Any], remarks: dict[str, str]) -> Iterator[Any]:
    """Pass frames on, two woven halves made one picture from the first frame that has them."""
    weave = None
    for frame in frames:
        if weave is not None and weave.kind != _kind(frame):
            yield from weave.rest()
            weave = None
        if weave is None and frame.interlaced_frame:
            weave = _Deinterlacer(av, frame)
            remarks["interlaced"] = "Interlaced frames are deinterlaced."
        yield from [frame] if weave is None else weave(frame)
    if weave is not None:
        yield from weave.rest()


class _Deinterlacer:
    """FFmpeg's bwdif: as many frames out as in, those that are progressive unchanged."""

    def __init__(self, av: Any, frame: Any) -> None:
        self._none_yet = (av.error.BlockingIOError, av.error.EOFError)
        self.kind = _kind(frame)
        graph = self._graph = av.filter.Graph()
        self._source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        self._sink = graph.add("buffersink")
        self._source.link_to(bwdif)
        bwdif.link_to(self._sink)
        graph.configure()

    def __call__(self, frame: Any | None) -> Iterator[Any]:
        self._source.push(frame)
        while True:
            try:
                yield self._sink.pull()
            except self._none_yet:
                return

    def rest(self) -> Iterator[Any]:
        """Return what is still inside; nothing can be put in afterwards."""
        return self(None)


def first_at(seconds: float, fps: float) -> int:
    """Return the first frame that begins at that time or later at a steady rate."""
    return math.ceil(round(seconds * fps, 6))  # rounded, for 0.28 * 25 is 7.000000000000001


def _irregular(stamps: list[int | None], unit: float, fps: float) -> np.ndarray | None:
    """The times of frames, from the first one on; None where all lie where a steady rate has them."""
    if not stamps or any(stamp is None for stamp in stamps):
        return None
    times = np.sort(np.array(stamps, float)) * unit
    times -= times[0]
    steady = np.arange(len(times)) / fps
    return times if np.abs(times - steady).max() > 1 / fps else None


def _kind(frame: Any) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _turns(frame: Any) -> int:
    """Quarter turns counterclockwise that make the frame upright."""
    return round(getattr(frame, "rotation", 0) / 90) % 4


def _upright_shape(frame: Any) -> _Shape:
    gray = re.match("gray|mono|ya", frame.format.name) is not None
    size = (frame.width, frame.height) if _turns(frame) % 2 else (frame.height, frame.width)
    return (*size, 1 if gray else 3)


def _is_cover(stream: Any) -> bool:
    disposition: Any = getattr(stream, "disposition", None)
    return bool(disposition and disposition & disposition.attached_pic)


def _duration(stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    whole = stream.container.duration
    return whole / 1e6 if whole else None


def _natural(file: Path) -> list[Any]:
    parts = re.split(r"(\d+)", file.name.lower())
    return [int(part) if position % 2 else part for position, part in enumerate(parts)]
