"""Thresholds, probabilities, and the robust locations and scales beneath them."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robustae import RobustAutoencoder
from robustae.stats.drawn import widened
from robustae.stats.scales import mad_scale, median, quantile, scale_of_rows
from robustae.stats.thresholds import offset
from robustae.utils.checks import InputError

QUICK = {"predictor": "linear", "hidden": 2, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    X, y = naive.planted_rows()
    return RobustAutoencoder(**QUICK).fit(X), X, y


# ---------------------------------------------------------------- quantiles

weighted = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        arrays(float, n, elements=st.floats(-100, 100)),
        arrays(int, n, elements=st.integers(0, 4)),
    )
)


@given(pair=weighted, q=st.floats(0, 1))
def test_a_weighted_quantile_is_that_of_repeated_values(pair, q):
    x, weights = pair
    weights = weights + (weights.sum() == 0)
    expected = naive.weighted_quantile(x, weights, q)
    assert quantile(x, q, weights.astype(float)) == pytest.approx(expected, abs=1e-6)
    assert median(x, weights.astype(float)) == pytest.approx(naive.weighted_median(x, weights), abs=1e-9)


@given(x=arrays(float, (9, 3), elements=st.floats(-100, 100)), seed=st.integers(0, 50))
def test_missing_values_are_left_out_column_by_column(x, seed):
    x = x.copy()
    holes = np.random.default_rng(seed).random(x.shape) < 0.3
    holes[0] = False
    x[holes] = np.nan
    for j, column in enumerate(x.T):
        seen = column[~np.isnan(column)]
        assert median(x)[j] == pytest.approx(np.median(seen), abs=1e-12)
        assert mad_scale(x)[j] == pytest.approx(naive.mad(seen), abs=1e-12)
        assert median(x, np.ones(9))[j] == pytest.approx(np.median(seen), abs=1e-12)


# ---------------------------------------------------------------- one scale from the rows

residuals = st.integers(1, 8).flatmap(
    lambda n: st.tuples(
        arrays(float, (n, 4), elements=st.floats(-100, 100)),
        arrays(bool, (n, 4)),
        arrays(int, n, elements=st.integers(0, 3)),
    )
)


def test_the_scale_of_rows_is_that_of_the_median_row():
    R = np.array([[3.0, -3, 3], [1, 1, -1], [2, -2, np.nan], [np.nan, np.nan, 0], [50, 50, 50]])
    assert scale_of_rows(R) == pytest.approx(2.0), "sizes 0, 1, 2, 3 and 50"
    assert scale_of_rows(R[:4]) == pytest.approx(np.sqrt(2.5)), "squares are averaged, not sizes"
    assert scale_of_rows(R, np.array([1.0, 1, 1, 0, 0])) == pytest.approx(2.0)
    assert scale_of_rows(np.array([[3.0, 4.0]])) == pytest.approx(np.sqrt(12.5))


@given(drawn=residuals)
def test_the_scale_of_rows_against_a_loop(drawn):
    R, holes, weights = drawn
    holes[:, 0] = False
    R[holes] = np.nan
    weights = weights + (weights.sum() == 0)
    assert scale_of_rows(R) == pytest.approx(naive.row_scale(R), abs=1e-9)
    weighted_scale = scale_of_rows(R, weights.astype(float))
    assert weighted_scale == pytest.approx(naive.row_scale(R, weights), abs=1e-9)
    assert weighted_scale == pytest.approx(scale_of_rows(np.repeat(R, weights, axis=0)), abs=1e-9)


@pytest.mark.parametrize("kept", [1, 2, 5])
def test_dropped_rows_do_not_count_in_the_scale(kept, rng):
    R = np.vstack([rng.normal(size=(kept, 6)), 1e6 * rng.normal(size=(4, 6)), np.zeros((3, 6))])
    weights = np.r_[np.ones(kept), np.zeros(7)]
    assert scale_of_rows(R, weights) == pytest.approx(scale_of_rows(R[:kept]))


# ---------------------------------------------------------------- a share given


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.33, 0.5])
def test_a_share_is_an_exact_percentile(share):
    X, _ = naive.planted_rows()
    model = RobustAutoencoder(contamination=share, **QUICK).fit(X)
    scores = model.score_samples(X)
    assert model.offset_ == pytest.approx(np.percentile(scores, 100 * share), rel=1e-12)
    assert np.sum(model.predict(X) == -1) == np.sum(scores < np.percentile(scores, 100 * share))


def test_contamination_0_says_that_the_training_rows_are_clean():
    X, _ = naive.planted_rows(anomalies=0)
    model = RobustAutoencoder(contamination=0, **QUICK).fit(X)
    assert np.all(model.predict(X) == 1)
    assert model.predict(X[:1] + 100) == [-1]


@pytest.mark.parametrize("contamination", [-0.1, 0.6, "automatic", None, True, float("nan")])
def test_a_share_that_cannot_be_is_refused(contamination):
    with pytest.raises(InputError, match="contamination"):
        RobustAutoencoder(contamination=contamination, **QUICK).fit(np.ones((4, 2)))


# ---------------------------------------------------------------- a share not known


@pytest.mark.parametrize(("n", "d"), [(150, 4), (300, 2), (500, 20), (1000, 50), (2000, 10)])
def test_about_one_in_a_hundred_clean_rows_is_called(n, d):
    alarms = []
    for seed in range(3):
        X = np.random.default_rng(seed).standard_normal((n, d))
        labels = RobustAutoencoder(random_state=0).fit_predict(X)
        alarms.append(np.mean(labels == -1))
    assert np.mean(alarms) <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize("predictor", ["auto", "constant", "sigmoid", "deep"])
def test_no_predictor_raises_more_than_two_alarms_in_a_hundred_clean_rows(predictor):
    alarms = []
    for seed in range(3):
        X = np.random.default_rng(seed).standard_normal((600, 10))
        alarms.append(np.mean(RobustAutoencoder(predictor=predictor, random_state=seed).fit_predict(X) == -1))
    assert np.mean(alarms) <= 0.02


@pytest.mark.parametrize("energy", ["envelope", "squared", "log", "combined"])
def test_every_energy_keeps_its_alarms_rare(energy):
    X = np.random.default_rng(0).standard_normal((1000, 10))
    labels = RobustAutoencoder(energy=energy, **QUICK).fit_predict(X)
    assert 1 <= np.sum(labels == -1) <= 20


@pytest.mark.parametrize("dof", [1, 3, 20, 400])
def test_the_rule_holds_for_chi_square_energies_of_any_width(dof):
    rng = np.random.default_rng(dof)
    for share in (0.0, 0.05, 0.2):
        energies = rng.chisquare(dof, 2000)
        planted = rng.random(2000) < share
        energies[planted] *= 12 if dof < 20 else 4
        flagged = -energies < offset(energies)
        assert np.mean(flagged[~planted]) <= 0.01
        assert share == 0 or dof < 20 or np.mean(flagged[planted]) > 0.8


@pytest.mark.parametrize("anomalies", [3, 15, 45])
def test_most_planted_rows_are_flagged_without_knowing_how_many(anomalies):
    X, y = naive.planted_rows(anomalies=anomalies)
    flagged = RobustAutoencoder(**QUICK).fit_predict(X) == -1
    assert np.mean(flagged[y == 1]) > 0.8
    assert np.mean(flagged[y == 0]) <= 0.03


# ---------------------------------------------------------------- moved without a refit


def test_rethreshold_moves_the_offset_and_nothing_else(fitted):
    model, X, _ = fitted
    scores, before = model.score_samples(X), model.offset_
    for share in (0.0, 0.1, 0.4):
        assert model.rethreshold(share) is model
        assert model.offset_ == pytest.approx(np.percentile(scores, 100 * share), rel=1e-12)
        np.testing.assert_array_equal(model.score_samples(X), scores)
        np.testing.assert_allclose(model.decision_function(X), scores - model.offset_, rtol=1e-12)
        np.testing.assert_array_equal(model.predict(X), np.where(scores - model.offset_ < 0, -1, 1))
    assert model.rethreshold("auto").offset_ == before
    with pytest.raises(InputError, match="contamination"):
        model.rethreshold(0.7)


def test_offset_may_be_set_by_hand(fitted):
    model, X, _ = fitted
    before = model.offset_
    try:
        model.offset_ = float(np.median(model.score_samples(X)))
        assert np.mean(model.predict(X) == -1) == pytest.approx(0.5, abs=0.01)
    finally:
        model.offset_ = before


# ---------------------------------------------------------------- probability of an anomaly


def test_probabilities_are_two_columns_ordered_as_the_scores(fitted):
    model, X, y = fitted
    P = model.predict_proba(X)
    assert P.shape == (len(X), 2) and np.all((P >= 0) & (P <= 1))
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-12)
    order = np.argsort(model.score_samples(X))
    assert np.all(np.diff(P[order, 1]) <= 1e-12)
    assert P[y == 1, 1].mean() > 0.95
    assert np.median(P[y == 0, 1]) < 0.6


def test_far_out_is_certain_and_never_nan(fitted):
    model, X, _ = fitted
    P = model.predict_proba(X[:2] + np.array([[1e3], [1e12]]))
    assert np.all(P[:, 1] > 0.999)


@pytest.mark.parametrize("d", [6, 14])
@pytest.mark.parametrize("kind", ["t of whole rows", "correlated lognormal", "noise by row"])
def test_clean_rows_that_differ_in_scale_are_rarely_called(kind, d):
    called = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        A, F = rng.normal(size=(d, d)), rng.normal(size=(2, d))
        if kind == "t of whole rows":
            X = rng.normal(size=(3200, d)) @ A / np.sqrt(rng.chisquare(4, (3200, 1)) / 4)
        elif kind == "correlated lognormal":
            X = np.exp(0.4 * rng.normal(size=(3200, d)) + 0.6 * rng.normal(size=(3200, 1)))
        else:
            X = rng.normal(size=(3200, 2)) @ F + 0.2 * np.exp(0.7 * rng.normal(size=(3200, 1))) * rng.normal(
                size=(3200, d)
            )
        model = RobustAutoencoder(random_state=0).fit(X[:1200])
        called.append((model.predict(X[1200:]) == -1).mean())
    assert np.mean(called) < 0.05, called


def test_drawn_energies_are_spread_by_the_lower_part_alone():
    rng = np.random.default_rng(0)
    drawn, energies = np.exp(0.1 * rng.normal(size=10_000)), np.exp(0.3 * rng.normal(size=4000))
    found = widened(drawn, energies, None, 8)
    assert np.std(np.log(found[found > np.median(found)])) == pytest.approx(
        np.std(np.log(energies[energies > np.median(energies)])), rel=0.1
    )
    with_odd_ones = np.append(energies, 50 * energies[:400])
    assert np.quantile(widened(drawn, with_odd_ones, None, 8), 0.99) == pytest.approx(
        np.quantile(found, 0.99), rel=0.25
    )
    np.testing.assert_array_equal(widened(energies, drawn, None, 8), energies, "never narrower")
