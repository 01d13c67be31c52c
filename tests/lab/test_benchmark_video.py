"""Benchmark of films: the measures are right, no truth reaches a method, nothing measured is lost."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from naive_video import naive_half_sample_mode
from typer.testing import CliRunner

from robustae import datasets
from robustae.cli import app
from robustae.lab import Cannot, Plan, video, video_methods
from robustae.lab.memory import with_peak
from robustae.lab.pixels import f1, otsu, ranking, smoothed
from robustae.lab.tables import tables
from robustae.lab.video_methods import ORACLE, OURS, Found
from robustae.metrics import auprc, auroc, best_f1
from robustae.utils.checks import InputError, NotFound

MEDIAN = "temporal median"


def run(*arguments):
    return CliRunner().invoke(app, ["benchmark", "video", *map(str, arguments)])


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


# Measures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [0, 1, 8])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.97])
def test_ranking_is_that_of_scikit_learn(rng, digits, share):
    y = rng.random(3000) < share
    score = (rng.normal(size=3000) + y).round(digits).astype(np.float32)
    found = ranking(y, score)
    assert found["auroc"] == pytest.approx(auroc(y, score), abs=1e-12)
    assert found["auprc"] == pytest.approx(auprc(y, score), abs=1e-12)
    assert found["best_f1"] == pytest.approx(best_f1(y, score), abs=1e-12)


@pytest.mark.parametrize("score", [np.zeros(10), np.arange(10.0), -np.arange(10.0)])
def test_ranking_of_ties_and_extremes(score):
    y = np.arange(10) > 6
    assert ranking(y, score)["auroc"] == pytest.approx(auroc(y, score))
    assert ranking(y, score)["auprc"] == pytest.approx(auprc(y, score))
    assert ranking(y, score)["best_f1"] == pytest.approx(best_f1(y, score))


def test_ranking_refuses_what_has_no_answer():
    with pytest.raises(InputError, match="not finite in 1 of 2"):
        ranking(np.array([True, False]), np.array([np.nan, 0]))
    with pytest.raises(InputError, match="foreground and of the background"):
        ranking(np.array([True, True]), np.zeros(2))


def test_f1_of_masks():
    y, mask = np.array([1, 1, 1, 0, 0], bool), np.array([1, 0, 0, 1, 0], bool)
    assert f1(y, mask) == pytest.approx(2 / 5)
    assert f1(y, y) == 1
    assert f1(y, ~y) == f1(~(y | True), y & False) == 0


def test_otsu_lies_between_two_heaps(rng):
    score = np.concatenate([rng.normal(1, 0.1, 5000), rng.normal(5, 0.1, 300)])
    assert 1.3 < otsu(score) < 4.7


def test_smoothing_keeps_frames_apart():
    score = np.zeros((3, 20, 30), np.float32)
    score[1, 10, 15] = 1
    out = smoothed(score, 2)
    assert out.sum() == pytest.approx(1, rel=1e-3)
    assert not out[0].any() and not out[2].any()
    assert (smoothed(score, 0) == score).all()


def test_peak_memory_is_that_of_the_work():
    found, peak = with_peak(lambda: np.ones(2**22).sum())
    assert found == 2**22
    if peak is None:
        pytest.skip("the system does not tell peaks of memory")
    assert 25 < peak < 80


# Methods --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 30])
def test_half_sample_mode_is_that_of_each_pixel(rng, n):
    frames = rng.integers(0, 12, (n, 3, 4, 3)).astype(np.uint8)
    ours = video_methods.half_sample_mode(frames)
    expected = [naive_half_sample_mode(pixel) for pixel in frames.reshape(n, -1).T]
    np.testing.assert_allclose(ours.ravel(), expected)


def test_half_sample_mode_is_not_moved_by_a_large_minority():
    pixel = np.array([10, 11, 10, 9, 10, 200, 150, 90, 250])[:, None]
    assert 9 <= video_methods.half_sample_mode(pixel)[0] <= 11


@pytest.fixture(scope="module")
def film():
    return video._scene("a scene", 3)


PEERS = [name for name in video_methods.video_methods() if name != OURS]


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_sees_what_moves_and_leaves_the_frames(film, name):
    if name in ("MOG2", "KNN"):
        pytest.importorskip("cv2")
    frames = film.frames.copy()
    found = video_methods.video_methods()[name](frames)
    assert (frames == film.frames).all()
    assert found.score.shape == film.truth.shape and found.score.dtype == np.float32
    assert auroc(film.foreground.ravel(), found.score.ravel()) > 0.85
    assert found.mask is None or found.mask.shape == film.truth.shape


def test_opencv_has_one_thread_and_as_many_as_before_after(film, monkeypatch):
    cv2 = pytest.importorskip("cv2")
    before = cv2.getNumThreads()
    with video_methods._opencv() as inside:
        assert inside.getNumThreads() == 1
    assert cv2.getNumThreads() == before


@pytest.mark.parametrize("name", ["MOG2", "KNN"])
def test_without_opencv_it_is_said(film, monkeypatch, name):
    monkeypatch.setattr(video_methods, "find_spec", lambda module: None)
    with pytest.raises(Cannot, match=r"robustae\[benchmarks\]"):
        video_methods.video_methods()[name](film.frames)


def test_ours_is_taken_as_given(film, monkeypatch):
    score = np.random.default_rng(0).random(film.truth.shape).astype(np.float32)
    halves = [
        SimpleNamespace(first=first, score=score[first : first + 20], mask=score[first : first + 20] > 0.5)
        for first in (0, 20)
    ]
    monkeypatch.setattr("robustae.video.separate", lambda frames: halves)
    found = video_methods.video_methods()[OURS](film.frames)
    assert found.final
    np.testing.assert_array_equal(found.score, score)
    np.testing.assert_array_equal(found.mask, score > 0.5)


# The experiment -------------------------------------------------------------------------------------


@pytest.fixture
def only(monkeypatch):
    """Have one method: a spy that is told frames, and gives what the test says."""
    told = []

    def have(found):
        def spy(*arguments, **named):
            told.append((arguments, named))
            return found(*arguments)

        monkeypatch.setattr(video, "video_methods", lambda quick=False: {OURS: spy})
        video._warm.cache_clear()
        return told

    yield have
    video._warm.cache_clear()


def measured(name=OURS):
    (job,) = (
        job for job in video.jobs(Plan(quick=True)) if job.key == {"set": "moving scene 1", "method": name}
    )
    return job.run()


def test_methods_see_frames_and_nothing_else(only):
    told = only(lambda frames: Found(frames.mean(axis=-1).astype(np.float32)))
    measured()
    film = video.film_of("moving scene 1")
    (frames,), named = told[-1]
    assert named == {}
    np.testing.assert_array_equal(frames, film.frames)


def test_a_score_as_given_has_one_row_and_others_one_for_each_smoothing(only):
    only(lambda frames: Found(frames[..., 0].astype(np.float32), frames[..., 0] > 128, final=True))
    (row,) = measured()
    assert row["smoothing"] == "as given"
    only(lambda frames: Found(frames[..., 0].astype(np.float32), frames[..., 0] > 128))
    rows = measured()
    assert [row["smoothing"] for row in rows] == list(video.SMOOTHINGS)
    assert rows[0]["auprc"] == row["auprc"] != rows[1]["auprc"]
    assert {one["f1"] for one in rows} == {row["f1"]}
    assert row["ms"] >= row["pass_ms"] >= 0


def test_ignored_pixels_do_not_count(only, monkeypatch):
    film = video.film_of("moving scene 1")
    truth = film.truth.copy()
    truth[:, :, ::2] = np.where(np.arange(len(truth)) % 2, 85, 170)[:, None, None]
    truth[:, 1::2, 1::2] = np.where(truth[:, 1::2, 1::2] == 0, 50, 255)
    spoilt = datasets.VideoSequence("film", film.frames, truth)
    monkeypatch.setattr(video, "film_of", lambda name: spoilt)
    only(lambda frames: Found(np.where(film.foreground | (np.arange(64) % 2 == 0), 1, 0).astype(np.float32)))
    row = measured()[0]
    assert row["auroc"] == row["auprc"] == row["best_f1"] == 1
    assert row["chance"] == pytest.approx(film.foreground[:, :, 1::2].mean())


def test_the_oracle_needs_the_background(monkeypatch):
    film = video.film_of("moving scene 1")
    assert video._found(film, ORACLE).score.shape == film.truth.shape
    with pytest.raises(Cannot, match="not known"):
        video._found(datasets.VideoSequence("film", film.frames, film.truth), ORACLE)


def rows_of(values):
    """values: method -> smoothing -> AUPRC by film."""
    rest = dict.fromkeys(video.MEASURES, 0.5) | {"chance": 0.1}
    return [
        {"set": f"film {k}", "method": method, "smoothing": smoothing, **rest, "auprc": value}
        for method, of in values.items()
        for smoothing, column in of.items()
        for k, value in enumerate(column)
    ]


def test_summary_has_the_smoothing_best_on_average_and_the_paired_difference():
    rows = rows_of({"MOG2": {"none": (0.9, 0.1), "Gaussian 2": (0.5, 0.6)}, OURS: {"as given": (0.8, 0.8)}})
    found = {(row["set"], row["method"]): row for row in video.summary(rows) if row["measure"] == "auprc"}
    mean = found[video.MEAN, "MOG2 (Gaussian 2)"]
    assert mean["mean"] == pytest.approx(0.55) and mean["draws"] == 2
    assert mean["difference"] == pytest.approx(0.25) and mean["low"] < 0.25 < mean["high"]
    assert found["film 0", "MOG2 (Gaussian 2)"]["mean"] == 0.5
    assert not any("none" in method for _, method in found)
    table = tables(video.summary(rows), video.REFERENCE)[0]
    assert table.columns[-1] == f"{OURS} - it"


def test_a_method_that_lacks_a_film_has_no_mean():
    rows = rows_of({"MOG2": {"none": (0.9,)}, OURS: {"as given": (0.8, 0.8)}})
    means = {row["method"] for row in video.summary(rows) if row["set"] == video.MEAN}
    assert means == {OURS}


def test_chance_is_what_a_random_score_has(rng):
    y = rng.random(20000) < 0.2
    found = ranking(y, rng.random(20000))
    rows = [{"chance": 0.2}]
    assert video._chance("auprc", rows) == pytest.approx(found["auprc"], abs=0.02)
    assert video._chance("auroc", rows) == pytest.approx(found["auroc"], abs=0.02)
    assert video._chance("best_f1", rows) == pytest.approx(f1(y, np.ones_like(y)), abs=0.01)
    assert video._chance("ms", rows) is None


# As a user meets it ---------------------------------------------------------------------------------


def test_in_short_from_the_command_line_and_again(tmp_path):
    result = run("--quick", "--method", MEDIAN, "--method", ORACLE, "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["experiments"]
    assert found["failed"] == found["absent"] == {} and found["ran"] == 4
    best = [row["mean"] for row in found["summary"] if row["measure"] == "auprc"]
    assert min(best) > 0.95
    assert len(lines(tmp_path / "video.csv")) == 1 + 4 * len(video.SMOOTHINGS)
    before = (tmp_path / "video.csv").read_bytes()
    again = run("--quick", "--method", MEDIAN, "--method", ORACLE, "--out", tmp_path, "--json")
    assert json.loads(again.stdout)["experiments"][0]["ran"] == 0
    assert (tmp_path / "video.csv").read_bytes() == before


def test_cut_off_within_a_job_it_is_done_again_whole(tmp_path):
    arguments = ("--quick", "--method", MEDIAN, "--out", tmp_path)
    run(*arguments)
    path = tmp_path / "video.csv"
    path.write_bytes(path.read_bytes()[:-10])
    assert run(*arguments).exit_code == 0
    keys = [tuple(line.split(",")[:3]) for line in lines(path)[1:]]
    assert len(keys) == len(set(keys)) == 2 * len(video.SMOOTHINGS)


def test_ours_in_short_with_its_picture(tmp_path):
    pytest.importorskip("matplotlib")
    result = run("--quick", "--method", OURS, "--set", "moving scene 1", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "separate" in result.stdout
    assert (tmp_path / "video_moving_scene_1.png").read_bytes()[:4] == b"\x89PNG"


def test_films_that_are_not_here_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUSTAE_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    result = run("--out", tmp_path / "out", "--method", MEDIAN)
    assert result.exit_code == 2
    assert "Left out: highway" in result.stdout and "video/highway/frames.mkv" in result.stdout


def test_a_typo_in_a_method_is_answered(tmp_path):
    result = run("--method", "MOG", "--out", tmp_path / "out")
    assert result.exit_code == 2 and "did you mean 'MOG2'?" in result.stderr


# The films ------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A data folder with one little film."""
    av = pytest.importorskip("av")
    monkeypatch.delenv("ROBUSTAE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    folder = tmp_path / "mine/video/pond"
    folder.mkdir(parents=True)
    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 32, 3)).astype(np.uint8)
    with av.open(str(folder / "frames.mkv"), "w") as film:
        stream = film.add_stream("ffv1", rate=15, width=32, height=16, pix_fmt="bgr0")
        for frame in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        film.mux(stream.encode())
    np.savez(folder / "truth.npz", gt=np.resize([0, 50, 85, 170, 255], (3, 16, 32)).astype(np.uint8))
    return SimpleNamespace(path=tmp_path / "mine", folder=folder, frames=frames)


def test_a_film_comes_back_bit_by_bit_with_its_truth(home):
    assert datasets.video_sequences(home.path) == ["pond"]
    film = datasets.fetch_video_sequence("pond", home.path)
    np.testing.assert_array_equal(film.frames, home.frames)
    assert set(film.truth[film.foreground]) == {255}
    assert set(film.truth[film.labelled & ~film.foreground]) == {0, 50}
    assert film.background is None


def test_films_by_name_that_are_not_there(home):
    with pytest.raises(NotFound, match=r"video/highway/truth.npz"):
        datasets.fetch_video_sequence("highway", home.path)
    with pytest.raises(InputError, match="did you mean 'pond'"):
        datasets.fetch_video_sequence("ponds", home.path)
    (home.folder / "truth.npz").unlink()
    assert datasets.video_sequences(home.path) == []


def test_masks_that_do_not_fit_the_film_are_refused(home):
    np.savez(home.folder / "truth.npz", gt=np.zeros((2, 16, 32), np.uint8))
    with pytest.raises(InputError, match="one mask for each frame"):
        datasets.fetch_video_sequence("pond", home.path)


def test_every_real_film_has_truth_and_background(data_home):
    names = datasets.video_sequences()
    if not names:
        pytest.skip("needs public films under ROBUSTAE_DATA/video")
    film = datasets.fetch_video_sequence(names[0])
    assert film.frames.shape[:3] == film.truth.shape and film.frames.dtype == film.truth.dtype == np.uint8
    assert film.foreground.any() and film.background is not None
    assert film.background.shape == film.frames.shape[1:]
