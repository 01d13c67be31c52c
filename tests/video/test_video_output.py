"""Films, tables and the folder of a separated clip: they show what was found, whole or not at all."""

import csv
import errno
import io
import json
import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robustae.data.clips import open_clip
from robustae.utils.checks import InputError
from robustae.video import output, writing
from robustae.video.output import Interrupted, write_folder
from robustae.video.sheets import Sheet
from robustae.video.writing import film, film_name, png

av = pytest.importorskip("av")

HEIGHT, WIDTH, COUNT, THRESHOLD = 40, 60, 30, 3.0
BACKGROUND = np.full((HEIGHT, WIDTH, 3), (30, 90, 60), np.uint8)


def walker(number, height=HEIGHT, width=WIDTH):
    """The mask of a square that goes across the picture, larger in frames 20 to 22."""
    mask, size = np.zeros((height, width), bool), 16 if number in (20, 21, 22) else 8
    mask[4 : 4 + size, number : number + size] = True
    return mask


@dataclass
class Batch:
    first: int
    frames: np.ndarray
    background: np.ndarray
    foreground: np.ndarray
    score: np.ndarray
    mask: np.ndarray


@dataclass
class Separation:
    """What the writer expects, without any model."""

    clip: Any
    moving: bool = False
    ends: Any = None  # raised after the first two batches
    size: int = 7
    threshold: float = THRESHOLD
    model: Any = field(default_factory=lambda: SimpleNamespace(lam_=np.float32(0.5), hidden_=1))
    settings: dict = field(default_factory=lambda: {"penalty": "l1", "lam": math.inf})
    timings: dict = field(default_factory=lambda: {"fit": 0.25})

    def __post_init__(self):
        names = ("frame", "seconds", "share", "score", "flagged", "blobs", "boxes")
        self.activity_so_far = {name: [] for name in names}

    @property
    def background(self):
        return BACKGROUND

    def __iter__(self):
        first = self.clip.first
        for number, frames in enumerate(self.clip.batches(self.size)):
            if number == 2 and self.ends is not None:
                raise self.ends
            yield self.batch(first, frames)
            first += len(frames) * self.clip.every

    def batch(self, first, frames):
        numbers = range(first, first + len(frames) * self.clip.every, self.clip.every)
        mask = np.stack([walker(number, *frames.shape[1:3]) for number in numbers])
        for number, one in zip(numbers, mask, strict=True):
            row = (
                number,
                number / self.clip.fps,
                one.mean(),
                1.5,
                number in (20, 21, 22),
                1,
                f"{number},4,8,8",
            )
            for column, value in zip(self.activity_so_far.values(), row, strict=True):
                column.append(value)
        background = np.broadcast_to(BACKGROUND[0, 0], frames.shape).copy()
        difference = np.where(mask[..., None], frames - background.astype(np.float32), 0)
        return Batch(first, frames, background, difference, np.where(mask, 6.0, 1.0).astype(np.float32), mask)


def clip_of(count=COUNT, height=HEIGHT, width=WIDTH, **options):
    frames = np.broadcast_to(BACKGROUND[0, 0], (count, height, width, 3)).copy()
    for number, frame in enumerate(frames):
        frame[walker(number, height, width)] = (220, 40, 160)
    return open_clip(frames, **options)


def read(path, **options):
    return np.concatenate(list(open_clip(path, **options).batches()))


def near(film, expected, within=12):
    """Films are lossy: most pixels must be close, those beside an edge may not."""
    return np.percentile(np.abs(film - expected.astype(float)), 95) <= within


# Films ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(40, 60), (41, 61), (3, 5), (576, 768)])
def test_a_film_shows_what_was_added(tmp_path, height, width):
    clip = clip_of(9, height, width)
    frames = read_all(clip)
    path = tmp_path / film_name("a")
    with film(path, height, width, 29.97) as writer:
        writer.add(frames[:4])
        writer.add(frames[4:])
    shown = open_clip(path)
    assert (shown.count, round(shown.fps, 2)) == (9, 29.97)
    assert (shown.height, shown.width) == (height + height % 2, width + width % 2)
    assert near(read(path)[:, :height, :width], frames)


def read_all(clip):
    return np.concatenate(list(clip.batches()))


def test_gray_frames_and_a_file_in_memory():
    masks = np.stack([walker(number) for number in range(5)]) * np.uint8(255)
    memory = io.BytesIO()
    with film(memory, HEIGHT, WIDTH, 25) as writer:
        writer.add(masks)
    with av.open(io.BytesIO(memory.getvalue())) as container:
        shown = np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])
    np.testing.assert_array_equal(shown > 127, masks > 127)


def test_browsers_find_the_format_its_colours_and_its_table_of_contents(tmp_path):
    path = tmp_path / film_name("a")
    with film(path, HEIGHT, WIDTH, 25) as writer:
        writer.add(read_all(clip_of(40)))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        times = [frame.time for frame in frames]
    np.testing.assert_allclose(times, np.arange(40) / 25, atol=1e-6)
    assert sum(frame.key_frame for frame in frames) >= 2
    assert (frames[0].colorspace, frames[0].color_range) == (1, 1)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_vp9_where_there_is_no_h264(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "_coding", lambda: writing._CODINGS[1])
    frames = read_all(clip_of(6))
    path = tmp_path / film_name("a")
    assert path.suffix == ".webm"
    with film(path, HEIGHT, WIDTH, 25) as writer:
        writer.add(frames)
    assert near(read(path), frames)


def test_without_any_encoder_one_sentence(monkeypatch):
    monkeypatch.setattr(writing, "_CODINGS", ())
    writing._coding.cache_clear()
    with pytest.raises(InputError, match="this PyAV has neither"):
        film_name("a")
    writing._coding.cache_clear()


@pytest.mark.parametrize("shape", [(7, 5, 3), (7, 5)])
def test_png_keeps_every_pixel(tmp_path, rng, shape):
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(png(pixels))
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0].reshape(shape), pixels)


# The folder -------------------------------------------------------------------------------------------------


def write(tmp_path, separation, **options):
    out = tmp_path / "out"
    return out, write_folder(separation, out, **options)


def test_the_folder_holds_what_was_found(tmp_path):
    clip = clip_of()
    out, summary = write(tmp_path, Separation(clip), masks=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out"]
    names = ["activity.csv", "background.png", "foreground.mp4", "mask.mp4", "masks", "side_by_side.mp4",
             "summary.json"]  # fmt: skip
    assert sorted(entry.name for entry in out.iterdir()) == names
    masks = np.stack([walker(number) for number in range(COUNT)])
    np.testing.assert_array_equal(read(out / "background.png")[0], BACKGROUND)
    np.testing.assert_array_equal(read(out / "masks")[..., 0], masks * 255)
    assert ((read(out / "mask.mp4", gray=True)[..., 0] > 127) == masks).mean() > 0.999
    assert near(read(out / "foreground.mp4"), np.where(masks[..., None], read_all(clip), 0))
    assert json.loads((out / "summary.json").read_text()) == summary


def test_the_panels_of_the_side_by_side_film_are_where_the_facts_say(tmp_path):
    seen = {}
    out, _ = write(tmp_path, Separation(clip_of()), page=lambda facts: seen.update(facts) or "<p>page</p>")
    assert (out / "index.html").read_text() == "<p>page</p>"
    sheet, masks = read(out / "side_by_side.mp4"), np.stack([walker(number) for number in range(COUNT)])
    shown = {
        panel["name"]: sheet[
            :, panel["y"] : panel["y"] + seen["height"], panel["x"] : panel["x"] + seen["width"]
        ]
        for panel in seen["panels"]
    }
    frames = read_all(clip_of())
    assert near(shown["original"], frames)
    assert near(shown["background"], np.broadcast_to(BACKGROUND, frames.shape))
    assert near(shown["foreground"], np.where(masks[..., None], frames, 0))
    score = shown["score"].mean(-1) / 255 * seen["score_scale"]
    assert near(score, np.where(masks, 6.0, 1.0), 0.25)
    assert ((score > seen["threshold"]) == masks).mean() > 0.99
    assert seen["video"] == (out / "side_by_side.mp4").read_bytes()
    assert (seen["frames"], seen["fps"], seen["name"]) == (COUNT, 25.0, "array")
    assert seen["video_name"] == "side_by_side.mp4"


def test_activity_reads_back_and_names_the_frames_of_the_source(tmp_path):
    out, _ = write(tmp_path, Separation(clip_of(start=4, every=3, stop=20)), masks=True)
    numbers = list(range(4, 20, 3))
    with open(out / "activity.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == numbers
    assert [row["boxes"] for row in rows] == [f"{number},4,8,8" for number in numbers]
    assert [float(row["share"]) for row in rows] == [walker(number).mean() for number in numbers]
    names = sorted(entry.name for entry in (out / "masks").iterdir())
    assert names == [f"{number:06d}.png" for number in numbers]
    assert open_clip(out / "mask.mp4").fps == 10.0  # real time would be 8.3, slower than is played


def test_the_summary_tells_settings_results_and_versions(tmp_path):
    _, summary = write(tmp_path, Separation(clip_of()))
    assert summary["complete"] is True
    assert (summary["frames_done"], summary["frames"]) == (COUNT, COUNT)
    assert (summary["lam_"], summary["hidden_"]) == (0.5, 1)
    assert summary["settings"] == {"penalty": "l1", "lam": "inf"}
    assert summary["seconds"]["fit"] == 0.25
    assert 0 < summary["seconds"]["encode"] <= summary["seconds"]["total"]
    assert summary["frames_per_second"] == pytest.approx(COUNT / summary["seconds"]["total"])
    assert set(summary["versions"]) == {"robustae", "python", "torch", "numpy", "av"}
    assert summary["score_drawn_white"] == 4 * THRESHOLD


def test_the_busiest_moments_are_a_second_apart(tmp_path):
    seen = {}
    write(tmp_path, Separation(clip_of(), size=4), page=lambda facts: seen.update(facts) or "")
    moments = seen["thumbnails"]
    assert [moment["frame"] for moment in moments] == [20]
    assert moments[0]["share"] == walker(20).mean()
    assert moments[0]["png"].startswith(b"\x89PNG")
    seconds = np.array([moment["seconds"] for moment in moments_of(range(0, 3000, 4))])
    assert len(seconds) == 8
    assert np.diff(seconds).min() >= 1


def moments_of(numbers):
    from robustae.video.sheets import Busiest

    busiest, shares = Busiest(), np.random.default_rng(0).random(3000)
    for place, number in enumerate(numbers):
        moment = {"frame": place, "seconds": number / 25, "share": shares[number]}
        busiest.see(moment, np.zeros((4, 6, 3), np.uint8))
    return busiest.moments()


def test_nothing_is_busy_in_an_empty_scene(tmp_path):
    separation, seen = Separation(clip_of()), {}
    separation.batch = lambda first, frames: emptied(Separation.batch(separation, first, frames))
    write(tmp_path, separation, page=lambda facts: seen.update(facts) or "")
    assert seen["thumbnails"] == []


def emptied(batch):
    batch.mask[:] = False
    return batch


def test_a_moving_background_is_a_film(tmp_path):
    out, _ = write(tmp_path, Separation(clip_of(), moving=True))
    assert not (out / "background.png").exists()
    assert near(read(out / "background.mp4"), np.broadcast_to(BACKGROUND, (COUNT, *BACKGROUND.shape)))


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (41, 61), (2000, 300)])
def test_large_frames_are_scaled_for_the_sheet_and_odd_ones_keep_their_edge(height, width):
    sheet = Sheet(height, width, 12.0, still=True)
    mask = walker(3, height, width)
    frame = np.full((height, width, 3), 200, np.uint8)
    drawn = sheet(frame, frame // 2, np.where(mask, 6.0, 1.0), mask)
    assert drawn.shape == (sheet.height, sheet.width, 3)
    assert sheet.height % 2 == sheet.width % 2 == 0
    assert sheet.panel_height * sheet.panel_width <= 1.01 * 960 * 540
    assert sheet.panel_height / sheet.panel_width == pytest.approx(height / width, rel=0.01)
    places = {panel["name"]: (panel["y"], panel["x"]) for panel in sheet.panels}
    for name, level in (("original", 200), ("background", 100), ("score", 21)):
        y, x = places[name]
        corner = drawn[y : y + sheet.panel_height, x : x + sheet.panel_width][-1, -1]
        assert np.abs(corner - float(level)).max() <= 1


def test_long_films_stay_beside_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "_EMBEDDED", 100)
    seen = {}
    write(tmp_path, Separation(clip_of()), page=lambda facts: seen.update(facts) or "")
    assert (seen["video"], seen["video_name"]) == (None, "side_by_side.mp4")


def test_progress_is_told_after_every_batch(tmp_path):
    told = []
    write(tmp_path, Separation(clip_of(), size=10), progress=lambda done, total: told.append((done, total)))
    assert told == [(10, 30), (20, 30), (30, 30)]


# Stopped, failed ------------------------------------------------------------------------------------------


def test_an_interrupt_leaves_the_finished_part_whole(tmp_path):
    seen = {}
    separation = Separation(clip_of(), ends=KeyboardInterrupt())
    with pytest.raises(Interrupted, match="stopped after 14 of 30 frames") as caught:
        write(tmp_path, separation, masks=True, page=lambda facts: seen.update(facts) or "")
    assert (caught.value.done, caught.value.total) == (14, 30)
    out = tmp_path / "out"
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["complete"], summary["frames_done"], summary["frames"]) == (False, 14, 30)
    for name in ("foreground.mp4", "mask.mp4", "side_by_side.mp4"):
        assert len(read(out / name)) == 14
    assert len((out / "activity.csv").read_text().splitlines()) == 15
    assert len(list((out / "masks").iterdir())) == seen["frames"] == len(seen["activity"]["frame"]) == 14


def test_an_interrupt_before_the_first_frame_leaves_nothing(tmp_path):
    class Early(Separation):
        def __iter__(self):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="stopped after 0 of 30 frames"):
        write(tmp_path, Early(clip_of()))
    assert list(tmp_path.iterdir()) == []


def test_a_frame_that_cannot_be_read_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="cannot read frame 14"):
        write(tmp_path, Separation(clip_of(), ends=InputError("cannot read frame 14.")))
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_drawn_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write(tmp_path, Separation(clip_of()), page=lambda facts: str(1 / 0))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    def full(self, frames):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.FilmWriter, "add", full)
    with pytest.raises(InputError, match=r"^cannot write '.*out': No space left on device\.$"):
        write(tmp_path, Separation(clip_of()))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_an_earlier_run_is_replaced_and_any_other_kept(tmp_path):
    for _ in range(2):
        out, _ = write(tmp_path, Separation(clip_of(5)), masks=True)
    write(tmp_path, Separation(clip_of(5)))
    assert not (out / "masks").exists()
    (out / "diary.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds other files \('diary.txt'\)"):
        write(tmp_path, Separation(clip_of(5)))
    (out / "diary.txt").unlink()
    (out / "masks").mkdir()
    (out / "masks" / "carnival.png").write_text("mine")
    with pytest.raises(InputError, match=r"masks' holds other files \('carnival.png'\)"):
        write(tmp_path, Separation(clip_of(5)))
    assert (out / "masks" / "carnival.png").read_text() == "mine"


def test_nothing_is_read_when_the_place_is_no_good(tmp_path):
    class Unread(Separation):
        def __iter__(self):
            raise AssertionError

    with pytest.raises(InputError, match="there is no folder"):
        write_folder(Unread(clip_of()), tmp_path / "no" / "out")
