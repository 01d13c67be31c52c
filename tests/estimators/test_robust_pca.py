"""Robust PCA and the methods beside it: known answers, certificates, and one rule for every row."""

import tracemalloc
import warnings

import numpy as np
import pytest
from naive_rpca import naive_pursuit, objective
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from robustae import RobustPCA
from robustae.baselines import ReconstructionPCA, comparison_methods, pursue
from robustae.datasets.synthetic import moving_scene, planted, planted_rows, subspace_error, with_missing
from robustae.metrics import auprc
from robustae.utils.checks import InputError


@parametrize_with_checks([RobustPCA()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def relative(A, B):
    return np.linalg.norm(A - B) / np.linalg.norm(B)


@pytest.fixture(scope="module")
def noisy():
    return planted(200, 40, noise=0.5)


@pytest.fixture(scope="module")
def fitted(noisy):
    return RobustPCA().fit(noisy.X)


@pytest.mark.parametrize(("n", "d"), [(300, 100), (100, 300), (150, 150)])
def test_recovers_what_was_planted(n, d):
    data = planted(n, d, share=0.05, noise=0.0)
    model = RobustPCA().fit(data.X)
    assert model.rank_ == 3
    assert relative(model.low_rank_, data.low_rank) < 1e-5
    assert ((model.sparse_ != 0) == data.mask).all()
    assert subspace_error(model.components_.T, data.loadings) < 1e-5


def test_recovers_what_was_planted_from_part_of_the_cells():
    data = planted(300, 200, rank=2, share=0.03, noise=0.0)
    X, missing = with_missing(data.X, 0.1)
    model = RobustPCA().fit(X)
    assert relative(model.low_rank_, data.low_rank) < 1e-5
    assert (model.sparse_[missing] == 0).all()
    assert relative(model.reconstruct(X), data.low_rank) < 1e-5


@pytest.mark.parametrize("share_missing", [0.0, 0.1])
@pytest.mark.parametrize(("n", "d"), [(30, 12), (12, 30)])
def test_agrees_with_the_plain_implementation(n, d, share_missing):
    X, _ = with_missing(planted(n, d, rank=2, noise=0.5).X, share_missing)
    L, S = naive_pursuit(X, lam=0.2)
    model = RobustPCA(lam=0.2, rho=1.01, tol=1e-9, max_iter=5000).fit(X)
    assert relative(model.low_rank_, L) < 1e-5
    assert relative(model.sparse_, S) < 1e-5
    assert RobustPCA(lam=0.2).fit(X).objective_ == pytest.approx(objective(X, L, 0.2), rel=1e-4)


def test_the_objective_is_certified(noisy, fitted):
    best = naive_pursuit(noisy.X, fitted.lam_, mu=0.2, steps=500)[0]
    least = objective(noisy.X, best, fitted.lam_)
    assert fitted.objective_ == pytest.approx(objective(noisy.X, fitted.low_rank_, fitted.lam_))
    assert fitted.objective_ * (1 - fitted.gap_) <= least <= fitted.objective_ * (1 + 1e-9)
    assert 0 <= fitted.gap_ < 0.01
    assert 0 <= RobustPCA(rho=1.03).fit(noisy.X).gap_ < fitted.gap_ / 10


def test_low_rank_and_sparse_add_up(noisy, fitted):
    scale = np.linalg.norm(noisy.X)
    assert np.linalg.norm(noisy.X - fitted.low_rank_ - fitted.sparse_) < 1e-6 * scale
    assert np.linalg.matrix_rank(fitted.low_rank_, tol=1e-6 * scale) == fitted.rank_ < 40
    assert 0.1 < (fitted.sparse_ == 0).mean() < 0.9
    assert fitted.n_iter_ == len(fitted.history_)
    assert fitted.status_.startswith("converged")


@pytest.mark.parametrize("lam", [1.0, 7.0, float("inf")])
def test_large_lam_leaves_nothing_to_the_sparse_part(noisy, lam):
    model = RobustPCA(lam=lam).fit(noisy.X)
    assert (model.sparse_ == 0).all()
    assert relative(model.low_rank_, noisy.X) < 1e-6
    assert (model.score_samples(noisy.X) == 0).all()


def test_small_lam_leaves_everything_to_it(noisy):
    model = RobustPCA(lam=1e-6).fit(noisy.X)
    assert model.rank_ == 0
    assert (model.sparse_ == noisy.X).all()


def test_default_lam_counts_the_cells_observed(noisy, fitted):
    assert fitted.lam_ == pytest.approx(1 / np.sqrt(200))
    X, _ = with_missing(noisy.X, 0.25)
    assert RobustPCA().fit(X).lam_ == pytest.approx(1 / np.sqrt(150))


def test_training_rows_get_the_answer_of_the_fit(noisy, fitted):
    L, S = fitted.split(noisy.X)
    assert relative(L, fitted.low_rank_) < 5e-3
    assert relative(S, fitted.sparse_) < 5e-3
    assert np.abs(L + S - noisy.X).max() < 1e-3


def test_unseen_rows_of_the_same_subspace_are_split_exactly():
    data = planted(300, 60, share=0.05, noise=0.0)
    model = RobustPCA().fit(data.X[:200])
    assert relative(model.reconstruct(data.X[200:]), data.low_rank[200:]) < 1e-5
    assert ((np.abs(model.outliers(data.X[200:])) > 1e-3) == data.mask[200:]).all()


def test_rows_are_treated_one_by_one(noisy, fitted):
    alone = np.concatenate([fitted.score_samples(row[None]) for row in noisy.X])
    assert fitted.score_samples(noisy.X) == pytest.approx(alone, rel=1e-9)
    assert (fitted.fit_predict(noisy.X) == fitted.predict(noisy.X)).all()


def test_energy_is_the_squared_outlying_part_as_if_all_cells_were_observed(noisy, fitted):
    X, _ = with_missing(noisy.X, 0.3)
    S = fitted.outliers(X)
    per_cell = [np.mean(row[~np.isnan(x)] ** 2) for row, x in zip(S, X, strict=True)]
    assert -fitted.score_samples(X) == pytest.approx(40 * np.array(per_cell))


def test_anomalous_rows_score_lowest():
    data = planted_rows(400, 50, share=0.05, size=2.0)
    model = RobustPCA().fit(data.X)
    assert auprc(data.y, -model.score_samples(data.X)) > 0.95
    assert (model.predict(data.X)[data.y == 1] == -1).all()


def test_threshold_is_the_percentile_asked_for_and_can_be_moved(noisy):
    model = RobustPCA(contamination=0.1).fit(noisy.X)
    assert model.offset_ == pytest.approx(np.percentile(model.score_samples(noisy.X), 10))
    assert (model.predict(noisy.X) == -1).sum() == 20
    model.offset_ = -np.inf
    assert (model.predict(noisy.X) == 1).all()


def test_a_wild_cell_or_row_does_not_move_the_others(noisy, fitted):
    for wild in ((3, 4), (3, slice(None))):
        X = noisy.X.copy()
        X[wild] *= 1e10
        model = RobustPCA().fit(X)
        rest = np.arange(200) != 3
        assert relative(model.low_rank_[rest], fitted.low_rank_[rest]) < 0.05
        assert np.abs(model.low_rank_).max() < 2 * np.abs(fitted.low_rank_).max()
        assert model.score_samples(X).argmin() == 3


def test_units_do_not_matter_if_all_cells_share_them(noisy, fitted):
    model = RobustPCA().fit(noisy.X * 1e-4)
    assert relative(model.low_rank_ * 1e4, fitted.low_rank_) < 1e-9


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((6, 4)),
        np.full((6, 4), 3.0),
        np.array([[1.0], [2], [3], [50]]),
        np.array([[1.0, 2, 3], [4, 5, 6]]),
        np.c_[np.arange(9.0), np.full(9, 1e6), np.arange(9) % 2],
        np.c_[np.arange(9.0), np.full(9, np.nan)],
    ],
    ids=["zero", "equal", "one column", "two rows", "constant and two-valued columns", "empty column"],
)
def test_odd_data_have_finite_scores(X):
    model = RobustPCA().fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite(model.reconstruct(X)).all()
    assert model.gap_ < 0.02


def test_memory_is_a_few_copies_of_the_data():
    X = planted(60, 30_000, noise=0.0).X
    tracemalloc.start()
    pursue(X, 0.006, max_iter=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4.5 * X.nbytes


def test_input_is_not_modified(noisy):
    X, _ = with_missing(noisy.X, 0.1)
    before = X.copy()
    RobustPCA().fit(X).split(X)
    assert np.array_equal(X, before, equal_nan=True)


def test_stopping_early_is_said(noisy):
    with pytest.warns(ConvergenceWarning, match="max_iter = 3"):
        model = RobustPCA(max_iter=3).fit(noisy.X)
    assert "max_iter = 3" in model.status_


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"lam": 0}, "lam=0 must be 'auto' or a positive number"),
        ({"lam": "outo"}, "lam='outo'"),
        ({"lam": float("nan")}, "lam=nan"),
        ({"tol": -1}, "tol=-1"),
        ({"rho": 1.0}, "rho=1.0"),
        ({"max_iter": 2.5}, "max_iter=2.5"),
        ({"contamination": 0.7}, "contamination=0.7"),
    ],
)
def test_parameters_that_cannot_be_used_are_said(noisy, parameters, says):
    with pytest.raises(InputError, match=says):
        RobustPCA(**parameters).fit(noisy.X)


def test_a_misspelt_parameter_is_answered_with_the_right_one():
    with pytest.raises(InputError, match="did you mean 'lam'"):
        RobustPCA().set_params(lamda=1)


def test_images_and_float32_come_back_as_they_came():
    frames = moving_scene(20, 6, 8).frames.reshape(20, 6, 8)
    L, S = RobustPCA().fit(frames).split(frames)
    assert L.shape == S.shape == frames.shape
    assert L.dtype == S.dtype == np.float32


def test_a_row_without_a_cell_is_named(noisy, fitted):
    X = noisy.X.copy()
    X[7] = np.nan
    for call in (RobustPCA().fit, fitted.score_samples):
        with pytest.raises(InputError, match="row 7"):
            call(X)


@pytest.mark.parametrize("scale_columns", [True, False])
def test_comparison_methods_beat_chance(scale_columns):
    # Larger anomalies would pull the components of PCA to themselves and hide.
    data = planted_rows(500, 50, share=0.05, size=1.5)
    X, _ = with_missing(data.X, 0.02)
    for name, method in comparison_methods(0, scale_columns=scale_columns).items():
        score = -method().fit(X).score_samples(X)
        assert auprc(data.y, score) > 3 * 0.05, name
        assert (score == -method().fit(X).score_samples(X)).all(), name


@pytest.mark.parametrize(("n", "d"), [(80, 20), (20, 80)])
def test_pca_error_is_what_the_other_components_hold(rng, n, d):
    X = rng.normal(size=(n, d)) + 5
    for center in (True, False):
        A = X - X.mean(axis=0) * center
        _, _, Vt = np.linalg.svd(A, full_matrices=False)
        model = ReconstructionPCA(rank=4, center=center).fit(X)
        assert -model.score_samples(X) == pytest.approx(((A - A @ Vt[:4].T @ Vt[:4]) ** 2).sum(axis=1))


def test_pca_rank_is_the_least_that_explains_the_share():
    X = np.diag([3.0, 2.0, 1.0])
    for share, rank in ((0.6, 1), (0.9, 2), (0.93, 3)):
        assert len(ReconstructionPCA(rank=share, center=False).fit(X).components_) == rank
    with pytest.raises(InputError, match="rank=1.5"):
        ReconstructionPCA(rank=1.5).fit(X)


def test_nothing_warns_on_plain_data(noisy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RobustPCA().fit(noisy.X).split(noisy.X)
