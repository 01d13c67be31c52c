"""Films of worse cameras (shaken, noisy, dark, foggy, cut), and what goes by before them."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from clips import all_of
from composed import HEIGHT, WIDTH, box, f1, walking, wall
from scipy.ndimage import gaussian_filter

from robustae.data.clips import open_clip
from robustae.datasets import VideoSequence
from robustae.lab.video_versions import VERSIONS, version
from robustae.video import load_scene, separate
from robustae.video.camera import camera_of
from robustae.video.pixels import blurred, difference, levels, regions, scaled, warped
from robustae.video.registration import Reference, inverse
from robustae.video.tracks import drawn, tracks_of

N = 60


@pytest.fixture(scope="module")
def film():
    """Somebody walks by before a wall twice as large as other tests' (a margin is cut off when shaken)."""
    people = walking(N, 3, shape=(80, 110), top=30, height=34, width=14)
    bare = wall(N, 80, 110, seed=3)
    tiles = 120 * (np.random.default_rng(3).random((20, 22)) - 0.5).repeat(4, 0).repeat(5, 1)[..., None]
    scene = replace(bare, frames=bare.frames + tiles, background=bare.background + tiles).seen(people)
    truth = np.where(scene.masks, 255, 0).astype(np.uint8)
    return VideoSequence("wall", scene.clip(noise=1), truth, None)


def separated(film, **settings):
    result = separate(film.frames, **settings)
    mask = np.concatenate([batch.mask for batch in result])
    return result, f1(mask, film.foreground)


@pytest.mark.parametrize("kind", VERSIONS)
def test_somebody_is_found_by_worse_cameras(film, kind):
    result, found = separated(version(film, kind, 1))
    assert found > (0.7 if kind == "lamp" else 0.8), kind
    camera = result.model.camera
    assert camera.shaking == (kind == "shaken")
    assert (camera.blur > 0) == (kind in ("noisy", "dark"))
    assert (camera.stretch > 1) == (kind in ("dark", "foggy"))
    assert any("camera shakes" in note for note in result.notes) == (kind == "shaken")


def test_versions_carry_the_truth_along(film):
    for kind in VERSIONS:
        one, again = version(film, kind, 5), version(film, kind, 5)
        np.testing.assert_array_equal(one.frames, again.frames)
        assert one.truth.shape == one.frames.shape[:3]
        assert one.background is None
    shaken = version(film, "shaken", 5)
    share = (shaken.truth == 255).mean()
    assert share == pytest.approx((film.truth[:, 8:-8, 8:-8] == 255).mean(), rel=0.1)


def test_a_shaking_camera_is_left_alone_where_that_is_forbidden(film, tmp_path):
    shaken = version(film, "shaken", 2)
    aligned, _ = separated(shaken)
    plain, _ = separated(shaken, stabilise=False)
    assert aligned.model.camera.shaking
    assert not plain.model.camera.shaking
    assert not any("shakes" in note for note in plain.notes)
    aligned.save(tmp_path / "scene")
    again = separate(shaken.frames, model=load_scene(tmp_path / "scene"))
    np.testing.assert_array_equal(next(iter(again)).mask, next(iter(aligned)).mask)
    assert again.model.camera == aligned.model.camera


@pytest.mark.parametrize("move", [(3.2, -1.4, 0.01, 0.0), (-0.6, 0.3, 0.0, 0.01), (0.0, 0.0, 0.0, 0.0)])
def test_a_move_is_found_and_undone(move):
    picture = wall(1, 120, 160, seed=1).frames[0]
    reference = Reference(picture)
    frame = warped(picture.astype(np.float32), inverse(reference.matrix(np.array(move))))
    found = reference.move_of(frame)
    assert (np.abs(found - move) < [0.06, 0.06, 1e-3, 1e-3]).all()
    back = reference.aligned(frame)
    inside = np.s_[8:-8, 8:-8]
    assert np.abs(back - picture)[inside].mean() < 3  # of interpolating grain twice


def test_water_that_moves_is_no_camera(rng):
    waves = gaussian_filter(rng.normal(size=(N, HEIGHT, WIDTH)), (1.5, 3, 3))
    frames = wall(N).frames + 30 * (waves / waves.std())[..., None]
    assert not camera_of(np.clip(frames, 0, 255).astype(np.uint8)).shaking


def test_grey_films_in_three_channels_have_no_shadows():
    """Somebody in a coat half as dark as the wall."""
    people = walking(N)
    scene = wall(N, channels=1, seed=2)
    frames = np.where(people[..., None], 0.6 * scene.frames, scene.frames)
    clip = np.clip(np.rint(frames + np.random.default_rng(0).normal(0, 2, frames.shape)), 0, 255)
    three = np.repeat(clip.astype(np.uint8), 3, axis=-1)
    found = [
        np.concatenate([batch.mask for batch in separate(one)]) for one in (clip.astype(np.uint8), three)
    ]
    np.testing.assert_array_equal(*found)
    assert f1(found[1], people) > 0.85


# ---------------------------------------------------------------- notes, frames that stand out


def test_a_cut_is_named_with_the_options_that_help():
    first, second = (wall(N, seed=seed).clip() for seed in (0, 7))
    result = separate(np.concatenate([first[:40], second]))
    assert result.activity["frame"].size == 40 + N
    note = next(note for note in result.notes if "cut" in note)
    assert "frame 40 (1.6 s)" in note
    assert "--stop 40" in note
    assert "--start 40" in note


@pytest.mark.parametrize("flash", [0.4, 1.6])
def test_light_that_changes_is_no_cut(flash):
    gains = np.where(np.arange(N) // 15 % 2, flash, 1.0)[:, None, None, None]
    result = separate(wall(N).seen(walking(N)).lit(gains).clip())
    assert result.activity["frame"].size == N
    assert not any("cut" in note for note in result.notes)


def test_nobody_stands_out_where_all_frames_are_alike():
    table = separate(wall(N).seen(walking(N)).clip()).activity
    assert not table["flagged"].any()
    quiet = separate(wall(N).clip()).activity
    assert not quiet["flagged"].any()


def test_the_busiest_frames_stand_out():
    people = box(N, np.where(np.arange(N) == 30, 10, np.nan)) | box(
        N, np.where(np.arange(N) == 30, 50, np.nan)
    )
    table = separate(wall(N).seen(people).clip()).activity
    assert table["flagged"].nonzero()[0].tolist() == [30]
    assert table["share"].argmax() == 30


def test_few_frames_and_pictures_that_no_background_fits_are_said(rng):
    short = separate(wall(4).seen(walking(4)).clip())
    assert short.activity["frame"].size == 4
    assert any("4 frames are few" in note for note in short.notes)
    grey = 60 + 160 * rng.random((N, 1, 1, 1))
    changing = gaussian_filter(rng.normal(size=(N, HEIGHT, WIDTH, 1)), (0, 6, 6, 0))
    noise = np.clip(grey + 60 * changing / changing.std(), 0, 255).astype(np.uint8)
    restless = separate(noise)
    assert restless.activity["frame"].size == N
    assert any("the camera moves" in note for note in restless.notes)
    still = separate(wall(N).clip())
    assert still.activity["frame"].size == N
    assert still.notes == []


# ---------------------------------------------------------------- tracks


def test_two_who_pass_each_other_keep_their_numbers():
    n, seconds = 40, 0.04 * np.arange(40)
    boxes = [f"{2 * k},10,8,12;{120 - 3 * k},40,8,12" for k in range(n)]
    boxes[20] = boxes[20].split(";")[0]  # out of sight for a moment
    table = tracks_of({"frame": range(n), "seconds": seconds, "boxes": boxes})
    rows = {number: np.array(table["blob"]) == number for number in (1, 2)}
    assert rows[1].sum() + rows[2].sum() == len(table["blob"]) == 2 * n - 1
    for number, speed, left in (
        (1, 50.0, 2 * np.arange(n)),
        (2, 75.0, 120 - 3 * np.delete(np.arange(n), 20)),
    ):
        np.testing.assert_array_equal(np.array(table["x"])[rows[number]], left)
        np.testing.assert_allclose(np.array(table["speed"])[rows[number]][1:], speed, rtol=1e-3)


def test_who_comes_much_later_is_somebody_else():
    table = tracks_of({"frame": [0, 90], "seconds": [0.0, 3.6], "boxes": ["1,1,5,5", "1,1,5,5"]})
    assert table["blob"] == [1, 2]
    assert tracks_of({"frame": [], "seconds": [], "boxes": []})["blob"] == []


def test_boxes_are_drawn_on_a_copy():
    frame = np.zeros((20, 30, 3), np.uint8)
    picture = drawn(frame, [(5, 4, 10, 8)])
    assert not frame.any()
    changed = picture.any(-1)
    assert changed.sum() == 2 * 10 + 2 * 8 - 4
    assert changed[4, 5:15].all()
    assert not changed[5:11, 6:14].any()


# ---------------------------------------------------------------- with and without OpenCV

SAME = """
import sys, numpy as np
sys.modules["cv2"] = None  # importing it fails
import importlib.util as util
find = util.find_spec
util.find_spec = lambda name, *rest: None if name == "cv2" else find(name, *rest)
from robustae.video.pixels import blurred, difference, levels, regions, scaled, warped
values = np.load(sys.argv[1])
frame, ground, table, matrix, mask = (values[name] for name in ("frame", "ground", "table", "matrix", "mask"))
kept, boxes = regions(mask, 3)
np.savez(sys.argv[2], difference=difference(frame, ground), levels=levels(frame, table),
         scaled=scaled(ground * 0.7, 1.3), blurred=blurred(ground * 0.7, 1.5), bytes=blurred(frame, 1.1),
         warped=warped(ground * 0.7, matrix), kept=kept, boxes=np.sort(np.array(boxes), axis=0))
"""


def test_opencv_and_numpy_agree(tmp_path, rng):
    pytest.importorskip("cv2")
    frame, ground = rng.integers(0, 256, (2, 31, 44, 3), np.uint8)
    table = np.sqrt(np.arange(256, dtype=np.float32))
    matrix = np.array([[1.01, -0.02, 1.3], [0.02, 0.99, -0.7]])
    mask = blurred(rng.normal(size=(31, 44)).astype(np.float32), 1.0) > 0.2
    half = (ground * 0.7).astype(np.float32)
    np.savez(
        tmp_path / "in.npz",
        frame=frame,
        ground=ground.astype(np.float32),
        table=table,
        matrix=matrix,
        mask=mask,
    )
    script = SAME.replace("difference(frame, ground)", "difference(frame, ground.astype(np.uint8))")
    subprocess.run([sys.executable, "-c", script, tmp_path / "in.npz", tmp_path / "out.npz"], check=True)
    with np.load(tmp_path / "out.npz") as other:
        np.testing.assert_array_equal(other["difference"], difference(frame, ground))
        np.testing.assert_array_equal(other["levels"], levels(frame, table))
        np.testing.assert_allclose(other["scaled"].astype(int), scaled(half, 1.3).astype(int), atol=1)
        np.testing.assert_allclose(other["blurred"], blurred(half, 1.5), rtol=1e-4)
        np.testing.assert_allclose(other["bytes"].astype(int), blurred(frame, 1.1).astype(int), atol=1)
        inside = np.s_[4:-4, 4:-4]
        np.testing.assert_allclose(other["warped"][inside], warped(half, matrix)[inside], atol=4)
        kept, boxes = regions(mask, 3)
        np.testing.assert_array_equal(other["kept"], kept)
        np.testing.assert_array_equal(other["boxes"], np.sort(np.array(boxes), axis=0))


# ---------------------------------------------------------------- times and animations


def test_times_of_a_film_whose_rate_changes(tmp_path):
    av = pytest.importorskip("av")
    stamps = [0, 40, 80, 120, 500, 900, 1300, 1340, 1380]  # thousandths
    with av.open(str(tmp_path / "film.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 16, 24, "bgr0"
        stream.codec_context.time_base = Fraction(1, 1000)
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(np.full((16, 24, 3), stamp % 251, np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    clip = open_clip(tmp_path / "film.mkv", stop="1s")
    assert len(all_of(clip)) == 6
    assert [clip.seconds_of(number) for number in range(9)] == pytest.approx(
        [stamp / 1000 for stamp in stamps]
    )
    assert any("frame rate changes" in note for note in clip.notes)
    assert len(all_of(open_clip(tmp_path / "film.mkv", start="1.3s"))) == 3


@pytest.mark.parametrize("ending", [".png", ".webp"])
def test_animated_images_are_films(tmp_path, ending):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("av")
    pytest.importorskip("cv2")
    pictures = [image.fromarray(np.full((16, 24, 3), 40 * k, np.uint8)) for k in range(5)]
    path = tmp_path / f"film{ending}"
    how = {"lossless": True} if ending == ".webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, **how)
    clip = open_clip(path)
    assert clip.fps == 10
    assert all_of(clip)[:, 3, 4, 1].tolist() == [0, 40, 80, 120, 160]
    pictures[2].save(tmp_path / f"still{ending}", **how)
    assert len(all_of(open_clip(tmp_path / f"still{ending}"))) == 1


def test_a_cut_is_no_shaking():
    first, second = (wall(30, 120, 160, seed=seed).clip() for seed in (0, 7))
    assert not camera_of(np.concatenate([first, 255 - second])).shaking
