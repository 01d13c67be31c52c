"""Pictures of any kind, one at a time: files in a folder or a list, or arrays."""

import os
import warnings
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from robustae.utils.checks import InputError, NotFound, need, path_of

__all__ = [
    "LUMA",
    "SUFFIXES",
    "Arrays",
    "Files",
    "Pictures",
    "BadImage",
    "in_colour",
    "pictures_of",
    "reduced",
    "resized",
]

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".pgm", ".ppm")
# Photographs of telephones: read where a plug-in of Pillow does it, else named as left out.
PHONE = (".heic", ".heif", ".avif")
ARRAYS = (".npy", ".npz")
MASK = "_mask"  # X_mask.png beside X.jpg is a label, not a picture
TRUTH = "ground_truth"  # the folder of masks in MVTec's layout
FEW = 6  # endings that a sentence may list
RESULT = ("scores.csv", "model.rae")  # beside a folder "heatmaps" that is no source of pictures
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # of EXIF: a quarter turn
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601
DEEP = {"I;16", "I;16B", "I;16L", "I", "F"}  # Pillow's modes of more than 8 bits
NO_COLOUR = {"1", "L", "LA", *DEEP}
GREY = 4 / 255  # colours that differ by less, of the largest value, are none
WANTED = "(n, height, width) or (n, height, width, channels) with 1, 3 or 4 channels"


class BadImage(Exception):
    """One picture that cannot be read; the message is the reason."""


class Files:
    """Image files.

    Parameters
    ----------
    paths : sequence of Path
    names : sequence of str
        One for each.
    """

    def __init__(self, paths: Sequence[Path], names: Sequence[str]) -> None:
        self.paths, self.names = list(paths), list(names)

    def __len__(self) -> int:
        return len(self.paths)

    def digest(self, number: int) -> bytes:
        """Return a short fingerprint of the content."""
        try:
            return blake2b(self.paths[number].read_bytes(), digest_size=16).digest()
        except OSError:
            return bytes(16)  # reading it will give the reason

    def size(self, number: int) -> tuple[int, int]:
        """Return height and width as displayed, from the header."""
        with _opened(self.paths[number]) as image:
            return _turned(image, *reversed(image.size))

    def read(self, number: int, least: int = 0) -> np.ndarray:
        """Return a picture as displayed.

        Parameters
        ----------
        number : int
        least : int
            JPEGs may come reduced, but no side below this; 0 for full size.

        Returns
        -------
        array, shape (height, width, 1 or 3), float32 in [0, 1] (of floating-point files their values)

        Raises
        ------
        BadImage
            If the file is damaged or no picture.
        """
        from PIL import ImageOps

        with _opened(self.paths[number]) as image:
            if least:
                image.draft(None, (least, least))
            values = _values(ImageOps.exif_transpose(image))
        if not np.isfinite(values).all():
            raise BadImage("not a picture: it has values that are NaN or infinite")
        return values


class Arrays:
    """Pictures in memory, or mapped from a file, all of one type.

    Parameters
    ----------
    arrays : sequence of arrays, each of shape (height, width[, 1, 3 or 4])
    """

    def __init__(self, arrays: Any) -> None:
        self.arrays = arrays
        self.names = [str(number) for number in range(len(arrays))]

    def __len__(self) -> int:
        return len(self.arrays)

    def digest(self, number: int) -> bytes:
        """Return a short fingerprint of the content."""
        return blake2b(np.ascontiguousarray(self.arrays[number]).tobytes(), digest_size=16).digest()

    def size(self, number: int) -> tuple[int, int]:
        """Return height and width."""
        return tuple(self.arrays[number].shape[:2])  # type: ignore[return-value]

    def read(self, number: int, least: int = 0) -> np.ndarray:
        """Return a picture, shape (height, width, 1 or 3), float32; integers and bool in [0, 1]."""
        values = np.asarray(self.arrays[number])
        values = _unit(values.reshape(*values.shape[:2], -1))
        if not np.isfinite(values).all():
            raise InputError(f"image {number} has values that are NaN or infinite.")
        return _over_white(values)


Pictures = Files | Arrays


def pictures_of(source: Any, argument: str = "source") -> Pictures:
    """Return the pictures that a folder, a file, a list or an array holds.

    Raises
    ------
    InputError
        If it holds none, or cannot be pictures; NotFound if there is no such place.
    """
    found = _pictures_of(source, argument)
    if not len(found):
        kinds = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise InputError(f"{_short(source, argument)} holds no image ({kinds}){_instead(source)}.")
    return found


def _pictures_of(source: Any, argument: str) -> Pictures:
    if isinstance(source, str | Path):
        return _at(path_of(source, argument), argument)
    if isinstance(source, Files | Arrays):
        return source
    if isinstance(source, Sequence) and all(isinstance(item, str | Path) for item in source):
        return _listed([path_of(item, argument) for item in source])
    if isinstance(source, Sequence) or np.ndim(source) == 1:
        return Arrays([_checked(np.asarray(item), (), argument) for item in source])
    values = np.asarray(source)
    return Arrays(_checked(values, values.shape[:1], argument))


def _at(place: Path, argument: str) -> Pictures:
    if place.is_dir():
        paths = sorted(_pictured(place))
        return Files(paths, [_name(path.relative_to(place).as_posix()) for path in paths])
    if not place.exists():
        raise NotFound(f"{str(place)!r} is not there.")
    if place.suffix.lower() in ARRAYS:
        values = _stored(place)
        return Arrays(_checked(values, values.shape[:1], argument))
    return _listed([place])


def _listed(places: Sequence[Path]) -> Files:
    paths = [path for place in places for path in _files_of(place)]
    return Files(paths, [_name(str(path)) for path in paths])


def _name(path: str) -> str:
    """Return a path as text that can be written: names may hold bytes of another encoding."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _files_of(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(_pictured(place))
    if not place.is_file():
        raise NotFound(f"{str(place)!r} is not there.")
    if place.suffix.lower() in ARRAYS:
        raise InputError(f"{str(place)!r} is an array: it cannot be one of several.")
    return [place]


def _pictured(folder: Path) -> Iterator[Path]:
    """Yield the images in a folder and below it, without masks that label others and earlier results."""
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        if path.suffix.lower() not in SUFFIXES + PHONE or any(part.startswith(".") for part in inside):
            continue
        if path.is_file() and TRUTH not in inside[:-1] and not _labels(path) and not _drawn(path, inside):
            yield path


def _labels(path: Path) -> bool:
    stem = path.stem.removesuffix(MASK)
    return stem != path.stem and any(path.with_name(stem + suffix).exists() for suffix in SUFFIXES)


def _drawn(path: Path, inside: tuple[str, ...]) -> bool:
    """Whether it is a heat map of an inspection whose result lies among the pictures."""
    return inside[-2:-1] == ("heatmaps",) and all((path.parents[1] / name).is_file() for name in RESULT)


def _stored(place: Path) -> np.ndarray:
    try:
        values = np.load(place, mmap_mode="r", allow_pickle=False)
        if isinstance(values, np.ndarray):
            return values
        names = [name for name in ("X", "images", *values.files) if name in values.files]
        return values[names[0]]
    except (OSError, ValueError, EOFError, IndexError, KeyError) as error:
        raise InputError(f"cannot read {str(place)!r}: it is damaged, or holds no array.") from error
    except Exception as error:  # zipfile's own
        raise InputError(f"cannot read {str(place)!r}: it is damaged.") from error


def _checked(values: np.ndarray, count: tuple[int, ...], argument: str) -> np.ndarray:
    """Refuse what cannot be pictures; `count` is what stands before height and width."""
    shape = values.shape[len(count) :]
    if len(shape) == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise InputError(
            f"{argument} has shape {values.shape}: channels come last, did you mean .transpose(0, 2, 3, 1)?"
        )
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,), (4,)) or min(shape) < 1:
        raise InputError(f"{argument} has shape {values.shape}: {WANTED} is needed.")
    if values.dtype.kind not in "biuf":
        raise InputError(f"{argument} holds values of type {values.dtype}: numbers are needed.")
    return values


def _instead(source: Any) -> str:
    """Return what a folder holds in place of pictures: photographs may have endings that are not read."""
    if not isinstance(source, str | Path):
        return ""
    endings = {path.suffix.lower()[1:] for path in Path(source).rglob("*.*") if path.is_file()}
    return f"; its files end in {', '.join(sorted(endings))}" if 0 < len(endings) <= FEW else ""


def _short(source: Any, argument: str) -> str:
    return repr(str(source)) if isinstance(source, str | Path) else argument


class _opened:
    """Open an image file; whatever its decoder stumbles over makes it `BadImage`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._quiet = warnings.catch_warnings()

    def __enter__(self) -> Any:
        image = need("images", "PIL.Image", "reading image files")
        self._quiet.__enter__()
        warnings.simplefilter("ignore")  # of odd metadata, which does not matter here
        try:
            self.image = image.open(self.path)
        except Exception as error:
            self._quiet.__exit__(None, None, None)
            raise BadImage(_reason(error, self.path)) from error
        return self.image

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._quiet.__exit__(None, None, None)
        self.image.close()
        # Decoders of damaged files raise whatever they meet first.
        if isinstance(error, Exception) and not isinstance(error, InputError | MemoryError):
            raise BadImage(_reason(error, self.path)) from error


def _reason(error: Exception, path: Path) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        if path.suffix.lower() in PHONE and path.stat().st_size:
            return f"{path.suffix[1:].upper()}, which is not read here: save it as JPEG or PNG"
        return "no image, or its header is damaged"
    if type(error).__name__ == "DecompressionBombError":
        return "more pixels than can be real"
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    return f"damaged ({text[:80].rstrip('.') or type(error).__name__})"


def _turned(image: Any, height: int, width: int) -> tuple[int, int]:
    return (width, height) if image.getexif().get(ORIENTATION) in TURNED else (height, width)


def _values(image: Any) -> np.ndarray:
    """Return a Pillow image as float32, alpha laid over white."""
    if image.mode in DEEP:
        return _unit(_sixteen(np.asarray(image)))[:, :, None]
    see_through = image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info
    if see_through:
        return _over_white(_unit(np.asarray(image.convert("RGBA"))))
    mode = "L" if image.mode in NO_COLOUR else "RGB"
    values = _unit(np.asarray(image.convert(mode)))
    return values.reshape(*values.shape[:2], -1)


def _sixteen(values: np.ndarray) -> np.ndarray:
    """Pillow widens 16 bits to 32 in some formats."""
    fits = values.dtype.kind == "i" and values.min() >= 0 and values.max() < 2**16
    return values.astype(np.uint16) if fits else values


def _unit(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "b":
        return values.astype(np.float32)
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return values.astype(np.float32)


def _over_white(values: np.ndarray) -> np.ndarray:
    if values.shape[2] != 4:
        return values
    alpha = values[:, :, 3:]
    return values[:, :, :3] * alpha + (1 - alpha)


def reduced(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return a picture at another size: bilinear, antialiased; of one channel where it has no colour.

    Parameters
    ----------
    picture : array, shape (height, width, 1 or 3), float32
    shape : (int, int)

    Returns
    -------
    array, shape (*shape, 1 or 3), float32
    """
    small = resized(picture, shape)
    if small.shape[2] == 1 or np.ptp(small, axis=2).max() > GREY * max(float(np.abs(small).max()), 1e-30):
        return small
    return in_colour(small, False)


def in_colour(picture: np.ndarray, colour: bool) -> np.ndarray:
    """Return a picture with three channels or with one."""
    if colour:
        return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
    return (picture @ LUMA)[:, :, None] if picture.shape[2] == 3 else picture


def resized(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return a picture (height, width, channels) at another size, float32."""
    from torch import from_numpy
    from torch.nn.functional import interpolate

    if picture.shape[:2] == shape:
        return np.ascontiguousarray(picture, dtype=np.float32)
    planes = from_numpy(np.array(picture.transpose(2, 0, 1), dtype=np.float32, order="C"))[None]
    small = interpolate(planes, shape, mode="bilinear", antialias=True, align_corners=False)
    return np.ascontiguousarray(small[0].numpy().transpose(1, 2, 0))
