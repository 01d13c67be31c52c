"""GoDec and OR-PCA: what was planted comes back, and a plain second version agrees."""

import numpy as np
import pytest
from naive_video import naive_godec, naive_orpca
from sklearn.utils.estimator_checks import parametrize_with_checks

from robustae.baselines import GoDec, OnlineRobustPCA
from robustae.baselines.godec import decompose
from robustae.baselines.soft import solve_rows
from robustae.datasets.synthetic import planted, planted_rows, subspace_error
from robustae.metrics import auprc
from robustae.utils.checks import InputError

BOTH = [GoDec(rank=3), OnlineRobustPCA(rank=3, lam2=3.0)]
NAMES = ["GoDec", "OR-PCA"]


@parametrize_with_checks([GoDec(), OnlineRobustPCA()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def relative(A, B):
    return np.linalg.norm(A - B) / np.linalg.norm(B)


def f1(found, true):
    return 2 * (found & true).sum() / (found.sum() + true.sum())


def leading(X, rank):
    return np.linalg.svd(X, full_matrices=False)[2][:rank].T


@pytest.mark.parametrize(("model", "n"), [(BOTH[0], 300), (BOTH[1], 2000)], ids=NAMES)
def test_what_was_planted_is_found(model, n):
    data = planted(n, 60, share=0.08)
    L, S = model.fit(data.X).split(data.X)
    error = subspace_error(leading(L, 3), data.loadings)
    assert error < 0.6 * subspace_error(leading(data.X, 3), data.loadings)
    assert f1(S != 0, data.mask) > 0.95
    assert relative(L, data.low_rank) < relative(data.X, data.low_rank) / 3


@pytest.fixture(scope="module")
def some():
    return planted_rows(100, 20, share=0.05, size=6.0, noise=0.3)


@pytest.mark.parametrize("model", BOTH, ids=NAMES)
def test_anomalies_score_lowest_twice_the_same_and_the_input_stays(some, model):
    X = some.X.copy()
    scores = model.fit(X).score_samples(X)
    assert auprc(some.y, -scores) > 0.9
    assert (scores == model.fit(X).score_samples(X)).all()
    assert (X == some.X).all()


@pytest.mark.parametrize("model", BOTH, ids=NAMES)
def test_an_unseen_row_is_split_by_itself(some, model):
    model.fit(some.X[:60])
    L, S = model.split(some.X[60:])
    alone = [model.split(row[None]) for row in some.X[60:]]
    np.testing.assert_allclose(L, np.concatenate([part[0] for part in alone]), atol=1e-9)
    np.testing.assert_allclose(S, np.concatenate([part[1] for part in alone]), atol=1e-9)
    assert (np.abs(some.X[60:] - L - S) <= model.threshold_ + 1e-9).all()


@pytest.mark.parametrize("model", BOTH, ids=NAMES)
def test_images_come_back_as_images(some, model):
    images = some.X.reshape(-1, 4, 5)
    model.fit(images)
    assert model.reconstruct(images).shape == model.outliers(images).shape == images.shape
    np.testing.assert_array_equal(model.score_samples(images), model.score_samples(some.X))


@pytest.mark.parametrize("model", BOTH, ids=NAMES)
@pytest.mark.parametrize("X", [np.zeros((6, 4)), np.full((6, 4), 3.0), np.eye(2), np.arange(4.0)[:, None]])
def test_odd_data_have_finite_scores(model, X):
    assert np.isfinite(model.fit(X).score_samples(X)).all()


@pytest.mark.parametrize("model", BOTH, ids=NAMES)
def test_a_missing_cell_is_refused(some, model):
    X = some.X.copy()
    X[3, 4] = np.nan
    with pytest.raises(InputError, match="row 3, column 4 is missing"):
        model.fit(X)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (GoDec(rank=0), "rank=0 must be a whole number from 1 on"),
        (GoDec(threshold=0), "threshold=0 must be a number above 0"),
        (GoDec(threshold="automatic"), "threshold='automatic' must be 'auto' or a number above 0"),
        (GoDec(tol=float("nan")), "tol=nan"),
        (OnlineRobustPCA(rank=1.5), "rank=1.5"),
        (OnlineRobustPCA(lam1=-1), "lam1=-1 must be a number above 0"),
        (OnlineRobustPCA(lam2="big"), "lam2='big' must be 'auto' or a number above 0"),
    ],
)
def test_parameters_that_cannot_be_used_are_said(some, model, says):
    with pytest.raises(InputError, match=says):
        model.fit(some.X)


# ---------------------------------------------------------------- GoDec


@pytest.mark.parametrize(("n", "d"), [(40, 15), (15, 40)])
def test_godec_agrees_with_the_plain_implementation(n, d):
    X = planted(n, d, rank=2, noise=0.5).X
    start = np.linalg.qr(np.random.default_rng(0).normal(size=(d, 2)))[0].T
    ours = decompose(X, start, 1.0, tol=1e-15, max_iter=2000)
    L, S = naive_godec(X, 2, 1.0, 300)
    assert relative(ours.low_rank, L) < 1e-6
    assert relative(ours.sparse, S) < 1e-6


@pytest.mark.parametrize("threshold", ["auto", 0.5])
def test_godec_objective_never_rises_and_is_what_it_says(threshold):
    data = planted(80, 30, noise=1.0)
    model = GoDec(rank=3, threshold=threshold, tol=1e-13).fit(data.X)
    rest = data.X - model.low_rank_ - model.sparse_
    objective = np.square(rest).sum() / 2 + model.threshold_ * np.abs(model.sparse_).sum()
    assert len(model.history_) > 3
    assert (np.diff(model.history_) <= 1e-12 * model.history_[0]).all()
    assert model.history_[-1] == pytest.approx(objective)
    assert np.linalg.matrix_rank(model.low_rank_) == 3


def test_godec_gives_training_rows_the_answer_of_the_fit():
    X = planted(80, 30, noise=1.0).X
    model = GoDec(rank=3, tol=1e-13).fit(X)
    assert relative(model.reconstruct(X), model.low_rank_) < 1e-5
    assert relative(model.outliers(X), model.sparse_) < 1e-5


def test_godec_threshold_is_three_noise_deviations():
    X = planted(300, 60, share=0.05, noise=2.0).X
    assert GoDec(rank=3).fit(X).threshold_ == pytest.approx(6.0, rel=0.15)


# ---------------------------------------------------------------- OR-PCA


def test_orpca_agrees_with_the_plain_implementation():
    X = planted(60, 12, rank=2, noise=0.5).X
    model = OnlineRobustPCA(rank=3, lam1=0.2, lam2=1.0).fit(X)
    start = np.random.default_rng(0).random((3, 12))
    assert relative(model.components_, naive_orpca(X, start, 0.2, 1.0, 500)) < 1e-4


def test_orpca_solves_each_rows_convex_problem():
    X = planted(20, 12, rank=2, noise=0.5).X
    V = np.random.default_rng(1).normal(size=(3, 12))
    Z, S = solve_rows(X, V, 1.0, ridge=0.2, steps=500)
    at = [_row_objective(X, V, Z, S)]
    for step in (1e-3, -1e-3):
        at += [_row_objective(X, V, Z + step * np.eye(3)[j], S) for j in range(3)]
        at += [_row_objective(X, V, Z, S + step * np.eye(12)[j]) for j in range(12)]
    assert (np.array(at[1:]) >= at[0] - 1e-9).all()


def _row_objective(X, V, Z, S):
    rest = np.square(X - Z @ V - S).sum(1) / 2
    return rest + 0.1 * np.square(Z).sum(1) + np.abs(S).sum(1)


def test_orpca_in_pieces_is_orpca_at_once(some):
    whole = OnlineRobustPCA(rank=3).fit(some.X)
    pieces = OnlineRobustPCA(rank=3)
    for piece in np.array_split(some.X, 7):
        pieces.partial_fit(piece)
    np.testing.assert_array_equal(pieces.components_, whole.components_)
    assert pieces.n_samples_seen_ == len(some.X)


def test_orpca_forgets_when_fitted_anew(some):
    model = OnlineRobustPCA(rank=3).partial_fit(some.X)
    first = model.components_.copy()
    np.testing.assert_array_equal(model.fit(some.X).components_, first)
