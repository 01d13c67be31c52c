"""Whatever a film, an image or a stack of frames holds, it gives frames of one size, or one sentence."""

import random
from collections import Counter

import fuzzing
import numpy as np
import pytest
from clips import make_film, pictures, save_image
from test_fuzz_tables import HEADERS, npy_header, saved

from robustae.data.clips import open_clip

pytest.importorskip("av")

MIB = 2**20
TRIALS = 30 * fuzzing.LONGER
FILMS = {
    "a.mp4": {"codec": "h264", "pix_fmt": "yuv420p"},
    "a.mkv": {"codec": "ffv1"},
    "a.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "a.webm": {"codec": "libvpx-vp9", "pix_fmt": "yuv420p", "deadline": "realtime"},
    "a.gif": {"codec": "gif", "pix_fmt": "rgb8"},
}
IMAGES = ("a.png", "a.jpg", "a.bmp")
SHORT = pictures(12, 32, 48)


def use(path):
    """Take a sample, go through the clip, and take another: all that a separation does."""
    clip = open_clip(path)
    size = clip.height, clip.width, clip.channels
    sample = clip.sample(3)
    frames = 0
    for batch in clip.batches(5):
        assert batch.shape[1:] == size and batch.dtype == np.uint8
        frames += len(batch)
        if frames > 1000:
            break
    assert sample.shape[1:] == size
    assert frames and len(sample)
    assert all("\n" not in note for note in clip.notes)


def use_spoilt(sender, path, whole, trials):
    """In a process of its own: decoders are written in C."""
    fuzzing.little_memory(2048 * MIB)
    rng, told = random.Random(path.name), Counter()
    for _ in range(trials):
        path.write_bytes(fuzzing.bytes_of(whole, rng))
        told[fuzzing.outcome(lambda: use(path))] += 1
    sender.send(told)


def made(name, folder):
    """The bytes of a whole film or image."""
    path = folder / name
    if name in FILMS:
        make_film(path, SHORT, **FILMS[name])
    else:
        save_image(path, SHORT[0])
    return path.read_bytes()


@pytest.mark.parametrize("name", [*FILMS, *IMAGES])
def test_a_spoilt_film_or_image_gives_frames_or_is_refused(name, tmp_path):
    whole = made(name, tmp_path)
    assert fuzzing.outcome(lambda: use(tmp_path / name)) == "fine"
    told = fuzzing.child(use_spoilt, tmp_path / name, whole, TRIALS)
    fuzzing.tally("spoilt films and images", told)
    assert len(told) > 1


@pytest.mark.parametrize("name", FILMS)
def test_a_film_cut_off_anywhere_gives_frames_or_is_refused(name, tmp_path):
    whole = made(name, tmp_path)
    for length in np.linspace(0, len(whole) - 1, 12).astype(int):
        (tmp_path / name).write_bytes(whole[:length])
        fuzzing.outcome(lambda: use(tmp_path / name))


def test_a_film_without_frames_is_refused(tmp_path):
    with pytest.importorskip("av").open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        container.start_encoding()
    assert fuzzing.outcome(lambda: use(tmp_path / "a.mp4")) != "fine"


STACKS = {
    "a.npy": saved(np.save, SHORT),
    "b.npy": saved(np.save, np.asfortranarray(SHORT[..., 0] / np.float32(255))),
    "c.npy": saved(np.save, SHORT.astype(np.uint16) * 257),
    "a.npz": saved(np.savez_compressed, X=SHORT),
    "b.npz": saved(np.savez, X=SHORT.reshape(12, -1), shape=[32, 48, 3]),
}


def use_stacks(sender, folder, name, trials):
    use_spoilt(sender, folder / name, STACKS[name], trials)


@pytest.mark.parametrize("name", STACKS)
def test_a_spoilt_stack_gives_frames_or_is_refused(name, tmp_path):
    (tmp_path / name).write_bytes(STACKS[name])
    assert fuzzing.outcome(lambda: use(tmp_path / name)) == "fine"
    told = fuzzing.child(use_stacks, tmp_path, name, 2 * TRIALS)
    fuzzing.tally("spoilt stacks of frames", told)
    assert len(told) > 1


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("sides", ["", "32, 48, "])
def test_headers_of_stacks_that_lie(header, sides, tmp_path):
    data = npy_header(HEADERS[header].replace("4)", f"{sides}4)").replace("2)", f"{sides}3)")) + b"\0" * 64
    (tmp_path / "t.npy").write_bytes(data)
    (tmp_path / "t.npz").write_bytes(fuzzing.zipped({"X.npy": data}))
    (tmp_path / "flat.npz").write_bytes(fuzzing.zipped({"X.npy": data, "shape.npy": data}))
    for name in ("t.npy", "t.npz", "flat.npz"):
        assert fuzzing.outcome(lambda name=name: use(tmp_path / name)) != "fine"


SHAPES = [[-1, 4], [0, 48], [2**40, 2**40], [32.0, 144.0], ["a"], 4608, [], [[32, 48, 3]], [32, 48, 3, 1]]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_that_flat_frames_do_not_have(shape, tmp_path):
    np.savez(tmp_path / "t.npz", X=SHORT.reshape(12, -1), shape=shape)
    assert fuzzing.outcome(lambda: use(tmp_path / "t.npz")) != "fine"


@pytest.mark.parametrize("image", ["16384x16384", "100000x100000", "0x5", "-3x4"])
def test_images_that_claim_a_size(image, tmp_path):
    width, height = (int(side) for side in image.split("x"))
    (tmp_path / "t.ppm").write_bytes(b"P6\n%d %d\n255\n" % (width, height) + b"\0" * 300)
    header = width.to_bytes(4, "little", signed=True) + height.to_bytes(4, "little", signed=True)
    (tmp_path / "t.bmp").write_bytes(
        b"BM"
        + b"\0" * 8
        + (54).to_bytes(4, "little")
        + (40).to_bytes(4, "little")
        + header
        + b"\1\0\x18\0"
        + b"\0" * 200
    )
    told = fuzzing.child(use_claims, tmp_path)
    assert "fine" not in told


def use_claims(sender, folder):
    fuzzing.little_memory(2048 * MIB)
    sender.send([fuzzing.outcome(lambda path=path: use(path)) for path in sorted(folder.iterdir())])
