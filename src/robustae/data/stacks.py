"""Frames from arrays, .npy and .npz: read frame by frame, numbers of any kind made uint8."""

import math
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from robustae.data.binary import DAMAGED
from robustae.data.films import Converter, first_at, resized
from robustae.data.greys import between, bytes_of, check_numbers
from robustae.utils.checks import InputError, need

_WANTED = "(frames, height, width) or (frames, height, width, channels) with 1, 3 or 4 channels"
_LUMA = np.array([77, 150, 29], np.uint16)  # 256 times the shares of red, green and blue in gray (BT.601)
_Walk = Callable[[Iterable[int]], Iterator[np.ndarray]]
_Shape = tuple[int, ...]


class Stack:
    """Frames of one shape and type that `walk` finds by their rising numbers."""

    live = False
    fps = 25.0

    def __init__(self, name: str, shape: _Shape, dtype: np.dtype, walk: _Walk) -> None:
        _check_shape(name, shape)
        self.name, self._walk, self._dtype = name, walk, dtype
        self.count, self.height, self.width = shape[:3]
        layers = 1 if len(shape) == 3 else shape[3]
        self.channels = 1 if layers == 1 else 3
        self.remarks = {"alpha": "Transparency is ignored."} if layers == 4 else {}
        self._as_bytes, remark = bytes_of(name, dtype, lambda: walk(range(shape[0])))
        if remark is not None:
            self.remarks["range"] = remark
        self._convert: Converter | None = None

    def pictures(self, numbers: Iterable[int]) -> Iterator[np.ndarray]:
        """Read the frames of these rising numbers as they are."""
        return self._walk(numbers)

    def pixels(self, picture: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """Convert a frame to uint8."""
        pixels = self._as_bytes(picture.reshape(self.height, self.width, -1)[:, :, : self.channels])
        if shape[:2] != (self.height, self.width):
            self._convert = self._convert or Converter()
            return resized(pixels, shape, self._convert)
        if shape[2] < self.channels:
            return ((pixels * _LUMA).sum(axis=2, dtype=np.uint16, keepdims=True) + 128 >> 8).astype(np.uint8)
        return pixels

    def take(self, black: float, white: float) -> None:
        """Take these values for black and white."""
        self._as_bytes = between(black, white)
        self.remarks.pop("range", None)

    def counted(self) -> int:
        """Return the number of frames."""
        return self.count

    def seconds_of(self, number: int) -> float:
        """Return when a frame is shown."""
        return number / self.fps

    def number_at(self, seconds: float) -> int:
        """Return the first frame that is shown at that time or later."""
        return first_at(seconds, self.fps)


def from_array(array: Any, name: str = "array") -> Stack:
    """Return the frames of an array (or of anything that NumPy makes one of)."""
    try:
        frames = np.asarray(array)
    except ValueError as error:
        raise InputError(f"the frames are no array of one shape: {_WANTED} is needed.") from error

    def walk(numbers: Iterable[int]) -> Iterator[np.ndarray]:
        for number in numbers:
            if number >= len(frames):
                return
            yield frames[number]

    return Stack(name, frames.shape, frames.dtype, walk)


def from_npy(file: Path) -> Stack:
    """Return the frames of a .npy file."""
    with _readable(file.name):
        return _stored(file.name, lambda: open(file, "rb"), file.stat().st_size)


def from_npz(file: Path) -> Stack:
    """Return the frames of the array X, or frames, or the only one that has them.

    Flattened frames, (n, height * width), do where an array `shape` gives their sides.
    """
    with _readable(file.name), zipfile.ZipFile(file) as members:
        names = [name.removesuffix(".npy") for name in members.namelist() if name.endswith(".npy")]
        headers = {name: _header(members.open(f"{name}.npy")) for name in names}
        main = _main_array(file.name, {name: header[0] for name, header in headers.items()})
        size = members.getinfo(f"{main}.npy").file_size
        frame_shape = _shape_array(file, headers["shape"][0]) if len(headers[main][0]) == 2 else None
        return _stored(file.name, lambda: _member(file, f"{main}.npy"), size, frame_shape)


def from_webp(file: Path) -> Stack:
    """Return the frames of an animated WebP image, which FFmpeg does not decode."""
    cv2 = need("video", "cv2", "reading animated WebP")
    animation: Any
    found, animation = cv2.imreadanimation(str(file)) if hasattr(cv2, "imreadanimation") else (False, None)
    if not found or not animation.frames:
        raise InputError(
            f"cannot read {file.name!r}: this animation is damaged, or OpenCV is older than 4.11."
        )
    stack = from_array(np.stack(animation.frames)[..., 2::-1], file.name)
    stack.fps = 1000 / max(float(np.mean(animation.durations)), 1.0)
    return stack


def _member(file: Path, name: str) -> IO[bytes]:
    return zipfile.ZipFile(file).open(name)


def _shape_array(file: Path, sides: _Shape) -> _Shape:
    if sides in ((2,), (3,)):
        with np.load(file, allow_pickle=False) as arrays:
            shape = arrays["shape"]
        if shape.dtype.kind in "iu" and (shape > 0).all():
            return tuple(shape.tolist())
    raise InputError(f"{file.name!r} needs height and width, two whole numbers, in the array 'shape'.")


def _main_array(name: str, shapes: dict[str, _Shape]) -> str:
    usable = [
        key for key, shape in shapes.items() if len(shape) > 2 or (len(shape) == 2 and "shape" in shapes)
    ]
    preferred = [key for key in ("X", "frames") if key in usable] or usable
    if not preferred or (len(usable) > 1 and preferred is usable):
        names = ", ".join(f"{key!r} {shape}" for key, shape in shapes.items()) or "nothing"
        raise InputError(f"{name!r} needs one array of frames, best under the name 'X'; it holds {names}.")
    return preferred[0]


def _stored(
    name: str, opened: Callable[[], IO[bytes]], size: int, frame_shape: _Shape | None = None
) -> Stack:
    """Return the frames of an array that takes `size` bytes, header included."""
    with opened() as file:
        shape, by_columns, dtype = _header(file)
        begin = file.tell()
    check_numbers(name, dtype)
    if frame_shape is not None:
        shape = _unflattened(name, shape, frame_shape)
    _check_shape(name, shape)
    if begin + math.prod(shape) * dtype.itemsize > size:
        raise InputError(f"cannot read {name!r}: it is damaged, its header announces more than there is.")
    if by_columns:  # a frame is scattered over the whole file
        with opened() as file:
            return from_array(npy.read_array(file, allow_pickle=False).reshape(shape), name)
    return Stack(name, shape, dtype, _reading(name, opened, np.dtype((dtype, shape[1:])), shape[0]))


def _unflattened(name: str, shape: _Shape, frame_shape: _Shape) -> _Shape:
    if math.prod(frame_shape) != shape[1]:
        raise InputError(f"{name!r} holds frames of {shape[1]} values, which are not of shape {frame_shape}.")
    return (shape[0], *frame_shape)


def _reading(name: str, opened: Callable[[], IO[bytes]], frame: np.dtype, count: int) -> _Walk:
    """Return what reads frames one by one: a file mapped into memory would count as memory in use."""

    def walk(numbers: Iterable[int]) -> Iterator[np.ndarray]:
        with _readable(name), opened() as file:
            _header(file)
            begin = file.tell()
            for number in numbers:
                if number >= count:
                    return
                file.seek(begin + number * frame.itemsize)
                yield np.frombuffer(file.read(frame.itemsize), frame.base).reshape(frame.shape)

    return walk


def _header(file: IO[bytes]) -> tuple[_Shape, bool, np.dtype]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    if version not in readers:
        raise ValueError(f"version {version} of the format")
    return readers[version](file)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Say in one sentence what could not be read."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"cannot read {name!r}: {error.strerror or error}.") from error
    except DAMAGED as error:
        raise InputError(f"cannot read {name!r}: it is damaged, or another kind of file.") from error


def _check_shape(name: str, shape: _Shape) -> None:
    if len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3, 4):
        raise InputError(
            f"{name!r} has shape {shape}: channels come last, did you mean .transpose(0, 2, 3, 1)?"
        )
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3, 4)):
        raise InputError(f"{name!r} has shape {shape}: {_WANTED} is needed.")
    if min(shape) < 1:
        raise InputError(f"{name!r} has no frames: its shape is {shape}.")
