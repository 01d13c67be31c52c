"""What tests of clips share: pictures that are easy to tell apart, and how a refusal is read."""

from fractions import Fraction

import numpy as np
import pytest

from robustae.data.clips import open_clip
from robustae.utils.checks import InputError

HEIGHT, WIDTH = 48, 64


def gradient(number, height=HEIGHT, width=WIDTH):
    """A picture without symmetry, brighter from frame to frame."""
    down, across = np.mgrid[:height, :width]
    red, blue = 200 * across // width, 200 * down // height
    return np.stack([red, np.full_like(red, 4 * number % 200), blue], axis=-1).astype(np.uint8)


def pictures(count, height=HEIGHT, width=WIDTH):
    return np.stack([gradient(number, height, width) for number in range(count)])


def make_film(path, frames, codec="ffv1", pix_fmt="bgr0", rate=25, **options):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        for frame in frames:
            kind = {2: "gray", 3: "rgb24"}[frame.ndim]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=kind)))
        container.mux(stream.encode())
    return path


def save_image(path, pixels, kind="rgb24"):
    av = pytest.importorskip("av")
    codec = {".png": "png", ".jpg": "mjpeg", ".bmp": "bmp"}[path.suffix]
    encoder = av.CodecContext.create(codec, "w")
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt = "yuvj420p" if codec == "mjpeg" else "bgr24" if codec == "bmp" else kind
    encoder.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(pixels, format=kind).reformat(format=encoder.pix_fmt)
    path.write_bytes(b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode()]))


def all_of(clip, size=7):
    return np.concatenate(list(clip.batches(size)))


def refusal(*arguments, **options):
    with pytest.raises(InputError) as caught:
        open_clip(*arguments, **options)
    return one_sentence(caught)


def one_sentence(caught):
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    return message
