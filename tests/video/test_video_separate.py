"""What `robustae.video.separate` promises, on composed clips."""

import json
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from clips import one_sentence
from composed import f1, standing, walking, wall

from robustae import RobustAutoencoder, load
from robustae.utils.checks import InputError, NotFound
from robustae.video import Batch, MaskSettings, Scene, Separation, load_scene, separate, separation

N, HEIGHT, WIDTH = 70, 36, 48
FIELDS = ("frames", "background", "foreground", "score", "mask")
COLUMNS = ["frame", "seconds", "share", "score", "flagged", "blobs", "boxes"]
LINEAR = {"predictor": "linear", "hidden": 1}
PLACE = {"shape": (HEIGHT, WIDTH), "top": 8, "height": 20, "width": 8}


def people(n=N, channels=3, seed=0):
    return wall(n, HEIGHT, WIDTH, channels, seed).seen(walking(n, **PLACE))


@pytest.fixture(scope="module")
def scene():
    return people()


@pytest.fixture(scope="module")
def clip(scene):
    return scene.clip()


@pytest.fixture(scope="module")
def grey():
    return people(channels=1).clip()


@pytest.fixture(scope="module")
def result(clip):
    return separate(clip)


def joined(batches):
    batches = list(batches)
    return SimpleNamespace(
        **{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in FIELDS}
    )


def refusal(*arguments, kind=InputError, **options):
    with pytest.raises(kind) as caught:
        separate(*arguments, **options)
    return one_sentence(caught)


def same(one, other):
    one, other = joined(one), joined(other)
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in FIELDS)


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("settings", [{}, LINEAR], ids=["scene", "linear"])
def test_batches_have_their_shapes_and_types(channels, settings):
    clip = people(channels=channels).clip()
    result = separate(clip, **settings)
    assert isinstance(result, Separation)
    numbers = 0
    for batch in result:
        assert isinstance(batch, Batch)
        assert batch.first == numbers
        numbers += len(batch.frames)
        picture = (len(batch.frames), HEIGHT, WIDTH, 3)
        assert {name: getattr(batch, name).shape for name in FIELDS} == {
            "frames": picture,
            "background": picture,
            "foreground": picture,
            "score": picture[:3],
            "mask": picture[:3],
        }
        types = [getattr(batch, name).dtype.name for name in FIELDS]
        assert types == ["uint8", "uint8", "float32", "float32", "bool"]
        np.testing.assert_array_equal(batch.frames, clip[batch.first : numbers] + np.zeros(3, np.uint8))
    assert numbers == N
    assert result.moving == bool(settings)
    assert result.background.dtype == np.uint8
    assert result.background.shape == ((N,) if settings else ()) + (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("settings", [{}, LINEAR], ids=["scene", "linear"])
def test_somebody_is_foreground_and_the_wall_is_background(scene, clip, settings):
    found = joined(separate(clip, **settings))
    assert f1(found.mask, scene.masks) > 0.88
    assert np.abs(found.background - scene.background).max() < 12
    assert np.abs(found.background - scene.background).mean() < 1.5


def test_foreground_is_the_frame_minus_the_background_on_the_mask(result):
    found = joined(result)
    difference = found.frames - found.background.astype(np.float32)
    wanted = difference * found.mask[..., None]
    np.testing.assert_allclose(found.foreground, wanted, atol=0.51)  # the background is rounded
    assert not found.foreground[~found.mask].any()
    assert found.foreground.min() < -50
    assert found.foreground.max() > 50


def test_the_mask_is_the_score_above_the_threshold_but_for_small_blobs(clip):
    result = separate(clip, mask={"least_blob": 0, "cut": 4})
    assert result.threshold == 4
    found = joined(result)
    np.testing.assert_array_equal(found.mask, found.score > 4)
    cleared = joined(separate(clip, mask={"least_blob": 200}))
    assert cleared.mask.sum() < found.mask.sum()
    np.testing.assert_array_equal(cleared.score, found.score)


def test_a_second_pass_and_a_second_fit_give_the_same(clip, result):
    before = clip.copy()
    assert same(result, result)
    assert same(result, separate(clip))
    np.testing.assert_array_equal(clip, before)


def test_a_scene_without_anybody_has_no_foreground():
    found = separate(wall(40, HEIGHT, WIDTH).clip())
    assert not joined(found).mask.any()
    assert set(found.activity["boxes"]) == {""}


# ---------------------------------------------------------------- activity


def test_activity_is_a_table_of_all_frames(result):
    table, found = result.activity, joined(result)
    assert list(table) == COLUMNS
    assert {len(column) for column in table.values()} == {N}
    assert [table[name].dtype.kind for name in COLUMNS] == ["i", "f", "f", "f", "b", "i", "U"]
    np.testing.assert_array_equal(table["frame"], np.arange(N))
    np.testing.assert_allclose(table["seconds"], np.arange(N) / result.clip.fps)
    np.testing.assert_allclose(table["share"], found.mask.mean((1, 2)))
    np.testing.assert_allclose(table["score"], found.score.mean((1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(table["flagged"], table["share"] > -result.offset_)


def test_boxes_hold_the_mask(result):
    table, found = result.activity, joined(result)
    for mask, text, blobs in zip(found.mask, table["boxes"], table["blobs"], strict=True):
        covered = np.zeros_like(mask)
        boxes = [tuple(map(int, box.split(","))) for box in text.split(";") if box]
        assert len(boxes) == blobs
        for x, y, width, height in boxes:
            assert mask[y : y + height, x : x + width].any()
            covered[y : y + height, x : x + width] = True
        assert covered[mask].all()


def test_a_rare_passer_by_is_flagged():
    masks = walking(200, **PLACE)
    masks[45:] = False
    table = separate(wall(200, HEIGHT, WIDTH).seen(masks).clip()).activity
    there = masks.sum((1, 2)) > 60
    assert table["flagged"][there].all()
    assert table["flagged"][60:].mean() < 0.05


def test_an_interrupted_pass_is_begun_anew(clip):
    result = separate(clip)
    batch = next(iter(result))
    assert len(result.activity_so_far["frame"]) == len(batch.frames) < N
    assert len(result.activity["frame"]) == N
    assert len(result.activity_so_far["frame"]) == N


def test_what_was_seen_grows_with_the_batches(clip):
    result, count = separate(clip), 0
    assert list(result.activity_so_far) == COLUMNS
    for batch in result:
        count += len(batch.frames)
        assert result.activity_so_far["frame"].tolist() == list(range(count))


# ---------------------------------------------------------------- which frames


def test_frames_keep_their_numbers_in_the_source(clip, monkeypatch):
    monkeypatch.setattr(separation, "BATCH_FRAMES", 10)
    result = separate(clip, start=5, stop=68, every=2)
    numbers = np.arange(5, 68, 2)
    found, firsts, count = joined(result), [], 0
    np.testing.assert_array_equal(found.frames, clip[numbers])
    for batch in result:
        firsts.append(batch.first)
        assert batch.first == numbers[count]
        count += len(batch.frames)
    assert count == len(numbers)
    np.testing.assert_array_equal(result.activity["frame"], numbers)
    np.testing.assert_allclose(result.activity["seconds"], numbers / 25)
    assert result.clip.first == 5


def test_frames_may_be_smaller_and_grey(clip):
    result = separate(clip, scale=0.5, gray=True)
    batch = next(iter(result))
    assert batch.frames.shape[1:] == (HEIGHT // 2, WIDTH // 2, 3)
    assert (batch.frames == batch.frames[..., :1]).all()
    assert result.background.shape == (HEIGHT // 2, WIDTH // 2, 3)
    assert result.model.picture.shape == (HEIGHT // 2, WIDTH // 2, 1)


def test_any_kind_of_array_does(clip):
    wanted = joined(separate(clip))
    np.testing.assert_array_equal(joined(separate(clip / 255.0)).score, wanted.score)
    np.testing.assert_array_equal(joined(separate(clip.astype(np.uint16) * 257)).score, wanted.score)


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        ({"cutt": 3}, "did you mean 'cut'?"),
        ({"least blob": 3}, "did you mean 'least_blob'?"),
        ({"cut": 0}, "cut=0"),
        ({"cut": "high"}, "cut='high'"),
        ({"smooth": -1}, "smooth=-1"),
        ({"smooth": float("nan")}, "smooth=nan"),
        ({"smooth": "wide"}, "smooth='wide'"),
        ({"least_blob": -1}, "least_blob=-1"),
        ({"shadows": "no"}, "shadows='no'"),
    ],
)
def test_mask_settings_that_cannot_be_are_refused(clip, mask, says):
    assert says in refusal(clip, mask=mask)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"predictr": "linear"}, "did you mean 'predictor'?"),
        ({"predictor": "linea"}, "did you mean 'linear'?"),
        ({"window": 3}, "window=3"),
        ({"window": "all"}, "window='all'"),
        ({"window": True}, "window=True"),
        ({"every": 0}, "every=0"),
        ({"start": 999}, "start=999"),
        ({"stop": 1}, "1 is too few"),
    ],
)
def test_settings_that_cannot_be_are_refused(clip, options, says):
    assert says in refusal(clip, **options)


def test_settings_are_told_in_json(clip):
    chosen = {"smooth": np.float32(2), "cut": np.float64(3), "least_blob": np.int64(7), "shadows": False}
    result = separate(clip, mask=chosen, window=np.int64(30), lam=np.float32(5), **LINEAR)
    told = json.loads(json.dumps(result.settings))
    assert told == result.settings
    assert told["cut"] == 3
    assert told["smooth"] == 2
    assert told["least_blob"] == 7
    assert told["shadows"] is False
    assert told["window"] == 30
    assert told["predictor"] == "linear"
    assert json.loads(json.dumps(separate(clip).settings))["smooth"] == 1.5


def test_automatic_mask_settings_follow_the_size():
    assert MaskSettings().at(120, 160) == MaskSettings(4.5, 1.5, True, 6)
    assert MaskSettings().at(600, 800).smooth == 4
    assert MaskSettings(smooth=0, least_blob=0).at(600, 800) == MaskSettings(4.5, 0.0, True, 0)


def test_a_shadow_is_no_foreground_unless_asked_for():
    bare = wall(40, HEIGHT, WIDTH)
    shadow = walking(40, **PLACE)
    clip = bare.lit(np.where(shadow, 0.7, 1)[..., None]).clip()
    assert joined(separate(clip)).mask[shadow].mean() < 0.05
    assert joined(separate(clip, mask={"shadows": False})).mask[shadow].mean() > 0.5


# ---------------------------------------------------------------- models


@pytest.mark.parametrize("settings", [{}, LINEAR], ids=["scene", "linear"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_model_separates_just_so(settings, channels, tmp_path):
    clip = people(channels=channels).clip()
    result = separate(clip, **settings)
    path = tmp_path / "model"
    result.save(path)
    assert same(result, separate(clip, model=path))
    assert same(result, separate(clip, model=str(path)))
    again = separate(clip, model=load_scene(path))
    assert same(result, again)
    assert again.model.noise == result.model.noise
    assert again.model.lam_ == result.model.lam_
    assert again.model.hidden_ == result.model.hidden_
    assert again.offset_ == pytest.approx(result.offset_, rel=0.2)


def test_a_model_separates_frames_of_another_time(scene, clip, result):
    """And is not changed by it."""
    later = wall(40, HEIGHT, WIDTH).seen(standing(40, 0, 40, at=20, **PLACE))
    other = separate(later.clip(), model=result.model)
    assert other.model is result.model
    assert f1(joined(other).mask, later.masks) > 0.88
    assert same(result, separate(clip))


def test_single_frames_may_be_separated_with_a_model(clip, result):
    one = joined(separate(clip[20:21], model=result.model))
    np.testing.assert_array_equal(one.score[0], joined(result).score[20])


def test_a_model_for_other_frames_is_refused(clip, grey, result):
    assert "scale='48x36'" in refusal(clip[:, :30], model=result.model)
    separate(clip[:, :30], model=result.model, scale="48x36")
    assert "grey" in refusal(grey, model=result.model)
    assert "gray=True" in refusal(clip, model=separate(grey).model)
    separate(clip, model=separate(grey).model, gray=True)


def test_what_is_no_model_is_refused(clip, result, tmp_path):
    assert "model=5" in refusal(clip, model=5)
    assert "no model of a scene" in refusal(clip, model=RobustAutoencoder())
    assert "not there" in refusal(clip, model=tmp_path / "nothing", kind=NotFound)
    assert "fitted already" in refusal(clip, model=result.model, hidden=2)
    assert "fitted already" in refusal(clip, model=result.model, window=50)
    (tmp_path / "damaged").write_bytes(b"abc")
    assert "damaged" in refusal(clip, model=tmp_path / "damaged")


def test_models_of_scenes_and_of_rows_are_told_apart(clip, result, tmp_path, rng):
    result.save(tmp_path / "scene")
    with pytest.raises(InputError, match="scene") as caught:
        load(tmp_path / "scene")
    one_sentence(caught)
    rows = RobustAutoencoder(predictor="constant").fit(rng.normal(size=(40, 3)))
    rows.save(tmp_path / "rows")
    with pytest.raises(InputError, match="rows") as caught:
        load_scene(tmp_path / "rows")
    one_sentence(caught)
    assert "rows" in refusal(clip, model=tmp_path / "rows")


def test_a_model_is_written_whole_or_not_at_all(result, tmp_path):
    with pytest.raises(InputError):
        result.save(tmp_path / "no folder" / "model")
    assert isinstance(load_scene(_saved(result, tmp_path / "model")), Scene)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def _saved(result, path):
    result.save(path)
    return path


# ---------------------------------------------------------------- backgrounds that move


@pytest.fixture(scope="module")
def waves():
    """Water that moves all the time, and somebody before it."""
    n = 90
    bare = wall(n, HEIGHT, WIDTH, 1)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    phases = 0.9 * np.arange(n)[:, None, None]
    water = 30 * np.sin(columns / 5 + phases) * (rows > HEIGHT // 2)
    moved = type(bare)(bare.frames + water[..., None], bare.background, bare.masks)
    return moved.seen(walking(n, **PLACE)), moved.frames


def test_a_background_that_moves_is_learned(waves):
    scene, truth = waves
    result = separate(scene.clip(), predictor="linear", hidden=2)
    assert result.moving
    assert result.model.hidden_ == 2
    found = joined(result)
    assert f1(found.mask, scene.masks) > 0.85
    assert np.abs(found.background[..., :1] - truth).mean() < 4
    assert result.background.shape == (len(scene), HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(result.background, found.background)


def test_somebody_close_leaves_no_ghost(waves):
    """Who covers most of the picture does not pull the code, though the fit never saw it."""
    scene, truth = waves
    model = separate(scene.clip(), predictor="linear", hidden=2).model
    close = scene.seen(walking(len(scene), 7, shape=(HEIGHT, WIDTH), top=0, height=HEIGHT, width=30))
    found = model.backgrounds(close.clip())
    assert np.abs(found - truth).mean() < 1.5


@pytest.mark.parametrize("where", [0, 33])
@pytest.mark.parametrize("settings", [{}, LINEAR, {"predictor": "constant"}], ids=str)
def test_a_flash_is_no_background(scene, clip, where, settings):
    flashed = clip.copy()
    flashed[where] = 255 - flashed[where] // 8
    result = separate(flashed, **settings)
    others = np.arange(N) != where
    found = joined(result)
    assert found.mask[where].mean() > 0.8
    assert f1(found.mask[others], scene.masks[others]) > 0.88


# ---------------------------------------------------------------- long clips


def test_a_window_follows_a_background_that_changes_for_good():
    """Half-way, a fifth of the picture is another one."""
    n = 300
    bare, other = wall(n, 24, 32, seed=0), wall(n, 24, 32, seed=5)
    frames = bare.frames.copy()
    frames[n // 2 :, :, 26:] = other.frames[n // 2 :, :, 26:]
    clip = type(bare)(frames, bare.background, bare.masks).clip()
    whole, follows = (
        separate(clip, window=window, mask={"shadows": False}).activity for window in (None, 40)
    )
    before, after = slice(n // 2 - 50, n // 2), slice(n - 40, n)
    assert max(whole["share"][before].mean(), whole["share"][after].mean()) > 0.1
    assert follows["share"][before].mean() < 0.01
    assert follows["share"][after].mean() < 0.01


def lazily(folder, n):
    """A file of n frames that were never in memory together."""
    path = folder / f"{n}.npy"
    frames = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, 60, 80))
    clip = wall(100, 60, 80, 1).seen(walking(100)).clip()[..., 0]
    for k in range(0, n, 100):
        frames[k : k + 100] = clip
    frames.flush()
    return path


def peak(path):
    """Bytes that a fit and a pass take at most."""
    tracemalloc.start()
    try:
        count = sum(len(batch.frames) for batch in separate(path))
        return tracemalloc.get_traced_memory()[1], count
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_length(tmp_path):
    (short, few), (long, many) = peak(lazily(tmp_path, 200)), peak(lazily(tmp_path, 2000))
    assert (few, many) == (200, 2000)
    assert long - short < 5e6  # the frames alone are 9.6 MB, their scores 38
