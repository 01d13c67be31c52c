"""Clips from arrays: numbers of any kind become uint8, and what cannot be meant is refused."""

import re

import numpy as np
import pytest
from clips import HEIGHT, WIDTH, all_of, pictures, refusal

from robustae.data.clips import open_clip
from robustae.utils.checks import InputError

FRAMES = pictures(6)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (FRAMES, FRAMES),
        (FRAMES[..., 0], FRAMES[..., :1]),
        (FRAMES[..., :1], FRAMES[..., :1]),
        (np.concatenate([FRAMES, FRAMES[..., :1]], axis=-1), FRAMES),
        (FRAMES.astype(np.uint16) * 257 + 100, FRAMES),
        (FRAMES / np.float32(255), FRAMES),
        (FRAMES / 255, FRAMES),
        (FRAMES.astype(float), FRAMES),
        (FRAMES > 60, (FRAMES > 60) * 255),
        (FRAMES.astype(np.int64), FRAMES),
        (FRAMES.tolist(), FRAMES),
        (np.asfortranarray(FRAMES), FRAMES),
        (FRAMES[:, ::-1, ::2], FRAMES[:, ::-1, ::2]),
    ],
    ids=["uint8", "gray", "one channel", "alpha", "uint16", "float32", "float64", "floats to 255",
         "bool", "int64", "list", "by columns", "strided"],
)  # fmt: skip
def test_arrays_of_any_type(array, expected):
    clip = open_clip(array)
    assert (clip.name, clip.count, clip.channels) == ("array", 6, expected.shape[-1])
    np.testing.assert_array_equal(all_of(clip, 4), expected)


def test_one_cell_does_not_decide_the_range():
    """Floats in [0, 1] with one cell of 1.02; 12 bits in uint16; frames around 0."""
    bright = FRAMES / 255
    bright[2, 5, 5, 0] = 1.02
    clip = open_clip(bright)
    wanted = FRAMES.copy()
    wanted[2, 5, 5, 0] = 255
    np.testing.assert_array_equal(all_of(clip), wanted)
    assert "Values from 0 to 1 are taken for black to white" in clip.notes[0]
    twelve = np.round(FRAMES * (4095 / FRAMES.max())).astype(np.uint16)
    clip = open_clip(twelve)
    np.testing.assert_allclose(all_of(clip), twelve * (255 / 4095), atol=0.51)
    assert "0 to 4095" in clip.notes[0]
    around = FRAMES / 100 - 1.0
    span = around.max() - around.min()
    np.testing.assert_allclose(all_of(open_clip(around)), (around - around.min()) * (255 / span), atol=3)


def test_a_range_can_be_given():
    clip = open_clip(FRAMES * 3.0 - 100, range=(0, 255))
    np.testing.assert_array_equal(all_of(clip), np.clip(FRAMES * 3.0 - 100, 0, 255))
    assert not clip.notes
    half = open_clip(FRAMES / 255, range="0,2")
    np.testing.assert_allclose(all_of(half), FRAMES / 2, atol=0.51)
    for wrong in ("5", "3,1", "a,b", (0, np.inf), 7):
        with pytest.raises(InputError, match="values of black and white"):
            open_clip(FRAMES / 255, range=wrong)


@pytest.mark.parametrize(
    "save",
    [
        np.save,
        lambda path, array: np.savez(path, X=array, y=np.arange(6)),
        lambda path, array: np.savez_compressed(path, film=array),
    ],
)
@pytest.mark.parametrize("array", [FRAMES, FRAMES / 255, np.asfortranarray(FRAMES[..., 0])])
def test_arrays_in_files(tmp_path, save, array):
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, array)
    clip = open_clip(path, start=1, every=2)
    assert clip.name == path.name
    expected = FRAMES if array.ndim == 4 else FRAMES[..., :1]
    for _ in range(2):
        np.testing.assert_array_equal(all_of(clip), expected[1::2])
    np.testing.assert_array_equal(clip.sample(2), expected[[1, 5]])


def test_flattened_frames_beside_their_shape(tmp_path):
    np.savez(tmp_path / "flat.npz", X=FRAMES[..., 0].reshape(6, -1), shape=[HEIGHT, WIDTH])
    np.testing.assert_array_equal(all_of(open_clip(tmp_path / "flat.npz")), FRAMES[..., :1])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (FRAMES[0, :, 0], r"has shape \(48, 3\): \(frames, height, width\) or"),
        (FRAMES.transpose(0, 3, 1, 2), r"did you mean \.transpose\(0, 2, 3, 1\)"),
        (np.zeros((2, 5, 5, 2), np.uint8), "with 1, 3 or 4 channels is needed"),
        (np.zeros((0, 5, 5), np.uint8), r"has no frames: its shape is \(0, 5, 5\)"),
        (np.zeros((2, 0, 5), np.uint8), "has no frames"),
        (np.where(FRAMES == 20, np.nan, FRAMES), "frame 0 of 'array' has values that are NaN or infinite"),
        (np.full((2, 5, 5), np.inf), "frame 0 of 'array' has values that are NaN or infinite"),
        (np.full((2, 5, 5), 300), "values from 300 to 300 of type int64: use uint8"),
        (np.full((2, 5, 5), -1), "values from -1 to -1"),
        (np.full((2, 5, 5), "a"), "values of type <U1: numbers are needed"),
        (np.full((2, 5, 5), 1j), "values of type complex128: numbers are needed"),
        ([[[1, 2]], [[1]]], "no array of one shape"),
        (None, "source=None is no clip"),
        (3.5, "source=3.5 is no clip"),
        (b"film", "is no clip"),
        ({"frames": 3}, "is no clip"),
        (True, "source=True is no clip"),
    ],
)
def test_arrays_that_are_no_clip(array, message):
    assert re.search(message, refusal(array))


def test_files_of_arrays_that_are_no_clip(tmp_path):
    np.savez(tmp_path / "rows.npz", X=np.zeros((5, 4)), y=np.zeros(5))
    message = refusal(tmp_path / "rows.npz")
    assert message.endswith("best under the name 'X'; it holds 'X' (5, 4), 'y' (5,).")
    np.savez(tmp_path / "two.npz", a=FRAMES, b=FRAMES)
    assert "needs one array of frames" in refusal(tmp_path / "two.npz")
    np.save(tmp_path / "objects.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    assert refusal(tmp_path / "objects.npy") == "'objects.npy' holds Python objects, not numbers."
    np.save(tmp_path / "cut.npy", FRAMES)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-5])
    with pytest.raises(InputError, match="cannot read 'cut.npy': it is damaged"):
        all_of(open_clip(tmp_path / "cut.npy"))


def test_the_array_that_came_in_is_never_changed():
    array = np.random.default_rng(0).random((4, 20, 30, 3))
    before = array.copy()
    clip = open_clip(array, scale=0.5, gray=True)
    all_of(clip)[:] = 0
    np.testing.assert_array_equal(array, before)
    frames = FRAMES.copy()
    for batch in open_clip(frames).batches():
        batch[:] = 0
    np.testing.assert_array_equal(frames, FRAMES)


def test_flattened_frames_of_another_shape(tmp_path):
    np.savez(tmp_path / "flat.npz", X=np.zeros((6, 100), np.uint8), shape=[9, 9])
    message = refusal(tmp_path / "flat.npz")
    assert message == "'flat.npz' holds frames of 100 values, which are not of shape (9, 9)."


# What cannot be meant --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 6}, "start=6 is frame 6: 'array' has only 6 frames, counted from 0."),
        ({"start": "1:02"}, "start='1:02' is frame 1550: 'array' has only 6 frames, counted from 0."),
        ({"start": 4, "stop": 4}, "stop=4 must come after start=4: no frame is left."),
        ({"start": "2s", "stop": "1s"}, "stop='1s' must come after start='2s': no frame is left."),
        ({"stop": 0}, "stop=0 must come after the first frame: no frame is left."),
        ({"start": -1}, "start=-1 is not understood: use a number of a frame from 0, or a time such as"),
        ({"stop": 2.5}, "stop=2.5 is not understood: use a number"),
        ({"start": True}, "start=True is not understood"),
        ({"start": "soon"}, "start='soon' is not understood"),
        ({"start": "1:75"}, "start='1:75' is not understood"),
        ({"start": "-2s"}, "start='-2s' is not understood"),
        ({"start": "nans"}, "start='nans' is not understood"),
        ({"start": ""}, "start='' is not understood"),
        ({"every": 0}, "every=0 must be a whole number from 1: 2 keeps every second frame."),
        ({"every": -3}, "every=-3 must be a whole number from 1"),
        ({"every": 1.5}, "every=1.5 must be a whole number from 1"),
        ({"every": "2"}, "every='2' must be a whole number from 1"),
        ({"scale": 0}, "scale=0 is not understood: use a factor"),
        ({"scale": -1}, "scale=-1 is not understood"),
        ({"scale": float("nan")}, "scale=nan is not understood"),
        ({"scale": float("inf")}, "scale=inf is not understood"),
        ({"scale": "half"}, "scale='half' is not understood"),
        ({"scale": "3x"}, "scale='3x' is not understood"),
        ({"scale": (1, 2, 3)}, "scale=(1, 2, 3) is not understood"),
        ({"scale": (0, 5)}, "scale=(0, 5) would make 0 x 5 pixels of 64 x 48: each side must be from 1 to"),
        ({"scale": 0.001}, "scale=0.001 would make 0 x 0 pixels of 64 x 48"),
        ({"scale": 1e5}, "scale=100000.0 would make 6400000 x 4800000 pixels of 64 x 48"),
    ],
)  # fmt: skip
def test_selections_that_cannot_be_meant(options, message):
    assert refusal(FRAMES, **options).startswith(message)


@pytest.mark.parametrize("read", [lambda clip: clip.sample(0), lambda clip: next(clip.batches(0))])
def test_nothing_at_once_is_refused(read):
    with pytest.raises(InputError, match="must be 1 or more"):
        read(open_clip(FRAMES))


def test_an_iterator_is_read_once_and_gives_its_frames_in_every_pass():
    frames = np.arange(4 * 5 * 6 * 3, dtype=np.uint8).reshape(4, 5, 6, 3)
    clip = open_clip(frame for frame in frames)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate(list(clip.batches(3))), frames)
