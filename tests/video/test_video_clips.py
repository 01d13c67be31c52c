"""Scenes of composed clips, of which all is known, and of real ones."""

import numpy as np
import pytest
from composed import HEIGHT, WIDTH, Composed, box, f1, leaves, standing, walking, wall

from robustae.datasets import fetch_video_sequence, load_walkway
from robustae.datasets.synthetic import moving_scene
from robustae.metrics import auprc
from robustae.utils.checks import InputError
from robustae.video import separate
from robustae.video.fit import scene_of
from robustae.video.maps import CUT, MaskSettings, mask_of
from robustae.video.start import bare_picture

FRAMES = 60
SIZES = [(17, 23), (1, 30), (30, 1), (8, 8), (9, 40), (40, 9), (300, 5), (41, 64)]


# ---------------------------------------------------------------- composed clips


def judged(frames, fit=None, smooth="auto"):
    """A scene, and the masks and backgrounds of frames."""
    model = scene_of(frames if fit is None else fit)
    backgrounds = model.backgrounds(frames)
    settings = MaskSettings(smooth=smooth).at(*frames.shape[1:3])
    masks = np.stack([mask_of(view.root(settings), settings)[0] for view in model.views(frames)])
    return model, masks, backgrounds


PEOPLE = {
    "walking through": walking(FRAMES),
    "standing for 60 % of the clip": standing(FRAMES, 12, 48),
    "standing from the start": standing(FRAMES, 0, 36),
    "standing to the end": standing(FRAMES, 24, 60),
    "two": walking(FRAMES) | standing(FRAMES, 20, 45, at=60, top=5, height=20),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("who", PEOPLE)
def test_somebody_is_foreground(who, channels):
    scene = wall(FRAMES, channels=channels).seen(PEOPLE[who])
    model, masks, backgrounds = judged(scene.clip())
    assert model.hidden_ == 0
    assert np.abs(model.picture - scene.background).max() < 3
    np.testing.assert_allclose(backgrounds, np.broadcast_to(scene.background, backgrounds.shape), atol=6)
    assert f1(masks, scene.masks) > 0.9
    assert (masks & ~scene.masks).mean() < 0.02  # a rim, from smoothing


def swaying(n, begin, end, at=34, every=6, seed=0):
    """Frames of somebody who stands from `begin` to `end` in another pose every few frames, and masks."""
    rng = np.random.default_rng(seed)
    present = np.where((np.arange(n) >= begin) & (np.arange(n) < end), at, np.nan)
    masks = box(n, present + rng.integers(-4, 5, n).repeat(every)[:n], top=16, height=40)
    coat = np.array([[150, 30, 40], [40, 60, 160], [30, 120, 60]])[rng.integers(0, 3, 20)]
    rows = coat[np.arange(HEIGHT) // 3 % 20][None, :, None]
    shade = 1 + 0.06 * np.sin(np.arange(n) // every)
    return rows * shade[:, None, None, None], masks


@pytest.mark.parametrize(
    ("begin", "end", "noise"), [(8, 112, 2), (0, 100, 2), (14, 120, 2), (8, 112, 18), (0, 100, 18)]
)
def test_somebody_who_sways_most_of_the_clip_is_no_background(begin, end, noise):
    """The wall is seen in few frames, but as one look, and mostly it comes back."""
    coat, masks = swaying(120, begin, end)
    scene = wall(120)
    frames = np.where(masks[..., None], coat, scene.frames)
    clip = Composed(frames, scene.background, masks).clip(noise=noise)
    off = np.abs(np.median(clip, axis=0) - scene.background).max(-1) > 20
    assert off[masks.any(0)].mean() > 0.5
    found = np.abs(scene_of(clip).picture - scene.background).max(-1) > 20
    assert found.mean() < 0.01


def test_grey_films_in_three_channels_are_fitted_as_in_one():
    grey = wall(40, channels=1).seen(walking(40)).clip()
    one, three = scene_of(grey), scene_of(grey.repeat(3, axis=-1))
    assert three.picture.shape == (*one.picture.shape[:2], 3)
    np.testing.assert_array_equal(three.picture, one.picture.repeat(3, axis=-1))
    assert three.noise == one.noise
    assert not three.coloured


def test_a_long_sample_is_thinned_over_all_of_the_clip():
    """The wall shows late only."""
    scene = wall(500).seen(standing(500, 0, 300))
    assert np.abs(scene_of(scene.clip()).picture - scene.background).max() < 6


@pytest.mark.parametrize("seed", [0, 1])
def test_nobody_is_no_foreground(seed):
    scene = wall(FRAMES, seed=seed)
    model, masks, _ = judged(scene.clip())
    assert model.hidden_ == 0
    assert not masks.any()


@pytest.mark.parametrize(("darkest", "share"), [(0, 0.6), (100, 0.6)])
def test_a_picture_mostly_covered_is_found(darkest, share):
    """Anywhere in every frame: a median shows leaves."""
    masks, shades = leaves(FRAMES, share, darkest, brightest=darkest + 90)
    bare = wall(FRAMES)
    frames = np.where(masks[..., None], shades[..., None], bare.frames)
    scene = Composed(frames, bare.background, masks)
    clip = scene.clip()
    off = np.abs(np.median(clip, axis=0) - scene.background).max(-1) > 12
    assert off.mean() > 0.5
    found = np.abs(bare_picture(clip) - scene.background).max(-1) > 12
    assert found.mean() < 0.1


def test_gain_of_the_camera_is_background():
    factors = 1 + 0.1 * np.sin(1.7 * np.arange(FRAMES))
    scene = wall(FRAMES).seen(walking(FRAMES)).lit(factors[:, None, None, None])
    model, masks, backgrounds = judged(scene.clip())
    assert model.hidden_ == 0
    assert f1(masks, scene.masks) > 0.9
    truth = scene.background * factors[:, None, None, None]
    assert np.abs(backgrounds - truth).mean() < 1.5
    assert (masks & ~scene.masks).mean() < 0.015


LAMPS = {
    "half, brighter by 35 %": (0.5, 1.35, 0),
    "40 %, brighter by 30": (0.4, 1, 30),
    "60 %, darker by 30": (0.6, 1, -30),
}


def lamp_of(scene, share, times, plus):
    width = scene.frames.shape[2]
    lit = (np.arange(FRAMES) >= FRAMES // 2)[:, None, None, None] & (np.arange(width) < share * width)[
        :, None
    ]
    return np.where(lit, times, 1.0), np.where(lit, plus, 0.0)


@pytest.mark.parametrize("lit", LAMPS)
@pytest.mark.parametrize("people", [np.zeros_like(walking(FRAMES)), walking(FRAMES)], ids=["nobody", "walk"])
def test_a_lamp_is_background(lit, people):
    """It comes on in the middle of the clip, and lights a part of the picture."""
    scene = wall(FRAMES).seen(people)
    times, plus = lamp_of(scene, *LAMPS[lit])
    scene = Composed(scene.frames * times + plus, scene.background, scene.masks)
    model, masks, backgrounds = judged(scene.clip())
    assert model.hidden_ == 1
    assert model.moving
    truth = scene.background * times + plus
    assert (np.abs(backgrounds - truth).max(-1) > 15).mean() < 0.01
    assert (masks & ~scene.masks).mean() < 0.015
    assert not people.any() or f1(masks, scene.masks) > 0.85


def test_who_stands_outside_of_the_lamp_is_no_part_of_it():
    scene = wall(FRAMES).seen(standing(FRAMES, 12, 48, at=50))
    times, plus = lamp_of(scene, 0.4, 1.35, 0)
    scene = Composed(scene.frames * times + plus, scene.background, scene.masks)
    model, masks, _ = judged(scene.clip())
    assert model.hidden_ == 1
    assert f1(masks, scene.masks) > 0.88


def test_the_moving_scene():
    scene = moving_scene(FRAMES, HEIGHT, WIDTH)
    frames = (255 * scene.frames).round().astype(np.uint8).reshape(FRAMES, HEIGHT, WIDTH, 1)
    truth = scene.masks.reshape(frames.shape[:3])
    model, masks, backgrounds = judged(frames)
    assert f1(masks, truth) > 0.95
    bare = 255 * (scene.light[:, None] * scene.background).reshape(frames.shape)
    assert np.abs(backgrounds - bare).mean() < 2.5
    assert model.noise == 5


def test_frames_that_were_not_in_the_fit_are_separated():
    scene = wall(FRAMES).seen(walking(FRAMES))
    frames = scene.clip()
    _, masks, _ = judged(frames[1::2], fit=frames[::2])
    assert f1(masks, scene.masks[1::2]) > 0.9


def test_the_order_of_frames_does_not_matter(rng):
    frames = wall(FRAMES).seen(walking(FRAMES)).clip()
    model, shuffled = scene_of(frames), scene_of(rng.permutation(frames))
    assert np.abs(model.picture - shuffled.picture).max() < 1
    assert model.noise == pytest.approx(shuffled.noise, rel=0.02)


def test_twice_the_same_and_nothing_modified():
    frames = wall(FRAMES).seen(walking(FRAMES)).clip()
    before = frames.copy()
    first, second = scene_of(frames), scene_of(frames)
    first.backgrounds(frames)
    np.testing.assert_array_equal(frames, before)
    for name, values in first.arrays().items():
        np.testing.assert_array_equal(values, second.arrays()[name])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_has_a_background(size, channels):
    scene = wall(20, *size, channels)
    model, masks, backgrounds = judged(scene.clip())
    assert np.abs(model.picture - scene.background).max() < 4
    assert backgrounds.shape == (20, *size, channels)
    assert not masks.any()


def test_somebody_in_a_small_picture_of_an_odd_size():
    scene = wall(40, 17, 23, 3).seen(walking(40, 1, shape=(17, 23), top=4, height=9, width=5))
    model, masks, _ = judged(scene.clip(), smooth=0.5)
    assert np.abs(model.picture - scene.background).max() < 4
    assert f1(masks, scene.masks) > 0.9


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("n", [2, 10])
def test_frames_that_are_all_the_same(shade, n):
    frames = np.full((n, 20, 30, 3), shade, np.uint8)
    model = scene_of(frames)
    np.testing.assert_allclose(model.picture, shade, atol=0.01)
    assert model.hidden_ == 0
    assert model.noise * model.camera.stretch == pytest.approx(5)
    assert model.restless.max() == 1
    np.testing.assert_allclose(model.backgrounds(frames), shade, atol=0.01)


def test_two_frames_are_enough_and_one_is_not():
    scene = wall(2).seen(box(2, [10, np.nan]))
    model = scene_of(scene.clip())
    assert np.isfinite(model.picture).all()
    with pytest.raises(InputError, match="1 is too few"):
        scene_of(scene.clip()[:1])


def test_noise_is_told_from_what_is_inlying():
    scene = wall(FRAMES).seen(walking(FRAMES))
    quiet, loud = scene_of(scene.clip(noise=1)), scene_of(scene.clip(noise=8))
    assert quiet.noise == 5  # the least
    assert not quiet.camera.blur
    assert loud.camera.blur > 0
    assert 5 <= loud.noise < 8  # it is blurred away
    assert loud.lam_ == 2 * CUT * loud.noise


# ---------------------------------------------------------------- real clips


def test_people_on_a_walkway():
    walkway = load_walkway()
    frames = walkway.X.reshape(-1, *walkway.image_shape)
    result = separate(frames)
    assert result.model.hidden_ == 0
    table = result.activity
    assert 0.005 < table["share"].mean() < 0.1
    assert np.median(table["blobs"]) >= 2


def measured(name, data_home):
    film = fetch_video_sequence(name, data_home)
    batches = list(separate(film.frames))
    score, mask = (np.concatenate([getattr(batch, name) for batch in batches]) for name in ("score", "mask"))
    counted, true = film.labelled, film.foreground[film.labelled]
    return auprc(true, score[counted]), f1(mask[counted], true)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Candela", "Snellen"])
def test_who_stands_still_or_covers_most_is_foreground(name, data_home):
    assert measured(name, data_home)[0] > 0.9


@pytest.mark.slow
def test_cars_on_a_highway(data_home):
    assert measured("highway", data_home)[1] > 0.9
