"""How far off a cell is where much of a column is one value: counts, amounts that are mostly 0, hours."""

import warnings

import numpy as np
import pytest

from robustae import RobustAutoencoder, load
from robustae.data import MixedTable
from robustae.stats.scales import MAD_TO_SD, scale_beside_spike

N = 2000


def fitted(X, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RobustAutoencoder(**{"random_state": 0, "predictor": "constant"} | settings).fit(X)


def some(share, values, else_=0.0):
    rng = np.random.default_rng(1)
    return np.where(rng.random(N) < share, values(rng), else_)


CLEAN = {
    "counts": np.random.default_rng(0).poisson(0.3, N).astype(float),
    "more counts": np.random.default_rng(0).poisson(1, N).astype(float),
    "amounts": some(0.5, lambda rng: rng.lognormal(5, 1.5, N)),
    "rare amounts": some(0.05, lambda rng: rng.lognormal(8, 1, N)),
    "hours": some(0.5, lambda rng: rng.normal(42, 12, N).round(), 40.0),
    "two values": some(0.3, lambda rng: np.ones(N)),
    "seldom": some(0.02, lambda rng: np.ones(N)),
}


@pytest.mark.parametrize("predictor", ["constant", "linear"])
def test_clean_columns_have_few_flags(predictor):
    X = np.column_stack([*CLEAN.values(), np.random.default_rng(2).normal(size=N)])
    shares = fitted(X, predictor=predictor).flags(X).mean(0)
    assert dict(zip(CLEAN, shares < 0.05, strict=False)) == dict.fromkeys(CLEAN, True)


def test_wild_cells_of_such_columns_are_flagged():
    X = np.column_stack([*CLEAN.values()])
    X[7] = [30, 60, 1e8, 1e8, 300, 9, 9]
    assert fitted(X).flags(X)[7].all()


def test_a_value_met_once_is_flagged_beside_a_spike(rng):
    X = np.column_stack([np.zeros(N), rng.normal(size=N)])
    X[5, 0] = 1
    flags = fitted(X).flags(X)
    assert flags[5, 0] and flags[:, 0].sum() == 1


def test_without_ties_it_is_the_median():
    R = np.random.default_rng(0).normal(size=(500, 4))
    np.testing.assert_array_equal(scale_beside_spike(np.abs(R), R), MAD_TO_SD * np.median(np.abs(R), axis=0))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_gaussians_beside_a_spike_keep_their_deviation(share):
    """The spike lies at their centre: what it takes away from the middle the quantile puts back."""
    rng = np.random.default_rng(0)
    size = np.sort(np.abs(rng.normal(size=50_000)))
    values = np.where(np.arange(len(size)) < share * len(size), 0.0, size)
    scale = scale_beside_spike(values[:, None], values[:, None])[0]
    assert scale == pytest.approx(1, abs=0.1)


def test_weights_count_like_copies(rng):
    X = rng.poisson(0.5, (60, 3)).astype(float)
    times = rng.integers(0, 4, 60)
    whole = np.repeat(X, times, axis=0)
    np.testing.assert_allclose(
        scale_beside_spike(X, X, times.astype(float)), scale_beside_spike(whole, whole, np.ones(len(whole)))
    )


def test_missing_cells_say_nothing(rng):
    X = rng.poisson(0.5, (90, 2)).astype(float)
    some = X.copy()
    some[60:] = np.nan
    np.testing.assert_allclose(
        scale_beside_spike(some, np.nan_to_num(some)), scale_beside_spike(X[:60], X[:60])
    )


def test_scores_stay_and_flags_are_saved(tmp_path, rng):
    columns = dict(zip("abcdefg", CLEAN.values(), strict=True))
    X = MixedTable(columns | {"kind": rng.choice(["x", "y"], N).astype(object)})
    model = fitted(X)
    before = model.cell_scores(X), model.score_samples(X)
    model.save(tmp_path / "m.rae")
    again = load(tmp_path / "m.rae")
    np.testing.assert_array_equal(again.cell_scores(X), before[0])
    model.models_ = [one.having(widening=1.0) for one in model.models_]
    np.testing.assert_array_equal(model.score_samples(X), before[1])
    assert (np.abs(model.cell_scores(X)) >= np.abs(before[0]) * (1 - 1e-9)).all()
