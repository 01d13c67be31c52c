"""The parts of a scene: each fast path against loops."""

import dataclasses

import naive_scene as naive
import numpy as np
import pytest
from composed import HEIGHT, WIDTH, Composed, box, f1, walking, wall
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from robustae.video import agreement, changes, light, separate, start
from robustae.video.agreement import agreed, seams_of
from robustae.video.changes import Changes, codes_of, components_of, refined, solved
from robustae.video.fit import scene_of
from robustae.video.grid import STEP, grid_for, loudest, some_of
from robustae.video.light import gains, gains_of
from robustae.video.maps import MaskSettings, boxes_of, mask_of, root_of, upper_by_pixel
from robustae.video.scene import FAINT
from robustae.video.start import bare_picture
from robustae.video.states import states_of

FRAMES = 60
SIZES = [(17, 23), (1, 30), (30, 1), (8, 8), (9, 40), (40, 9), (300, 5), (41, 64)]
seeds = st.integers(0, 2**32 - 1)


def bytes_of(rng, *shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


# ---------------------------------------------------------------- tiles


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_cells_are_means_of_pixels(size, channels, rng):
    grid, frames = grid_for(*size), bytes_of(rng, 2, *size, channels)
    wanted = [naive.small(frame, grid.pool, grid.cells) for frame in frames]
    np.testing.assert_allclose(grid.small(frames), wanted, atol=1e-6)


@given(height=st.integers(1, 3000), width=st.integers(1, 3000))
def test_tiles_cover_frames_of_any_size(height, width):
    grid = grid_for(height, width)
    rows, columns = grid.cells
    assert 4 <= rows <= 128
    assert 4 <= columns <= 128
    assert rows % STEP == columns % STEP == 0
    assert rows * grid.pool >= height
    assert columns * grid.pool >= width
    assert grid.shape == (rows // STEP - 1, columns // STEP - 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_are_cut_and_put_together_as_by_loops(size, channels, rng):
    grid = grid_for(*size)
    pictures = rng.random((3, *grid.cells, channels), dtype=np.float32)
    tiles = grid.tiles(pictures)
    wanted = [[naive.tile(picture, corner) for picture in pictures] for corner in naive.corners(grid.cells)]
    np.testing.assert_array_equal(tiles, wanted)
    np.testing.assert_allclose(grid.put_together(tiles[:, 1]), pictures[1], atol=1e-6)
    other = rng.random(tiles[:, 0].shape, dtype=np.float32)  # neighbours that do not agree
    together = grid.put_together(other)
    np.testing.assert_allclose(together, naive.put_together(other, grid.cells, channels), atol=1e-5)


@pytest.mark.parametrize("size", [(17, 23), (40, 9)])
def test_weights_of_tiles_are_summed_and_spread_over_pixels(size, rng):
    grid = grid_for(*size)
    weights = rng.random((2, *grid.shape))
    steps = grid.cover(weights)
    np.testing.assert_allclose(steps, [naive.cover(one, grid.cells) for one in weights])
    rows, columns = np.ogrid[: size[0], : size[1]]
    side = STEP * grid.pool
    np.testing.assert_array_equal(grid.full(steps), steps[:, rows // side, columns // side])
    cells = rng.random((*grid.cells, 3))
    np.testing.assert_array_equal(grid.enlarged(cells), 255 * cells[rows // grid.pool, columns // grid.pool])


@given(seed=seeds, channels=st.integers(1, 4))
def test_the_loudest_channel_decides(seed, channels):
    residuals = np.random.default_rng(seed).normal(size=(3, 5, channels))
    np.testing.assert_array_equal(loudest(residuals), np.abs(residuals).max(-1))


@pytest.mark.parametrize("size", [(600, 800, 3), (720, 1280, 3), (1200, 1600, 3), (300, 400, 1)])
def test_some_pixels_are_of_all_columns_and_colours(size):
    """At even distances they would be of five columns, all red."""
    height, width, channels = size
    picked = some_of(height * width * channels, 3000)
    assert len(picked) == 3000
    assert picked.min() >= 0
    assert picked.max() < height * width * channels
    columns = picked // channels % width
    assert np.bincount(columns * 10 // width).min() > 200
    assert np.bincount(picked % channels).min() > 2400 / channels
    np.testing.assert_array_equal(some_of(7, 3000), np.arange(7))


# ---------------------------------------------------------------- states


def looks(rng, n, kinds, cells=(8, 8)):
    """Small pictures without noise, each of one of some kinds."""
    pictures = rng.random((kinds, *cells, 1), dtype=np.float32)
    return pictures[rng.integers(0, kinds, n)]


@given(seed=seeds, n=st.integers(2, 14), kinds=st.integers(1, 12))
def test_frames_of_a_tile_are_sorted_as_by_loops(seed, n, kinds):
    rng = np.random.default_rng(seed)
    small = looks(rng, n, kinds)
    grid = grid_for(16, 16)
    states = states_of(small, grid)
    for t, frames in enumerate(grid.tiles(small)):
        found = naive.sorted_by_looks(frames, 5e-4, 8)
        members = [np.flatnonzero(row).tolist() for row in states.members[t, :8] if row.any()]
        assert members == found
        for k, numbers in enumerate(found):
            centre = frames[numbers].mean(0)
            spread = np.mean([naive.distance(frame, centre) for frame in frames[numbers]])
            assert states.count[t, k] == len(numbers)
            np.testing.assert_allclose(states.centre[t, k], centre, atol=1e-5)
            np.testing.assert_allclose(states.spread[t, k], spread, atol=1e-5)


@given(seed=seeds, n=st.integers(2, 30))
def test_a_frame_of_a_tile_has_one_state(seed, n):
    small = np.random.default_rng(seed).random((n, 8, 12, 3), dtype=np.float32)
    states = states_of(small, grid_for(16, 24))
    assert states.members.shape[1] == 9
    assert states.members[:, :8].sum(1).max() <= 1
    np.testing.assert_array_equal(states.members[:, :8].sum(2), states.count[:, :8])
    assert (states.spread >= 0).all()


def test_the_last_state_is_the_mode_of_each_pixel_by_itself(rng):
    """Of tiles that are never seen free as a whole."""
    n, rows, columns = 40, 12, 12
    truth = rng.uniform(0.3, 0.7, (rows, columns, 1)).astype(np.float32)
    covered = rng.random((n, rows, columns, 1)) < 0.4
    small = np.where(covered, rng.choice([0.0, 1.0], covered.shape), truth).astype(np.float32)
    grid = grid_for(2 * rows, 2 * columns)
    picture = grid.put_together(states_of(small, grid).centre[:, -1])
    np.testing.assert_allclose(picture, truth, atol=1e-4)


# ---------------------------------------------------------------- agreement


@pytest.mark.parametrize("channels", [1, 3])
def test_seams_cost_what_neighbours_differ_by(channels, rng):
    shape, states = (3, 2), 3
    centre = 0.05 * rng.random((6, states, 16 * channels), dtype=np.float32)
    across, down = seams_of(centre, shape)
    assert across.shape == (states, states, 3, 1)
    assert down.shape == (states, states, 2, 2)
    unit, most = agreement.DIFFERENCE, agreement.MOST
    for (i, j, r, c), cost in np.ndenumerate(across):
        pair = centre[2 * r + c, i], centre[2 * r + c + 1, j]
        assert cost == pytest.approx(naive.seam(*pair, True, channels, unit, most), abs=1e-3)
    for (i, j, r, c), cost in np.ndenumerate(down):
        pair = centre[2 * r + c, i], centre[2 * r + 2 + c, j]
        assert cost == pytest.approx(naive.seam(*pair, False, channels, unit, most), abs=1e-3)


def random_costs(rng, shape, states):
    rows, columns = shape
    own = 3 * rng.random((rows * columns, states))
    across = 4 * rng.random((states, states, rows, columns - 1))
    return own, across, 4 * rng.random((states, states, rows - 1, columns))


@given(seed=seeds, length=st.integers(1, 6), states=st.integers(1, 4), upright=st.booleans())
def test_on_chains_no_labels_are_better(seed, length, states, upright):
    """Without loops, min-sum is exact."""
    shape = (length, 1) if upright else (1, length)
    own, across, down = random_costs(np.random.default_rng(seed), shape, states)
    labels = agreed(own, (across, down)).reshape(shape)
    least = naive.least_labels_cost(shape, own, across, down)
    assert naive.labels_cost(labels, own, across, down) == pytest.approx(least, abs=1e-3)


def test_with_loops_labels_are_good():
    excess = []
    for seed in range(40):
        own, across, down = random_costs(np.random.default_rng(seed), (3, 3), 2)
        labels = agreed(own, (across, down)).reshape(3, 3)
        least = naive.least_labels_cost((3, 3), own, across, down)
        excess.append(naive.labels_cost(labels, own, across, down) / least - 1)
    assert min(excess) > -1e-6
    assert np.mean(np.less(excess, 1e-3)) > 0.7
    assert np.mean(excess) < 0.05


def test_one_tile_takes_its_cheapest_state(rng):
    centre = rng.random((1, 5, 16), dtype=np.float32)
    own = np.array([[3.0, 2.0, 0.5, 1.0, 4.0]])
    assert agreed(own, seams_of(centre, (1, 1))).tolist() == [2]


# ---------------------------------------------------------------- light


@pytest.mark.parametrize("factor", [0.75, 0.9, 1.0, 1.08, 1.2])
def test_gains_are_those_of_most_of_the_picture(factor):
    scene = wall(3, channels=3).seen(box(3, 10, height=40, width=25))
    frames = scene.lit(np.array([1, factor, 1])[:, None, None, None]).clip()
    picture = scene.background.astype(np.float32)
    found = gains(frames, picture)
    np.testing.assert_allclose(found, [1, factor, 1], rtol=0.015)
    for gain, frame in zip(found, frames, strict=True):
        plain = naive.gain(frame[::2, ::2], picture[::2, ::2], light.OFFSET, light.STEADY, light.AGREE)
        assert gain == pytest.approx(plain, abs=0.01)


def test_there_is_no_gain_where_nothing_agrees(rng):
    picture = wall(1).background
    noise = bytes_of(rng, 4, *picture.shape)
    assert gains(noise, picture).tolist() == [1, 1, 1, 1]
    assert gains(noise, np.zeros_like(picture)).tolist() == [1, 1, 1, 1]  # nor in the dark


@pytest.mark.parametrize("factor", [0.15, 0.25, 0.45, 2.0])
def test_gains_are_found_far_off(factor, rng):
    scene = wall(3, channels=3).seen(box(3, 10, height=40, width=25))
    frames = scene.lit(np.array([1, factor, 1])[:, None, None, None]).clip(noise=1.5)
    found = gains(frames, scene.background.astype(np.float32))
    np.testing.assert_allclose(found, [1, factor, 1], rtol=0.04)


def test_something_large_of_another_colour_is_no_gain():
    """It covers most of a plain wall, and is evenly darker than that, but not in all colours."""
    picture = np.full((60, 80, 3), (180.0, 170.0, 160.0), np.float32)
    picture += 10 * (np.arange(80) % 8 < 4)[:, None]
    frame = picture.copy()
    frame[:, :64] *= (0.75, 0.5, 0.3)
    alike = picture.copy()
    alike[:, :64] *= 0.5
    assert gains(frame[None], picture).tolist() == [1]
    np.testing.assert_allclose(gains(alike[None], picture), [0.5], rtol=0.02)


def test_light_is_followed_from_frame_to_frame():
    people = walking(FRAMES)
    light = np.geomspace(1, 0.2, FRAMES)
    scene = wall(FRAMES).seen(people).lit(light[:, None, None, None])
    found = gains_of(scene.clip().astype(np.float32))
    np.testing.assert_allclose(found / found[0], light, rtol=0.04)
    assert 0.95 < found[0] < 1.15  # over a bright frame


def test_what_is_white_in_bright_frames_is_told_by_the_others():
    scene = wall(FRAMES)
    bright = scene.background.copy()
    bright[:20, :30] = 200
    light = np.where(np.arange(FRAMES) < FRAMES // 2, 1.0, 1.5)
    frames = np.clip(light[:, None, None, None] * bright, 0, 255).astype(np.uint8)
    picture = bare_picture(frames)
    expected = 1.5 * bright if picture[40:].mean() > 1.2 * bright[40:].mean() else bright
    np.testing.assert_allclose(picture[:20, :30], expected[:20, :30], rtol=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_a_white_boat_in_light_that_flickers_is_no_background(seed):
    """What is white is so in any light, but not more alike than waves for that."""
    rng = np.random.default_rng(seed)
    boat = box(50, 5 + 0.6 * np.arange(50), height=10, width=10)
    waves = gaussian_filter(rng.normal(size=(50, HEIGHT, WIDTH, 1)), (0, 1, 1, 0))
    light = np.linspace(0.96, 1.04, 50) * (1 + 0.02 * rng.normal(size=50))
    scene = wall(50)
    water = (scene.background + 6 * waves / waves.std()) * light[:, None, None, None]
    frames = np.where(boat[..., None], 255, water.clip(0, 255)).astype(np.uint8)
    assert (bare_picture(frames) - scene.background).max() < 40


def test_the_cut_follows_the_gain():
    """Somebody is as much darker than the wall by night as by day, in proportion."""
    people = walking(FRAMES)
    scene = wall(FRAMES).seen(people)
    light = np.where(np.arange(FRAMES) < FRAMES // 2, 1.0, 0.25)
    result = separate(scene.lit(light[:, None, None, None]).clip(noise=1))
    found = np.concatenate([batch.mask for batch in result])
    night = light < 1
    assert f1(found[night], people[night]) > 0.8
    assert f1(found[~night], people[~night]) > 0.8


def test_noise_is_not_what_parts_of_the_picture_differ_by():
    """Calm above, restless below: fog, or a sky."""
    scene = wall(FRAMES)
    grain = np.random.default_rng(1).normal(0, 6, scene.frames.shape)
    grain[:, : HEIGHT // 3] = 0
    model = scene_of(Composed(scene.frames + grain, scene.background, scene.masks).clip(noise=0))
    assert model.noise == FAINT


@pytest.mark.parametrize("seed", range(3))
def test_noise_by_pixel_is_what_its_frames_hardly_exceed(seed):
    roots = np.random.default_rng(seed).gamma(9, 0.2, (200, 12, 16)).astype(np.float32)
    usual = np.median(roots)
    spread = np.sqrt(np.mean((usual - roots[roots < usual]) ** 2))
    assert upper_by_pixel(roots) == pytest.approx(usual + 6 * spread, rel=0.05)
    halves = np.concatenate([roots, 2 + 0 * roots[:, :5]], axis=1)
    assert upper_by_pixel(halves) == pytest.approx(upper_by_pixel(roots), rel=0.15)


# ---------------------------------------------------------------- alternation


@given(seed=seeds, channels=st.sampled_from([1, 3]))
def test_alternation_never_raises_the_objective(seed, channels):
    """The rule by loops does not, and a picture of `start` is one that it leaves as it is."""
    rng = np.random.default_rng(seed)
    values = 120 + 20 * rng.normal(size=(12, channels)) * rng.choice([0.1, 3], size=(12, 1))
    history = naive.alternation(values, np.median(values, axis=0), 12, 8)
    costs = [naive.objective(np.abs(values - picture).max(-1), 12) for picture in history]
    if channels == 1:
        assert all(b <= a + 1e-9 for a, b in zip(costs, costs[1:], strict=False))
    np.testing.assert_allclose(history[-1], history[-2])


def test_the_picture_is_the_mean_of_its_inlying_frames():
    scene = wall(FRAMES, 24, 32, 1).seen(walking(FRAMES, shape=(24, 32), top=6, height=12, width=5))
    frames = scene.clip()
    picture = bare_picture(frames)
    for y, x in np.ndindex(24, 32):
        values = frames[:, y, x].astype(float)
        last = naive.alternation(values, picture[y, x], start.CUTS[-1], 4)[-1]
        assert picture[y, x] == pytest.approx(last, abs=0.6)


@given(seed=seeds, n=st.integers(1, 12), k=st.integers(1, 3))
def test_weighted_least_squares_are_those_of_each_row(seed, n, k):
    rng = np.random.default_rng(seed)
    targets, regressors = rng.normal(size=(5, n)), rng.normal(size=(n, k))
    weights = rng.integers(0, 2, (5, n)).astype(float)
    ridge = changes.RIDGE * (regressors**2).sum() / n + 1e-9
    wanted = [naive.least_squares(t, regressors, w, ridge) for t, w in zip(targets, weights, strict=True)]
    np.testing.assert_allclose(solved(targets, regressors, weights), wanted, rtol=1e-3, atol=1e-3)


def planted(rng, n=30, cells=40):
    """Rows that a component explains but for the first quarter of the cells, which are outlying."""
    codes = rng.choice([0.0, 1.0], (n, 1))
    component = rng.uniform(20, 60, (1, cells))
    rows = codes @ component + rng.normal(0, 1, (n, cells))
    rows[:, : cells // 4] += rng.choice([-90, 90], (n, cells // 4))
    return rows.astype(np.float32), codes, component


@given(seed=seeds)
def test_refining_never_raises_the_objective(seed):
    rng = np.random.default_rng(seed)
    rows, codes, component = planted(rng)
    now = Changes(codes, component + rng.normal(0, 5, component.shape), rng.normal(0, 5, 40))
    costs = [naive.objective(rows - now.rows, changes.CUT)]
    for _ in range(4):
        now = refined(rows, now)
        costs.append(naive.objective(rows - now.rows, changes.CUT))
    assert all(b <= 1.01 * a for a, b in zip(costs, costs[1:], strict=False))  # a little ridge is in it
    assert costs[-1] < costs[0]


@given(seed=seeds)
def test_codes_are_not_pulled_by_outlying_cells(seed):
    rows, codes, component = planted(np.random.default_rng(seed))
    np.testing.assert_allclose(codes_of(rows, component), codes, atol=0.1)


def test_nothing_that_changes_is_no_component(rng):
    found = components_of(rng.normal(0, 2, (30, 12, 16, 3)).astype(np.float32))
    assert found.codes.shape == (30, 0)
    assert found.components.shape == (0, 12 * 16 * 3)
    assert not found.rows.any()


@pytest.mark.parametrize("lamp", [25, 40, 60])
def test_a_picture_of_parts_from_different_times_is_corrected(lamp, rng):
    """The left of the picture was taken with a lamp on, the right with the lamp off; it lights both."""
    on = np.arange(40) >= 20
    residuals = rng.normal(0, 1, (40, 12, 16, 1)).astype(np.float32)
    residuals[~on, :, :8] -= lamp
    residuals[on, :, 8:] += lamp
    found = components_of(residuals)
    assert len(found.components) == 1
    assert np.abs(residuals.reshape(40, -1) - found.rows).max() < 8


# ---------------------------------------------------------------- maps

PLAIN = MaskSettings(smooth=0, shadows=False, least_blob=0)


def scores_of(frames, backgrounds, noise, settings):
    pairs = zip(frames, backgrounds, strict=True)
    return np.stack([root_of(frame, background, noise, settings) ** 2 for frame, background in pairs])


@pytest.mark.parametrize("deviation", [0.5, 1.5, 2.3])
@pytest.mark.parametrize("size", [(17, 23), (1, 30), (3, 3)])
def test_scores_are_smoothed_roots(deviation, size, rng):
    backgrounds = rng.uniform(0, 120, (2, *size, 3)).astype(np.uint8)
    shades = rng.uniform(0.25, 1.2, (2, *size, 1)) * rng.uniform(0.9, 1, (2, *size, 3))
    frames = (shades * backgrounds).round().astype(np.uint8)
    settings = MaskSettings(smooth=deviation).at(*size)
    reach = max(1, round(2 * deviation))
    wanted = [
        naive.scores(frame, background, 5.0, deviation, reach, True)
        for frame, background in zip(frames, backgrounds, strict=True)
    ]
    found = scores_of(frames, backgrounds, 5.0, settings)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize("deviation", [1.5, 2.5])
def test_smoothing_is_that_of_scipy(deviation, rng):
    from scipy.ndimage import gaussian_filter

    size = rng.uniform(0, 100, (1, 30, 41, 1)).astype(np.uint8)
    found = scores_of(size, np.zeros_like(size), 1.0, MaskSettings(smooth=deviation))
    root = gaussian_filter(
        np.sqrt(size[0, :, :, 0].astype(np.float32)), deviation, mode="nearest", truncate=2.0
    )
    np.testing.assert_allclose(found[0], root**2, rtol=1e-4)


def test_even_darkness_is_shadow_and_counts_less():
    background = np.full((1, 1, 5, 3), 150, np.uint8)
    frames = background.copy()
    frames[0, 0, 1] = 105  # shadow
    frames[0, 0, 2] = 40  # too dark for one
    frames[0, 0, 3] = (105, 135, 105)  # another colour
    frames[0, 0, 4] = 195  # brighter
    plain = scores_of(frames, background, 5.0, PLAIN)[0, 0]
    np.testing.assert_allclose(plain, [0, 9, 22, 9, 9], rtol=1e-5)
    found = scores_of(frames, background, 5.0, dataclasses.replace(PLAIN, shadows=True))[0, 0]
    np.testing.assert_allclose(found, plain * [1, 0.36, 1, 1, 1], rtol=1e-5)
    grey = scores_of(frames[..., :1], background[..., :1], 5.0, dataclasses.replace(PLAIN, shadows=True))
    np.testing.assert_allclose(grey[0, 0, 1], 9, rtol=1e-5)


@given(seed=seeds, height=st.integers(1, 12), width=st.integers(1, 12), least=st.integers(0, 6))
def test_blobs_are_those_of_loops(seed, height, width, least):
    scores = np.random.default_rng(seed).random((3, height, width), dtype=np.float32)
    settings = MaskSettings(cut=0.6, smooth=0.0, least_blob=least)
    for image in scores:
        mask, found = mask_of(np.sqrt(image), settings)
        regions = [
            region
            for region in naive.blobs(np.sqrt(image) > np.float32(np.sqrt(0.6)))
            if len(region) >= least
        ]
        assert {(int(y), int(x)) for y, x in np.argwhere(mask)} == set().union(*regions)
        assert sorted(found) == sorted(naive.box(region) for region in regions)
        sizes = {naive.box(region): len(region) for region in regions}
        if len(sizes) == len(regions):
            assert [sizes[one] for one in found] == sorted(sizes.values(), reverse=True)


def test_boxes_are_written_as_text():
    assert boxes_of([(1, 2, 3, 4), (5, 6, 7, 8)]) == "1,2,3,4;5,6,7,8"
    assert boxes_of([]) == ""
