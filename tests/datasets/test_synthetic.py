"""What planted data promise: the answer they come with is the true one."""

import numpy as np
import pytest

from robustae.datasets.synthetic import (
    moving_scene,
    planted,
    planted_rows,
    subspace_error,
    with_missing,
    with_wrong_cells,
)
from robustae.utils.checks import InputError


def test_planted_is_low_rank_plus_hits_plus_noise():
    data = planted(n=400, d=80, rank=4, share=0.1, size=10, noise=0.5)
    rest = data.X - data.low_rank - data.outliers
    assert data.X.shape == (400, 80)
    assert np.linalg.matrix_rank(data.low_rank) == 4
    assert rest.std() == pytest.approx(0.5, rel=0.02)
    assert data.mask.sum() == 3200
    assert (data.mask == (data.outliers != 0)).all()
    assert np.unique(np.abs(data.outliers[data.mask])) == pytest.approx([5.0])
    assert 0.45 < (data.outliers[data.mask] > 0).mean() < 0.55


def test_planted_without_noise_is_exact():
    data = planted(noise=0.0, size=3.0)
    assert np.abs(data.X - data.low_rank - data.outliers).max() < 1e-12
    assert np.abs(data.outliers).max() == 3.0


def test_loadings_are_an_orthonormal_basis_of_the_low_rank_part():
    data = planted(rank=3)
    assert data.loadings.T @ data.loadings == pytest.approx(np.eye(3), abs=1e-12)
    assert subspace_error(data.low_rank.T, data.loadings) < 1e-10
    assert data.low_rank.var() == pytest.approx(3, rel=0.2)


def test_planted_rows_are_hit_whole_and_labelled():
    data = planted_rows(n=200, d=50, share=0.05, size=3.0, noise=2.0)
    assert data.y.sum() == 10
    assert data.mask[data.y == 1].all()
    assert not data.mask[data.y == 0].any()
    assert data.outliers[data.y == 1].std() == pytest.approx(6.0, rel=0.1)


@pytest.mark.parametrize("make", [planted, planted_rows])
def test_same_seed_same_data_and_no_global_generator(make):
    before = np.random.get_state()[1].copy()
    assert (make(50, 20, random_state=3).X == make(50, 20, random_state=3).X).all()
    assert (make(50, 20, random_state=3).X != make(50, 20, random_state=4).X).any()
    assert (np.random.get_state()[1] == before).all()


def test_wrong_cells_move_by_robust_deviations_of_their_column(rng):
    X = rng.normal(size=(2001, 4)) * [1.0, 100.0, 0.0, 1.0]
    X[:, 3] = np.arange(2001) == 7  # most cells alike: the plain deviation counts
    wrong, mask = with_wrong_cells(X, share=0.1, size=8.0, random_state=1)
    moved = np.abs(wrong - X)
    assert mask.sum() == 800
    assert (moved[~mask] == 0).all()
    for column, unit in enumerate([1.0, 100.0, 1.0, X[:, 3].std()]):
        assert np.median(moved[mask[:, column], column]) == pytest.approx(8 * unit, rel=0.1)


def test_wrong_cells_leave_the_original_and_its_missing_cells_alone(rng):
    X = rng.normal(size=(30, 5))
    X[::2, 1] = np.nan
    before = X.copy()
    wrong, mask = with_wrong_cells(X, share=1.0)
    assert np.array_equal(X, before, equal_nan=True)
    assert (np.isnan(wrong) == np.isnan(X)).all()
    assert (mask == ~np.isnan(X)).all()


def test_wrong_cells_of_whole_numbers_are_numbers():
    wrong, mask = with_wrong_cells(np.arange(40).reshape(10, 4), share=0.25)
    assert wrong.dtype == np.float64
    assert mask.sum() == 10


def test_missing_leaves_every_row_a_cell(rng):
    X = rng.normal(size=(50, 4))
    X[0] = [np.nan, np.nan, np.nan, 1.0]
    holed, mask = with_missing(X, share=1.0)
    assert ((~np.isnan(holed)).sum(axis=1) == 1).all()
    assert not mask[0].any()


def test_missing_takes_the_share_asked_for(rng):
    X = rng.normal(size=(50, 20))
    holed, mask = with_missing(X, share=0.2)
    assert mask.sum() == 200
    assert (np.isnan(holed) == mask).all()
    assert (holed[~mask] == X[~mask]).all()
    assert not np.isnan(X).any()


def test_scene_is_background_times_light_where_nobody_walks():
    scene = moving_scene(n=40, height=30, width=50)
    expected = scene.light[:, None] * scene.background
    free = ~scene.masks
    assert scene.frames.shape == scene.masks.shape == (40, 1500)
    assert scene.frames.dtype == np.float32
    assert scene.frames.min() >= 0 and scene.frames.max() <= 1
    assert np.std((scene.frames - expected)[free]) == pytest.approx(0.01, rel=0.1)
    assert np.abs(scene.frames - expected)[scene.masks].min() > 0.05


def test_scene_moves_and_every_pixel_is_mostly_background():
    scene = moving_scene()
    assert scene.masks.any(axis=1).all()
    assert 0.02 < scene.masks.mean() < 0.2
    assert scene.masks.mean(axis=0).max() < 0.5
    assert (scene.masks[0] != scene.masks[20]).any()
    assert (scene.frames == moving_scene().frames).all()


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.3, np.pi / 2])
def test_subspace_error_is_the_sine_of_the_angle(angle):
    A = np.array([[1.0, 0], [0, 1], [0, 0]]) @ np.array([[2.0, 1], [1, 5]])
    B = np.array([[1.0, 0], [0, np.cos(angle)], [0, np.sin(angle)]])
    assert subspace_error(A, B) == pytest.approx(np.sin(angle), abs=1e-15, rel=1e-6)
    assert subspace_error(B, A) == pytest.approx(np.sin(angle), abs=1e-15, rel=1e-6)


def test_subspace_error_of_equal_dimensions_is_the_distance_of_projectors(rng):
    A, B = (np.linalg.qr(rng.normal(size=(9, 3)))[0] for _ in range(2))
    assert subspace_error(A, B) == pytest.approx(np.linalg.norm(A @ A.T - B @ B.T, 2))


def test_subspace_within_a_larger_one_has_no_error(rng):
    B = rng.normal(size=(9, 4))
    assert subspace_error(B[:, :2], B) < 1e-12
    assert subspace_error(B, B[:, :2]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: planted(share=1.5), "share=1.5"),
        (lambda: planted_rows(share=-0.1), "share=-0.1"),
        (lambda: planted(n=5, d=4, rank=6), "rank=6"),
        (lambda: with_wrong_cells(np.zeros(3)), "X has shape"),
        (lambda: with_missing(np.zeros((3, 2)), share=2), "share=2"),
        (lambda: subspace_error(np.ones((3, 1)), np.ones((4, 1))), "3 rows but B has 4"),
    ],
)
def test_what_cannot_be_planted_is_said(call, says):
    with pytest.raises(InputError, match=says):
        call()
