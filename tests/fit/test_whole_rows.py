"""Rows of one unit: the rows themselves tell whether they are ranked cell by cell or as wholes."""

import numpy as np
import pytest

from robustae import RobustAutoencoder, load
from robustae.metrics import auprc


def near_clusters(n, d=72, clusters=15, seed=0):
    """Rows near one of some points, whose cells a linear predictor cannot tell."""
    rng = np.random.default_rng(seed)
    places = 2 * np.random.default_rng(9).normal(size=(clusters, d))
    return places[rng.integers(clusters, size=n)] + 0.5 * rng.normal(size=(n, d))


def of_low_rank(n, d=72, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)) @ np.random.default_rng(9).normal(size=(4, d)) + 0.3 * rng.normal(
        size=(n, d)
    )


def bent(n, d=90, seed=0):
    """Peaks of one width at any place: a curve that no plane follows."""
    rng = np.random.default_rng(seed)
    return np.exp(-((np.arange(d) - rng.uniform(5, d - 5, (n, 1))) ** 2) / 8) + 0.03 * rng.normal(size=(n, d))


def with_shuffled_rows(X, share=0.05, seed=1):
    """Each cell of some rows is that of another row."""
    rng, X = np.random.default_rng(seed), X.copy()
    odd = np.arange(round(share * len(X)))
    for column in X.T:
        column[odd] = rng.permutation(column)[odd]
    return X, np.arange(len(X)) < len(odd)


@pytest.mark.parametrize(
    "made, predictor",
    [(near_clusters, "kernel"), (bent, "kernel"), (of_low_rank, "shallow")],
)
@pytest.mark.parametrize("n", [400, 1100])
def test_the_rows_decide(made, predictor, n):
    X, odd = with_shuffled_rows(made(n))
    model = RobustAutoencoder(random_state=0).fit(X)
    assert (model.kind_.name, model.predictor_name_) == ("one unit", predictor)
    found = auprc(odd, -model.score_samples(X))
    other = RobustAutoencoder(
        predictor={"kernel": "shallow", "shallow": "kernel"}[predictor], random_state=0
    ).fit(X)
    assert found > auprc(odd, -other.score_samples(X)) - 0.02
    assert found > 0.6


def test_columns_that_err_independently_are_judged_cell_by_cell():
    rng = np.random.default_rng(0)
    for X in (rng.normal(size=(2000, 70)), np.exp(rng.normal(size=(2000, 70)))):
        assert RobustAutoencoder(random_state=0).fit(X).predictor_name_ == "shallow"


def test_what_is_named_is_taken():
    X = near_clusters(300)
    assert RobustAutoencoder(predictor="shallow").fit(X).predictor_name_ == "shallow"
    model = RobustAutoencoder(energy="log").fit(X)
    assert (model.predictor_name_, model.energy_) == ("shallow", "log")


def test_the_choice_is_saved_and_goes_on_by_batches(tmp_path):
    X, more = near_clusters(400), near_clusters(300, seed=5)
    model = RobustAutoencoder(random_state=0).fit(X)
    model.save(tmp_path / "m.rae")
    np.testing.assert_array_equal(load(tmp_path / "m.rae").score_samples(more), model.score_samples(more))
    moved = near_clusters(300, seed=6) + 3.0
    before = np.median(model.score_samples(moved))
    for _ in range(6):
        model.partial_fit(moved, forget=0.7)
    assert model.predictor_name_ == "kernel"
    assert np.median(model.score_samples(moved)) > before
    assert (model.predict(near_clusters(300, seed=7) + 3.0) == -1).mean() < 0.1


@pytest.mark.parametrize("predictor", ["kernel", "shallow"])
def test_a_batch_teaches_nothing_by_rows_of_weight_0(predictor):
    first, sound, wild = near_clusters(400), near_clusters(150, seed=5), near_clusters(150, seed=6) + 9.0
    with_wild, without = (RobustAutoencoder(predictor=predictor, random_state=0).fit(first) for _ in "ab")
    for _ in range(3):
        weight = np.repeat([1.0, 0.0], 150)
        with_wild.partial_fit(np.concatenate([sound, wild]), sample_weight=weight, forget=0.7)
        without.partial_fit(sound, forget=0.7)
    np.testing.assert_allclose(with_wild.score_samples(wild), without.score_samples(wild), rtol=1e-9)
    assert with_wild.offset_ == pytest.approx(without.offset_, rel=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_holes_are_not_held_against_rows_or_cells(share):
    model = RobustAutoencoder(random_state=0).fit(near_clusters(500))
    assert model.predictor_name_ == "kernel"
    X = near_clusters(800, seed=3)
    holes = np.random.default_rng(1).random(X.shape) < share
    spoilt = np.where(holes, np.nan, X)
    complete, with_holes = (np.mean(model.predict(rows) == -1) for rows in (X, spoilt))
    assert with_holes <= complete + 0.02
    assert model.flags(spoilt)[~holes].mean() <= model.flags(X).mean() + 0.02
    error = np.abs(model.reconstruct(spoilt) - X)[holes]
    assert np.median(error) < 0.6, "what is missing is told by the cells that are there"


def test_rows_of_the_fit_may_have_holes():
    X = np.random.default_rng(2).normal(size=(90, 100)) + near_clusters(90, 100, 3)
    spoilt = np.where(np.random.default_rng(3).random(X.shape) < 0.1, np.nan, X)
    model = RobustAutoencoder(random_state=0).fit(spoilt)
    assert model.predictor_name_ == "kernel"
    assert np.isfinite(model.score_samples(spoilt)).all()
    assert (model.predict(spoilt) == -1).mean() < 0.06
