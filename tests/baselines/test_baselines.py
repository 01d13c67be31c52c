"""The compared methods, each by its own known answer."""

import numpy as np
import pytest
from naive_baselines import naive_drmf, naive_kernel_norm, naive_knn
from sklearn.utils.estimator_checks import parametrize_with_checks

from robustae.baselines import DRMF, RKPCA, KNNDistance, ReconstructionPCA, one_class_svm
from robustae.baselines.drmf import factorise
from robustae.baselines.rkpca import EPS, Smooth
from robustae.datasets.synthetic import planted, planted_rows, with_missing
from robustae.metrics import auprc, auroc
from robustae.utils.checks import InputError

ALL = [DRMF(), DRMF(kind="rows"), RKPCA(), KNNDistance(), one_class_svm()]
OURS = ALL[:-1]
NAMES = ["DRMF", "DRMF-R", "RKPCA", "kNN", "OC-SVM"]


@parametrize_with_checks([DRMF(), KNNDistance()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def relative(A, B):
    return np.linalg.norm(A - B) / np.linalg.norm(B)


def never_rises(history):
    return (np.diff(history) <= 1e-12 * history[0]).all()


# ---------------------------------------------------------------- all of them


@pytest.fixture(scope="module")
def some():
    return planted_rows(100, 20, share=0.05, size=6.0, noise=0.3)


@pytest.mark.parametrize("model", ALL, ids=NAMES)
def test_anomalies_score_lowest_twice_the_same_and_the_input_stays(some, model):
    X = some.X.copy()
    scores = model.fit(X).score_samples(X)
    assert auprc(some.y, -scores) > 0.6
    assert (scores == model.fit(X).score_samples(X)).all()
    assert (X == some.X).all()


@pytest.mark.parametrize("model", OURS[:3], ids=NAMES[:3])
def test_splitting_leaves_the_input_as_it_was(some, model):
    X = some.X.copy()
    model.fit(X)
    assert model.reconstruct(X).shape == model.outliers(X).shape == X.shape
    assert (X == some.X).all()


@pytest.mark.parametrize("model", OURS, ids=NAMES[:4])
def test_a_training_row_is_scored_by_itself_and_known_again(some, model):
    scores = model.fit(some.X).score_samples(some.X)
    back = model.score_samples(some.X[::-3])
    assert back == pytest.approx(scores[::-3], rel=1e-9)


@pytest.mark.parametrize("model", [OURS[0], OURS[1], OURS[3]], ids=["DRMF", "DRMF-R", "kNN"])
def test_an_unseen_row_is_scored_by_itself(some, model):
    model.fit(some.X[:60])
    together = model.score_samples(some.X[60:])
    alone = [model.score_samples(row[None])[0] for row in some.X[60:]]
    assert together == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("model", ALL[2:], ids=NAMES[2:])
def test_a_missing_cell_is_refused_in_a_sentence(some, model):
    X, _ = with_missing(some.X, 0.01)
    with pytest.raises(ValueError, match=r"NaN"):
        model.fit(X)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (DRMF(rank=1.5), "rank=1.5"),
        (DRMF(share=0.6), r"share=0.6 must be a share in \[0, 0.5\]"),
        (DRMF(kind="row"), "did you mean 'rows'"),
        (DRMF(max_iter=0), "max_iter=0"),
        (DRMF(tol=float("nan")), "tol=nan"),
        (RKPCA(lam=0), "lam=0 must be a number above 0"),
        (RKPCA(width="wide"), "width='wide'"),
        (KNNDistance(n_neighbors=2.5), "n_neighbors=2.5 must be a whole number from 1 on"),
    ],
)
def test_parameters_that_cannot_be_used_are_said(some, model, says):
    with pytest.raises(InputError, match=says):
        model.fit(some.X)


@pytest.mark.parametrize("model", OURS, ids=NAMES[:4])
@pytest.mark.parametrize("X", [np.zeros((6, 4)), np.full((6, 4), 3.0), np.eye(2), np.arange(4.0)[:, None]])
def test_odd_data_have_finite_scores(model, X):
    assert np.isfinite(model.fit(X).score_samples(X)).all()


# ---------------------------------------------------------------- DRMF


@pytest.mark.parametrize(("n", "d"), [(200, 60), (60, 200)])
def test_drmf_recovers_what_was_planted(n, d):
    data = planted(n, d, share=0.08, noise=0.0)
    model = DRMF(rank=3, share=0.08).fit(data.X)
    assert relative(model.low_rank_, data.low_rank) < 1e-10
    assert relative(model.sparse_, data.outliers) < 1e-10
    assert ((model.sparse_ != 0) == data.mask).all()


def test_drmf_finds_the_rank_of_a_clean_start():
    assert DRMF().fit(planted(200, 60, share=0.08, noise=0.0).X).rank_ == 3


@pytest.mark.parametrize("rows", [False, True], ids=["cells", "rows"])
@pytest.mark.parametrize(("n", "d"), [(30, 12), (12, 30)])
def test_drmf_agrees_with_the_plain_implementation(n, d, rows):
    X = planted(n, d, rank=2, noise=0.5).X
    e = 3 if rows else 30
    ours = factorise(X, np.zeros_like(X), 2, e, rows, tol=-1.0, max_iter=25)
    L, S = naive_drmf(X, np.zeros_like(X), 2, e, 25, rows)
    assert relative(ours.low_rank, L) < 1e-8
    assert relative(ours.sparse, S) < 1e-8


@pytest.mark.parametrize("kind", ["cells", "rows"])
@pytest.mark.parametrize("share_missing", [0.0, 0.1])
def test_drmf_objective_never_rises_and_is_what_it_says(kind, share_missing):
    X, missing = with_missing(planted(80, 30, noise=1.0).X, share_missing)
    model = DRMF(rank=3, kind=kind, tol=1e-15, max_iter=50).fit(X)
    left = np.where(missing, 0.0, X - model.low_rank_ - model.sparse_)
    assert len(model.history_) > 3
    assert never_rises(model.history_)
    assert model.history_[-1] == pytest.approx(np.linalg.norm(left))
    assert np.linalg.matrix_rank(model.low_rank_) == 3
    hit = (model.sparse_ != 0).any(axis=1).sum() if kind == "rows" else (model.sparse_ != 0).sum()
    assert hit == round(0.1 * (80 if kind == "rows" else (~missing).sum()))


def test_drmf_power_steps_of_large_data_end_where_the_exact_ones_do(monkeypatch):
    X = planted(80, 60, noise=0.5).X
    exact = DRMF(rank=3).fit(X)
    monkeypatch.setattr("robustae.baselines.drmf.EXACT", 10)
    powered = DRMF(rank=3).fit(X)
    assert never_rises(powered.history_)
    assert relative(powered.low_rank_, exact.low_rank_) < 1e-3


def test_drmf_by_rows_finds_the_planted_rows_and_the_subspace():
    data = planted_rows(200, 30, share=0.1, size=3.0, noise=0.1)
    model = DRMF(rank=3, kind="rows").fit(data.X)
    assert ((model.sparse_ != 0).any(axis=1) == data.y).all()
    kept = np.linalg.svd(data.X[data.y == 0], full_matrices=False)[2][:3]
    assert np.abs(model.components_ @ kept.T @ kept - model.components_).max() < 1e-6
    assert model.score_samples(data.X) == pytest.approx(
        -((data.X - data.X @ kept.T @ kept) ** 2).sum(axis=1), rel=1e-5
    )


def test_drmf_without_outliers_is_the_truncated_decomposition(some):
    drmf = DRMF(rank=4, share=0.0).fit(some.X)
    tsvd = ReconstructionPCA(rank=4, center=False).fit(some.X)
    assert drmf.score_samples(some.X) == pytest.approx(tsvd.score_samples(some.X))
    assert (drmf.outliers(some.X) == 0).all()


def test_drmf_fills_what_is_missing_and_scores_as_if_it_were_there():
    data = planted(150, 60, rank=2, share=0.03, noise=0.0)
    X, missing = with_missing(data.X, 0.1)
    model = DRMF(rank=2, share=0.05, tol=1e-9, max_iter=500).fit(X)
    assert relative(model.reconstruct(X), data.low_rank) < 1e-5
    assert (model.outliers(X)[missing] == 0).all()
    R = np.where(missing, 0.0, X - model.low_rank_)
    assert -model.score_samples(X) == pytest.approx(60 * (R**2).sum(1) / (~missing).sum(1), abs=1e-9)


def test_drmf_splits_unseen_rows_of_the_same_subspace_exactly():
    data = planted(300, 60, share=0.05, noise=0.0)
    model = DRMF(rank=3, share=0.05).fit(data.X[:200])
    assert relative(model.reconstruct(data.X[200:]), data.low_rank[200:]) < 1e-6
    assert relative(model.outliers(data.X[200:]), data.outliers[200:]) < 1e-6


def test_drmf_gives_unseen_rows_about_the_answer_of_the_fit():
    data = planted(200, 40, noise=0.5)
    model = DRMF(rank=3).fit(data.X)
    nudged = model.reconstruct(data.X + 1e-9)
    assert relative(nudged, model.low_rank_) < 0.02


# ---------------------------------------------------------------- RKPCA


@pytest.fixture(scope="module")
def surface():
    """Rows on a surface of two dimensions, cubic in its parameters; a tenth of the cells hit."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, size=(100, 2))
    clean = sum(w * t**p @ rng.normal(size=(2, 20)) for w, p in ((1.0, 1), (0.5, 2), (0.5, 3)))
    mask = rng.random(clean.shape) < 0.1
    return clean, np.where(mask, rng.normal(size=clean.shape), 0.0), mask


@pytest.fixture(scope="module")
def kernel_fit(surface):
    return RKPCA().fit(surface[0] + surface[1])


def test_rkpca_finds_the_wrong_cells_of_a_nonlinear_surface(surface, kernel_fit):
    clean, errors, mask = surface
    X = clean + errors
    assert relative(kernel_fit.reconstruct(X), clean) < 0.15 * relative(X, clean)
    assert auroc(mask.ravel().astype(int), np.abs(kernel_fit.outliers(X)).ravel()) > 0.95
    assert (kernel_fit.sparse_ == 0).mean() > 0.5


def test_rkpca_objective_never_rises_and_is_what_it_says(surface, kernel_fit):
    X = surface[0] + surface[1]
    assert kernel_fit.n_iter_ < 1000
    assert (np.diff(kernel_fit.history_) < 0).all()
    smooth = naive_kernel_norm(X - kernel_fit.sparse_, kernel_fit.sigma_, EPS)
    norm = np.abs(kernel_fit.sparse_).sum()
    assert kernel_fit.history_[-1] == pytest.approx(smooth + kernel_fit.lam_ * norm)


def test_rkpca_ends_where_no_cell_can_be_bettered(surface, kernel_fit):
    tight = RKPCA(tol=1e-6, max_iter=5000).fit(surface[0] + surface[1])
    E, lam = tight.sparse_, tight.lam_
    gradient = Smooth.at(surface[0] + surface[1] - E, tight.sigma_).gradient
    assert np.abs(gradient[E == 0]).max() < 1.05 * lam
    assert np.abs(gradient + lam * np.sign(E))[E != 0].max() < 0.05 * lam


def test_rkpca_gradient_agrees_with_differences(rng):
    Z = rng.normal(size=(8, 3))
    gradient = Smooth.at(Z, 1.5).gradient
    for i, j in np.ndindex(Z.shape):
        step = np.zeros_like(Z)
        step[i, j] = 1e-5
        rise = naive_kernel_norm(Z - step, 1.5, EPS) - naive_kernel_norm(Z + step, 1.5, EPS)
        assert gradient[i, j] == pytest.approx(rise / 2e-5, abs=1e-6)


def test_rkpca_parameters_are_those_of_the_authors(surface, kernel_fit):
    X = surface[0] + surface[1]
    distances = [np.linalg.norm(a - b) for a in X for b in X]
    assert kernel_fit.sigma_ == pytest.approx(np.mean(distances))
    assert kernel_fit.lam_ == pytest.approx(0.5 / (20 * np.abs(X).mean()))


def test_rkpca_units_do_not_matter(surface, kernel_fit):
    X = surface[0] + surface[1]
    assert relative(RKPCA().fit(1024 * X).sparse_, 1024 * kernel_fit.sparse_) < 1e-6


def test_rkpca_with_a_large_lam_leaves_all_as_it_is(surface):
    X = surface[0] + surface[1]
    assert (RKPCA(lam=100.0).fit(X).sparse_ == 0).all()


def test_rkpca_says_that_it_cannot_score_unseen_rows(surface, kernel_fit):
    X = surface[0] + surface[1]
    assert kernel_fit.score_samples(X[5:9]) == pytest.approx(-(kernel_fit.sparse_[5:9] ** 2).sum(axis=1))
    X[6] += 1e-9
    with pytest.raises(InputError, match="row 1 is not among the training rows"):
        kernel_fit.score_samples(X[5:9])


def test_rkpca_does_not_see_a_row_far_from_all_others(surface):
    X = np.vstack([surface[0], np.full((1, 20), 30.0)])
    assert RKPCA().fit(X).score_samples(X)[-1] == 0


# ---------------------------------------------------------------- neighbours


@pytest.mark.parametrize("k", [1, 5])
def test_knn_is_what_loops_give(rng, k):
    X, new = rng.normal(size=(40, 6)), rng.normal(size=(9, 6))
    model = KNNDistance(n_neighbors=k).fit(X)
    assert -model.score_samples(X) == pytest.approx([naive_knn(X, row, k, i) for i, row in enumerate(X)])
    assert -model.score_samples(new) == pytest.approx([naive_knn(X, row, k) for row in new])


def test_knn_leaves_a_row_out_but_not_its_equals():
    X = np.array([[0.0], [0.0], [0.0], [3.0], [10.0]])
    assert -KNNDistance(n_neighbors=2).fit(X).score_samples(X) == pytest.approx([0, 0, 0, 3, 8.5])


def test_knn_has_no_more_neighbours_than_there_are_rows():
    X = np.array([[0.0], [1.0], [3.0]])
    assert -KNNDistance(n_neighbors=50).fit(X).score_samples(X) == pytest.approx([2, 1.5, 2.5])


def test_one_class_svm_is_scikit_learns():
    from sklearn.svm import OneClassSVM

    X = planted_rows(60, 5).X
    assert (one_class_svm().fit(X).score_samples(X) == OneClassSVM().fit(X).score_samples(X)).all()
    assert one_class_svm(nu=0.1).nu == 0.1
