"""Known answers 7: what may not change the answer - units, order, copies, weights, blocks of rows."""

import naive
import numpy as np
import pytest
from scipy.stats import spearmanr

from robustae import RobustAutoencoder

FULL_BATCH = ["lbfgs", "alternating"]
EXACT = {"hidden": 2, "dtype": "float64", "random_state": 0}


@pytest.fixture(scope="module")
def X():
    return naive.planted(n=121, d=8, rank=2, share=0.04)[0]


def scores(X, at=None, sample_weight=None, **settings):
    model = RobustAutoencoder(**{"predictor": "linear", **EXACT, **settings})
    return model.fit(X, sample_weight=sample_weight).score_samples(X if at is None else at)


def same(a, b, rtol=1e-7):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.median(np.abs(b)))


# ---------------------------------------------------------------- units


@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid"])
def test_a_column_times_1024_is_the_same_fit_to_rounding(predictor, X):
    factor = np.array([1024.0, 1, 1, 1 / 1024, 1, 1, 1, 1])
    settings = {"predictor": predictor, "scaling": "robust", "energy": "log"}
    same(scores(X * factor, **settings), scores(X, **settings), 1e-9)


@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid", "auto"])
def test_units_and_origins_do_not_matter_to_the_ranks(predictor, X):
    moved = X * np.array([1000.0, 1, 1e-3, 1, 1, 1, 7, 1]) + np.array([0, 1e4, 0, -3, 0, 0, 0, 50])
    settings = {"predictor": predictor, "scaling": "robust"}
    assert spearmanr(scores(X, **settings), scores(moved, **settings))[0] > 0.999


@pytest.mark.parametrize("factor", [1024.0, 1000.0, 1e-6])
def test_all_cells_in_another_unit_is_the_same_fit(factor, X):
    settings = {
        "predictor": "linear",
        "scaling": "global",
        "lam": 0.35,
        "tol": 0.0,
        "max_iter": 2000,
        **EXACT,
    }
    first = RobustAutoencoder(**settings).fit(X)
    second = RobustAutoencoder(**settings).fit(X * factor)
    np.testing.assert_allclose(
        second.reconstruct(X * factor) / factor, first.reconstruct(X), rtol=1e-3, atol=1e-3
    )
    assert spearmanr(first.score_samples(X), second.score_samples(X * factor))[0] > 0.999


def test_the_mirror_image_has_the_mirrored_answer(X):
    ours = RobustAutoencoder(predictor="linear", **EXACT).fit(X)
    mirrored = RobustAutoencoder(predictor="linear", **EXACT).fit(-X)
    np.testing.assert_allclose(mirrored.reconstruct(-X), -ours.reconstruct(X), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(mirrored.outliers(-X), -ours.outliers(X), rtol=1e-4, atol=1e-4)


# ---------------------------------------------------------------- order and copies


@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid"])
def test_the_order_of_the_rows_does_not_matter(predictor, solver, X):
    order = np.random.default_rng(5).permutation(len(X))
    settings = {"predictor": predictor, "solver": solver}
    same(scores(X[order], at=X, **settings), scores(X, **settings), 1e-3)


@pytest.mark.parametrize("predictor", ["constant", "linear"])
def test_the_order_of_the_columns_does_not_matter(predictor, X):
    order = np.random.default_rng(5).permutation(X.shape[1])
    settings = {"predictor": predictor, "scaling": "robust"}
    assert spearmanr(scores(X[:, order], **settings), scores(X, **settings))[0] > 0.999


@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid"])
def test_every_row_twice_is_the_same_fit_without_mu(predictor, solver, X):
    settings = {
        "predictor": predictor,
        "solver": solver,
        "mu": 0.0,
        "lam": 2.0,
        "scaling": None,
        "energy": "squared",
    }
    same(scores(np.repeat(X, 2, axis=0), at=X, **settings), scores(X, **settings), 1e-4)


@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid"])
def test_every_row_twice_is_nearly_the_same_fit_with_everything_automatic(predictor, X):
    settings = {"predictor": predictor, "mu": 0.0}
    assert spearmanr(scores(np.repeat(X, 2, axis=0), at=X, **settings), scores(X, **settings))[0] > 0.99


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid"])
def test_weights_are_repeated_rows_and_weight_0_is_a_row_absent(predictor, solver, X):
    weights = np.random.default_rng(1).integers(0, 4, len(X))
    settings = {"predictor": predictor, "solver": solver, "max_iter": 30}
    weighted = RobustAutoencoder(**EXACT, **settings).fit(X, sample_weight=weights.astype(float))
    repeated = RobustAutoencoder(**EXACT, **settings).fit(np.repeat(X, weights, axis=0))
    same(weighted.score_samples(X), repeated.score_samples(X))
    assert weighted.offset_ == pytest.approx(repeated.offset_, rel=1e-7)
    assert weighted.objective_ == pytest.approx(repeated.objective_, rel=1e-7)


def test_weight_0_takes_a_wild_row_out(X):
    wild = np.vstack([X, np.full((1, X.shape[1]), 1e9)])
    weights = np.ones(len(wild))
    weights[-1] = 0
    same(scores(wild, at=X, sample_weight=weights), scores(X))


def test_missing_cells_and_weights_go_together(X):
    holed = X.copy()
    holed[np.random.default_rng(2).random(X.shape) < 0.1] = np.nan
    weights = np.random.default_rng(1).integers(0, 3, len(X))
    same(scores(holed, sample_weight=weights), scores(np.repeat(holed, weights, axis=0), at=holed))


@pytest.mark.parametrize("weights", [[-1.0] + 120 * [1.0], [np.nan] + 120 * [1.0], 121 * [0.0], 120 * [1.0]])
def test_weights_that_cannot_be_are_refused(weights, X):
    with pytest.raises(ValueError, match="(?i)weight"):
        RobustAutoencoder(predictor="constant").fit(X, sample_weight=np.array(weights))


# ---------------------------------------------------------------- rows judged one by one


@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid", "deep", "auto"])
@pytest.mark.parametrize("energy", ["log", "squared", "combined", "envelope"])
def test_a_row_scores_the_same_alone_and_in_company(predictor, energy, X):
    model = RobustAutoencoder(predictor=predictor, energy=energy, max_iter=10, random_state=0).fit(X)
    together = model.score_samples(X)
    alone = np.concatenate([model.score_samples(row[None]) for row in X[:15]])
    same(alone, together[:15])
    halves = np.concatenate([model.score_samples(X[::2]), model.score_samples(X[1::2])])
    same(halves, np.concatenate([together[::2], together[1::2]]))


def test_a_trimmed_fit_judges_new_rows_one_by_one(X):
    model = RobustAutoencoder(predictor="linear", penalty="trimmed", **EXACT).fit(X)
    same(np.concatenate([model.score_samples(row[None]) for row in X[:9]]), model.score_samples(X)[:9])
    alone = np.vstack([model.outliers(row[None]) for row in X[:9]])
    np.testing.assert_allclose(alone, model.outliers(X)[:9], atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int16, bool])
def test_the_dtype_of_the_input_does_not_matter(dtype):
    X = np.random.default_rng(0).integers(0, 2 if dtype is bool else 200, (60, 5)).astype(dtype)
    settings = {"lam": 0.5, "tol": 0.0, "max_iter": 2000}
    same(scores(X, **settings), scores(X.astype(np.float64), **settings), 1e-4)


def test_memory_layout_does_not_matter(X):
    padded = np.zeros((2 * len(X), X.shape[1] + 1))
    padded[::2, 1:] = X
    same(scores(padded[::2, 1:]), scores(X), 1e-9)
    same(scores(np.asfortranarray(X)), scores(X), 1e-9)
    frozen = X.copy()
    frozen.flags.writeable = False
    same(scores(frozen), scores(X), 1e-12)


def test_members_differ_by_seed_and_one_seed_fixes_them_all(X):
    settings = {"predictor": "deep", "max_iter": 20, "lam": 1.0}
    three = scores(X, n_estimators=3, **settings)
    np.testing.assert_array_equal(three, scores(X, n_estimators=3, **settings))
    assert not np.array_equal(three, scores(X, **settings))
    assert spearmanr(three, scores(X, **settings))[0] > 0.5
