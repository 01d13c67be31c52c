"""Clips: the right frames, whatever they come from; what is odd is told, what is unusable refused."""

import os
import re
import struct
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from clips import HEIGHT, WIDTH, all_of, gradient, make_film, one_sentence, pictures, refusal, save_image

from robustae.data.clips import open_clip
from robustae.utils.checks import InputError, NotFound

av = pytest.importorskip("av")


@pytest.fixture
def film(tmp_path):
    return make_film(tmp_path / "film.mkv", pictures(30))


def test_a_lossless_film_comes_back_pixel_for_pixel_as_often_as_asked(film):
    clip = open_clip(film)
    assert (clip.name, clip.height, clip.width, clip.channels) == ("film.mkv", HEIGHT, WIDTH, 3)
    assert (clip.fps, clip.count, clip.live, clip.first, clip.every) == (25.0, 30, False, 0, 1)
    for _ in range(2):
        batches = list(clip.batches(8))
        assert [len(batch) for batch in batches] == [8, 8, 8, 6]
        assert all(batch.dtype == np.uint8 and batch.flags.c_contiguous for batch in batches)
        np.testing.assert_array_equal(np.concatenate(batches), pictures(30))
    assert clip.notes == []


def test_two_passes_may_run_at_once(film):
    clip = open_clip(film)
    for one, other in zip(clip.batches(4), clip.batches(4), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("start", "stop", "every", "numbers"),
    [
        (None, None, 1, range(30)),
        (5, None, 1, range(5, 30)),
        ("5", "9", 1, range(5, 9)),
        (0, 30, 4, range(0, 30, 4)),
        (3, 1000, 7, range(3, 30, 7)),
        ("0.2s", "1s", 2, range(5, 25, 2)),
        ("0.28s", "0:01", 1, range(7, 25)),
        ("0.29s", "0:00:01.04", 1, range(8, 26)),
        (np.int64(29), None, np.int64(3), [29]),
    ],
)
@pytest.mark.parametrize("kind", ["film", "array"])
def test_start_stop_and_every_name_frames_of_the_source(film, kind, start, stop, every, numbers):
    clip = open_clip(film if kind == "film" else pictures(30), start=start, stop=stop, every=every)
    assert (clip.first, clip.every, clip.count) == (numbers[0], every, len(numbers))
    np.testing.assert_array_equal(all_of(clip), pictures(30)[list(numbers)])


@pytest.mark.parametrize("most", [1, 2, 7, 29, 30, 500])
def test_a_sample_is_spread_evenly_from_the_first_frame_to_the_last(film, most):
    sample = open_clip(film).sample(most)
    numbers = np.linspace(0, 29, min(most, 30)).round().astype(int)
    np.testing.assert_array_equal(sample, pictures(30)[numbers])


def test_a_sample_keeps_to_what_was_asked_for(film):
    sample = open_clip(film, start=10, stop=21, every=5).sample(2)
    np.testing.assert_array_equal(sample, pictures(30)[[10, 20]])


def test_a_stream_without_a_table_of_contents_is_sampled_to_its_end(tmp_path):
    raw = make_film(tmp_path / "raw.h264", pictures(40), "libx264", "yuv444p", crf="1")
    sample = open_clip(raw).sample(5)
    assert np.abs(sample[:, 9, 9, 1] - pictures(40)[[0, 10, 20, 29, 39], 9, 9, 1].astype(float)).max() < 4


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "webm", "mov", "ts"])
def test_what_phones_and_cameras_write_is_read_in_its_colours(tmp_path, ending):
    codec = "libvpx-vp9" if ending == "webm" else "libx264"
    path = make_film(tmp_path / f"film.{ending}", pictures(12), codec, "yuv420p")
    clip = open_clip(path)
    error = np.abs(all_of(clip) - pictures(12).astype(float))
    assert clip.count == 12
    assert np.percentile(error, 95) < 8


@pytest.mark.parametrize(
    ("scale", "size"),
    [
        (0.5, (24, 32)),
        ("0.5", (24, 32)),
        ((32, 20), (20, 32)),
        ("32x20", (20, 32)),
        (1.5, (72, 96)),
        (None, (48, 64)),
    ],
)
@pytest.mark.parametrize("kind", ["film", "array"])
def test_scale(film, kind, scale, size):
    clip = open_clip(film if kind == "film" else pictures(3), scale=scale, stop=3)
    assert (clip.height, clip.width) == size
    frames = all_of(clip)
    assert frames.shape == (3, *size, 3)
    assert np.abs(frames - pictures(3, *size).astype(float)).mean() < 4


@pytest.mark.parametrize("kind", ["film", "array"])
def test_gray_is_one_channel_of_brightness(film, kind):
    clip = open_clip(film if kind == "film" else pictures(30), gray=True)
    assert clip.channels == 1
    luma = pictures(30) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(all_of(clip)[..., 0] - luma).max() < 2.5


def test_gray_films_have_one_channel_of_the_full_range(tmp_path):
    frames = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 16, axis=2).repeat(3, axis=0)
    clip = open_clip(make_film(tmp_path / "gray.mkv", frames, pix_fmt="gray"))
    assert clip.channels == 1
    np.testing.assert_array_equal(all_of(clip)[..., 0], frames)


@pytest.mark.parametrize("kind", ["gray16le", "rgb48le"])
def test_16_bits_become_8(tmp_path, kind):
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    pixels = ramp if kind == "gray16le" else np.stack([ramp, ramp[::-1], ramp.T], axis=-1)
    with av.open(str(tmp_path / "deep.mov"), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 64, kind.replace("le", "be")
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format=kind)))
        container.mux(stream.encode())
    frame = all_of(open_clip(tmp_path / "deep.mov"))[0]
    assert np.abs(frame - pixels.reshape(64, 64, -1) / 257).max() < 1.6


def test_transparency_is_ignored_and_told(tmp_path):
    pixels = np.dstack([gradient(3), np.full((HEIGHT, WIDTH), 10, np.uint8)])
    save_image(tmp_path / "glass.png", pixels, "rgba")
    clip = open_clip(tmp_path / "glass.png")
    np.testing.assert_array_equal(all_of(clip)[0], gradient(3))
    assert clip.notes == ["Transparency is ignored."]


def ask_to_turn(path, a, b, c, d):
    """Write the matrix of a track header (ISO 14496-12): 36 bytes, 40 behind the box's version."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    content[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("matrix", "clockwise"), [((0, 1, -1, 0), 1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 3)], ids=str
)
def test_frames_are_turned_as_the_file_asks(tmp_path, matrix, clockwise):
    path = make_film(tmp_path / "phone.mp4", pictures(3), "libx264rgb", "rgb24", qp="0")
    ask_to_turn(path, *matrix)
    clip = open_clip(path)
    turned = np.rot90(pictures(3), -clockwise, axes=(1, 2))
    assert (clip.height, clip.width) == turned.shape[1:3]
    np.testing.assert_array_equal(all_of(clip), turned)
    assert re.fullmatch(r"Frames are turned by \d+ degrees, as the file asks\.", clip.notes[0])
    half = open_clip(path, scale=0.5)
    assert all_of(half).shape == (3, turned.shape[1] // 2, turned.shape[2] // 2, 3)


def test_interlaced_frames_lose_their_comb(tmp_path):
    # A white bar moves by 8 pixels from field to field: woven, its edge is a comb.
    def field(k):
        picture = np.zeros((64, 128), np.uint8)
        picture[:, 8 * k : 8 * k + 32] = 255
        return picture

    woven = np.stack([np.where(np.arange(64)[:, None] % 2, field(2 * k + 1), field(2 * k)) for k in range(5)])
    path = make_film(tmp_path / "tv.mkv", woven, "mpeg2video", "yuv420p", flags="+ildct+ilme", qmax="2")
    clip = open_clip(path)
    frames = all_of(clip)[..., 0].astype(float)
    comb = np.abs(np.diff(frames, axis=1)).mean()
    assert len(frames) == 5
    assert comb < 0.3 * np.abs(np.diff(woven.astype(float), axis=1)).mean()
    assert clip.notes == ["Interlaced frames are deinterlaced."]


def test_frames_that_change_their_size_are_scaled_to_the_first(tmp_path):
    small = make_film(tmp_path / "a.ts", pictures(5), "libx264", "yuv420p").read_bytes()
    large = make_film(tmp_path / "b.ts", pictures(5, 96, 128), "libx264", "yuv420p").read_bytes()
    (tmp_path / "both.ts").write_bytes(small + large)
    clip = open_clip(tmp_path / "both.ts")
    frames = all_of(clip)
    assert frames.shape == (10, HEIGHT, WIDTH, 3)
    assert np.abs(frames[5:] - pictures(5).astype(float)).mean() < 8
    assert clip.notes == ["Frames change their size: all are scaled to the first one's 64 x 48."]


def damaged(path, where):
    content = bytearray(path.read_bytes())
    for place in where:
        at = int(place * len(content))
        content[at : at + 40] = bytes(40)
    broken = path.with_name("broken" + path.suffix)
    broken.write_bytes(content)
    return broken


def test_damaged_frames_are_left_out_and_counted(tmp_path, rng):
    frames = rng.integers(0, 256, (40, HEIGHT, WIDTH, 3), dtype=np.uint8)
    clip = open_clip(damaged(make_film(tmp_path / "a.mp4", frames, "libx264", "yuv420p", g="5"), [0.4, 0.6]))
    kept = len(all_of(clip))
    assert 20 <= kept < 40
    assert clip.count == kept
    assert clip.notes == [f"{40 - kept} damaged frames were left out."]
    assert len(clip.sample(4)) >= 3


@pytest.mark.parametrize("ending", ["mkv", "ts", "mp4"])
def test_a_film_that_is_cut_off_gives_the_frames_it_has(tmp_path, rng, ending):
    frames = rng.integers(0, 256, (40, HEIGHT, WIDTH, 3), dtype=np.uint8)
    whole = tmp_path / f"whole.{ending}"
    with av.open(str(whole), "w", options={"movflags": "faststart"} if ending == "mp4" else {}) as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "30", "bf": "0"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    cut = tmp_path / f"cut.{ending}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    clip = open_clip(cut)
    kept = len(all_of(clip))
    assert 10 < kept < 25
    assert len(clip.sample(5)) >= 4
    assert any("cut off" in note or "left out" in note for note in clip.notes)


def test_a_film_without_its_table_of_contents_is_refused(tmp_path):
    whole = make_film(tmp_path / "whole.mp4", pictures(20), "libx264", "yuv420p")
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    message = refusal(tmp_path / "cut.mp4")
    assert message == "cannot open 'cut.mp4': it is no video, or it was cut off before its table of contents."


def write_sound(path, cover=False):
    with av.open(str(path), "w") as container:
        sound = container.add_stream(
            "pcm_s16le" if path.suffix == ".wav" else "aac", rate=8000, layout="mono"
        )
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.int16), format="s16", layout="mono")
        samples.sample_rate = 8000
        if cover:
            picture = container.add_stream("mjpeg", rate=25)
            picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic.value
            container.mux([*picture.encode(av.VideoFrame(WIDTH, HEIGHT, "yuvj420p")), *picture.encode()])
        container.mux([*sound.encode(samples), *sound.encode()])
    return path


@pytest.mark.parametrize("name", ["song.mp4", "song.wav"])
def test_sound_alone_is_no_video(tmp_path, name):
    assert refusal(write_sound(tmp_path / name)) == f"{name!r} holds no video (it has sound only)."


def test_the_cover_of_a_record_is_no_video(tmp_path):
    message = refusal(write_sound(tmp_path / "cover.mp4", cover=True))
    assert message == "'cover.mp4' holds no video (it has sound only)."


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "cannot open 'empty.mp4': the file is empty."),
        (
            "words.mp4",
            b"these are words\n" * 99,
            "cannot open 'words.mp4': it is no video, or it was cut off",
        ),
        ("words.txt", b"these are words\n" * 99, "'words.txt' holds no video."),
        ("empty.png", b"", "cannot read the image '.*empty.png': it is damaged, or another kind of file."),
        ("words.jpg", b"these are words\n" * 99, "cannot read the image '.*words.jpg': it is damaged"),
        ("empty.npy", b"", "cannot read 'empty.npy': it is damaged, or another kind of file."),
        (
            "words.npy",
            b"these are words\n",
            "cannot read 'words.npy': it is damaged, or another kind of file.",
        ),
        (
            "words.npz",
            b"these are words\n",
            "cannot read 'words.npz': it is damaged, or another kind of file.",
        ),
    ],
)
def test_files_that_are_no_clip(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert re.match(message, refusal(tmp_path / name))


def test_what_is_not_there(tmp_path, film):
    with pytest.raises(NotFound, match=r"no file or folder '.*fillm.mkv': did you mean 'film.mkv'\?"):
        open_clip(tmp_path / "fillm.mkv")
    with pytest.raises(NotFound, match="nor a folder"):
        open_clip(tmp_path / "nowhere" / "film.mkv")


# Folders of images -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp"])
def test_a_folder_of_images_in_natural_order(tmp_path, ending):
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in range(12):
        save_image(folder / f"frame{number}.{ending}", gradient(number))
    (folder / "notes.txt").write_text("no image")
    (folder / "._frame0.png").write_bytes(b"left behind by a Mac")
    clip = open_clip(folder, start=1, every=3)
    assert (clip.name, clip.count, clip.fps) == ("shots", 4, 25.0)
    assert np.abs(all_of(clip) - pictures(12)[1::3].astype(float)).max() < (20 if ending == "jpg" else 1)


def test_a_percent_sign_in_the_name_of_an_image_is_no_pattern(tmp_path):
    save_image(tmp_path / "100%d.png", gradient(0))
    np.testing.assert_array_equal(all_of(open_clip(tmp_path / "100%d.png")), pictures(1))


def test_gray_images_have_one_channel(tmp_path):
    save_image(tmp_path / "a.png", gradient(0)[..., 0], "gray")
    clip = open_clip(tmp_path)
    assert clip.channels == 1
    np.testing.assert_array_equal(all_of(clip)[0, ..., 0], gradient(0)[..., 0])


def test_a_folder_without_images(tmp_path):
    assert "holds no images (.png" in refusal(tmp_path)
    (tmp_path / "film.mkv").write_bytes(b"")
    assert refusal(tmp_path).endswith("; it has 'film.mkv'.")


def test_images_must_be_of_one_size(tmp_path):
    save_image(tmp_path / "a.png", gradient(0))
    save_image(tmp_path / "b.png", gradient(1, 30, 20))
    with pytest.raises(InputError) as caught:
        all_of(open_clip(tmp_path))
    assert "'a.png' of 64 x 48, 'b.png' of 20 x 30 pixels" in one_sentence(caught)


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[: len(content) // 2]])
def test_an_image_that_cannot_be_read_is_named(tmp_path, damage, rng):
    for name in ("a.png", "b.png"):
        save_image(tmp_path / name, rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    (tmp_path / "b.png").write_bytes(damage((tmp_path / "b.png").read_bytes()))
    with pytest.raises(InputError, match=r"cannot read the image '.*b\.png': it is damaged") as caught:
        all_of(open_clip(tmp_path))
    one_sentence(caught)


def test_a_start_beyond_the_end_of_a_film_whose_length_was_unknown(tmp_path):
    clip = open_clip(make_film(tmp_path / "raw.h264", pictures(8), "libx264", "yuv420p"), start=50)
    for read in (lambda: clip.sample(3), lambda: all_of(clip)):
        with pytest.raises(InputError) as caught:
            read()
        assert one_sentence(caught) == "start is frame 50: 'raw.h264' has only 8 frames, counted from 0."


# Live ------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path):
    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(tmp_path), **options)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://user:secret@127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_a_stream_is_read_once_and_what_was_sampled_comes_first(server, film):
    clip = open_clip(f"{server}/film.mkv")
    assert (clip.live, clip.count) == (True, None)
    assert "secret" not in clip.name
    np.testing.assert_array_equal(clip.sample(10), pictures(10))
    np.testing.assert_array_equal(all_of(clip), pictures(30))
    with pytest.raises(InputError, match="is live: it can be read only once"):
        next(clip.batches())
    with pytest.raises(InputError, match="is live: take the sample before"):
        clip.sample(3)


def test_a_stream_keeps_to_start_stop_and_every(server, film):
    clip = open_clip(f"{server}/film.mkv", start=2, stop=20, every=4)
    np.testing.assert_array_equal(clip.sample(500), pictures(30)[2:20:4])
    assert clip.count == 5
    np.testing.assert_array_equal(all_of(clip), pictures(30)[2:20:4])


@pytest.mark.parametrize("read", [lambda clip: clip.sample(3), all_of])
def test_a_stream_that_ends_too_early(server, film, read):
    with pytest.raises(InputError) as caught:
        read(open_clip(f"{server}/film.mkv", start=30))
    assert one_sentence(caught).endswith("film.mkv' ended before frame 30 came.")


def test_a_stream_that_does_not_answer(server):
    message = refusal(f"{server}/nothing.mkv")
    assert re.fullmatch(r"cannot open 'http://127\.0\.0\.1:\d+/nothing\.mkv': .+\.", message)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_live(tmp_path, film):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(film.read_bytes()))
    writer.start()
    clip = open_clip(tmp_path / "pipe")
    assert clip.live
    np.testing.assert_array_equal(all_of(clip), pictures(30))
    writer.join()


@pytest.mark.parametrize("source", [7, "7"])
def test_a_camera_is_opened_by_its_number(monkeypatch, film, source):
    asked = []
    really = av.open

    def opened(place, **options):
        asked.append((place, options))
        return really(str(film))

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(av, "open", opened)
    clip = open_clip(source, stop=5)
    assert (clip.name, clip.live) == ("camera 7", True)
    np.testing.assert_array_equal(all_of(clip), pictures(5))
    assert asked == [("/dev/video7", {"format": "v4l2"})]


def test_a_camera_that_is_not_there(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert refusal(93).startswith("cannot open 'camera 93': ")
    monkeypatch.setattr("sys.platform", "win32")
    assert refusal(0) == "cameras are not known on win32: name the URL of a stream instead."


def test_opening_does_not_read_the_clip(tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in range(3):
        save_image(folder / f"{number}.png", gradient(number))
    (folder / "2.png").write_bytes(b"damaged")
    clip = open_clip(folder)
    np.testing.assert_array_equal(next(clip.batches(2)), pictures(2))


def test_without_pyav_the_extra_is_named(monkeypatch, film):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    assert refusal(film) == "reading video needs av: pip install 'robustae[video]'."
    np.testing.assert_array_equal(all_of(open_clip(pictures(3))), pictures(3))
