"""Films and images out: what every browser plays; the one place that decides how they are coded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from robustae.utils.checks import InputError, need

__all__ = ["ENDINGS", "FilmWriter", "film", "film_name", "png"]

_BT709, _LIMITED = 1, 1  # matrix, primaries, transfer and range, as H.264 and FFmpeg number them
_SMALL = 640 * 480  # pixels up to which a second thread does not pay


@dataclass(frozen=True)
class _Coding:
    """An encoder, its settings, and the container that browsers expect around it."""

    encoder: str
    container: str
    options: dict[str, str] = field(hash=False)


# No B-frames: the k-th frame is shown at k / fps exactly.
_CODINGS = (
    _Coding("libx264", "mp4", {"preset": "veryfast", "crf": "23", "bf": "0"}),
    _Coding("libvpx-vp9", "webm", {"deadline": "realtime", "cpu-used": "8", "crf": "24", "b:v": "0"}),
)
ENDINGS = tuple("." + coding.container for coding in _CODINGS)


def film_name(stem: str) -> str:
    """Return the file name of a film: `stem` with the ending of what can be encoded here."""
    return f"{stem}.{_coding().container}"


@contextmanager
def film(place: str | Path | IO[bytes], height: int, width: int, fps: float) -> "Iterator[FilmWriter]":
    """Write a film that browsers play: H.264 in MP4, or VP9 in WebM where PyAV has no such encoder.

    Parameters
    ----------
    place : path or binary file
        Where it goes, to a file that can seek.
    height, width : int
        Of its frames; an odd side is made even by repeating its last line.
    fps : float
        Frames per second.

    Yields
    ------
    FilmWriter
        Whole once the block ends, also if by an error: what was added until then can be played.

    Raises
    ------
    InputError
        If PyAV is missing, or has neither encoder.
    OSError
        If the place cannot be written to.
    """
    av, coding = need("video", "av", "writing video"), _coding()
    named = isinstance(place, str | Path)
    # The table of contents first, so that a browser need not read to the end; only files can be rearranged.
    options = {"movflags": "faststart"} if named and coding.container == "mp4" else {}
    target = str(place) if named else place
    with av.open(target, "w", format=coding.container, container_options=options) as container:
        written = FilmWriter(container, height, width, fps)
        try:
            yield written
        finally:
            written.finish()


class FilmWriter:
    """An open film; see `film`."""

    def __init__(self, container: Any, height: int, width: int, fps: float) -> None:
        self._av = need("video", "av", "writing video")
        self._padding = ((0, height % 2), (0, width % 2), (0, 0))
        self._container, self._count = container, 0
        self._stream = self._new_stream(height + height % 2, width + width % 2, fps)
        self._reformat = self._av.video.reformatter.VideoReformatter().reformat

    def _new_stream(self, height: int, width: int, fps: float) -> Any:
        coding, rate = _coding(), Fraction(fps).limit_denominator(1001)
        stream = self._container.add_stream(coding.encoder, rate=rate, options=dict(coding.options))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        context = stream.codec_context
        context.gop_size = max(12, round(fps))  # a jump decodes at most a second
        context.thread_count = 1 if height * width <= _SMALL else 2
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        return stream

    def add(self, frames: np.ndarray) -> None:
        """Add frames.

        Parameters
        ----------
        frames : uint8 array of shape (b, height, width, 3) or (b, height, width)
            Colours, or gray.
        """
        for pixels in frames:
            self._container.mux(self._stream.encode(self._coded(pixels)))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._count:
            self._container.mux(self._stream.encode())

    def _coded(self, pixels: np.ndarray) -> Any:
        if np.any(self._padding):
            pixels = np.pad(pixels, self._padding[: pixels.ndim], mode="edge")
        kind = "gray" if pixels.ndim == 2 else "rgb24"
        raw = self._av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels), format=kind)
        frame = self._reformat(raw, format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED)
        frame.pts, self._count = self._count, self._count + 1
        return frame


def png(pixels: np.ndarray) -> bytes:
    """Return a PNG file of uint8 pixels, (height, width, 3) or (height, width)."""
    av = need("video", "av", "writing images")
    kind = "gray" if pixels.ndim == 2 else "rgb24"
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width, encoder.pix_fmt = *pixels.shape[:2], kind
    encoder.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=kind)
    return b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode(None)]))


@cache
def _coding() -> _Coding:
    codec = need("video", "av.codec", "writing video")
    for coding in _CODINGS:
        try:
            codec.Codec(coding.encoder, "w")
        except codec.codec.UnknownCodecError:
            continue
        return coding
    names = " nor ".join(coding.encoder for coding in _CODINGS)
    raise InputError(f"this PyAV has neither {names}: pip install --only-binary av 'robustae[video]'.")
