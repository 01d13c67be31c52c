"""The default of tables: known answers of symmetry, holes, more columns than rows, structure and units."""

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr

from robustae import RobustAutoencoder, load


def fitted(X, **params):
    return RobustAutoencoder(random_state=0, **params).fit(X)


def called(model, X):
    return np.mean(model.predict(X) == -1)


# ---------------------------------------------------------------- symmetry


@pytest.mark.parametrize(("levels", "d"), [(2, 5), (2, 8), (3, 4)])
def test_no_row_of_a_whole_design_is_called(levels, d):
    X = np.array(list(itertools.product(range(levels), repeat=d)), float)
    model = fitted(X)
    assert called(model, X) == 0
    if levels == 2:
        scores = model.score_samples(X)
        np.testing.assert_allclose(scores, scores[0], rtol=1e-6)


def test_coins_levels_and_circles_have_no_outliers():
    rng = np.random.default_rng(11)
    coins = (rng.random((800, 5)) < 0.5).astype(float)
    one_hot = np.eye(7)[rng.integers(7, size=700)][:, 1:]
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    for X in (coins, one_hot, np.c_[np.cos(angle), np.sin(angle)]):
        model = fitted(X)
        assert np.isfinite(model.score_samples(X)).all()
        assert called(model, X) == 0


def test_of_equal_columns_on_a_grid_at_most_the_ends_are_called():
    x = np.arange(1200.0)
    X = np.c_[x, 3 * x]
    model = fitted(X)
    assert np.isfinite(model.score_samples(X)).all()
    rows = np.flatnonzero(model.predict(X) == -1)
    assert len(rows) <= 0.04 * len(X) and np.all((rows < 30) | (rows >= 1170))


def test_equal_rows_score_equally_and_half_a_table_of_one_row_calls_few_of_the_others():
    rng = np.random.default_rng(12)
    X = rng.normal(size=(800, 5))
    X[:400] = 0.5
    model = fitted(X)
    assert len(np.unique(model.score_samples(X[:400]))) == 1
    assert called(model, rng.normal(size=(2000, 5))) < 0.05


def test_fitted_rows_are_scored_as_if_left_out_and_a_loaded_model_knows_them(tmp_path):
    X = np.random.default_rng(13).normal(size=(60, 30))
    model = fitted(X, contamination=0.1)
    assert np.sum(model.predict(X) == -1) == 6
    near = model.score_samples(X + 1e-9)
    assert np.median(near - model.score_samples(X)) > 0, "a row that is not known excuses itself"
    model.save(tmp_path / "m.rae")
    np.testing.assert_array_equal(load(tmp_path / "m.rae").score_samples(X), model.score_samples(X))


# ---------------------------------------------------------------- false alarms

DRAWS = {
    "normal": lambda r, n: r.normal(size=(n, 7)),
    "t(5)": lambda r, n: r.standard_t(5, size=(n, 9)),
    "lognormal": lambda r, n: np.exp(0.8 * r.normal(size=(n, 6))),
    "uniform": lambda r, n: r.random((n, 5)),
    "counts": lambda r, n: r.poisson(0.8, size=(n, 4)).astype(float),
    "rarely anything": lambda r, n: (r.random((n, 25)) < 0.012).astype(float),
    "correlated": lambda r, n: r.normal(size=(n, 3)) @ W + 0.3 * r.normal(size=(n, 10)),
}
W = np.random.default_rng(99).normal(size=(3, 10))


@pytest.mark.parametrize("kind", DRAWS)
def test_about_one_in_a_hundred_clean_unseen_rows_is_called(kind):
    rates = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rates.append(called(fitted(DRAWS[kind](rng, 900)), DRAWS[kind](rng, 3000)))
    assert 0.001 < np.mean(rates) < 0.025


@pytest.mark.parametrize(
    ("n", "d", "predictor"),
    [(100, 1500, "shallow"), (150, 700, "shallow"), (100, 1500, "auto"), (110, 5000, "auto")],
)
def test_more_columns_than_rows_call_few_clean_rows(n, d, predictor):
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(4, d))
    draw = lambda m: rng.normal(size=(m, 4)) @ weights + 0.4 * rng.normal(size=(m, d))  # noqa: E731
    rates = [called(fitted(draw(n), predictor=predictor), draw(400)) for _ in range(3)]
    assert np.mean(rates) <= 0.04


SPOILT = {  # clean rows, and anomalies among them
    "normal": (lambda r, n: r.normal(size=(n, 8)), lambda r, n: 4 + 3 * r.normal(size=(n, 8))),
    "lognormal": (
        lambda r, n: np.exp(0.8 * r.normal(size=(n, 7))),
        lambda r, n: np.exp(2 + 0.8 * r.normal(size=(n, 7))),
    ),
    "factors": (lambda r, n: r.normal(size=(n, 2)) @ LOADINGS, lambda r, n: 3 * r.normal(size=(n, 9))),
    "counts": (
        lambda r, n: r.poisson(0.7, size=(n, 7)).astype(float),
        lambda r, n: r.poisson(6, size=(n, 7)).astype(float),
    ),
}
LOADINGS = np.random.default_rng(11).normal(size=(2, 9))


@pytest.mark.parametrize("share", [0.1, 0.25])
@pytest.mark.parametrize("kind", SPOILT)
def test_anomalies_in_the_fit_hide_neither_others_nor_clean_rows_rate(kind, share):
    """As many clean unseen rows are called as without them."""
    clean, odd = SPOILT[kind]
    found, called = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        noisy = lambda n: clean(rng, n) + (0.3 * rng.normal(size=(n, 9)) if kind == "factors" else 0)  # noqa: E731, B023
        X = np.r_[noisy(round(800 * (1 - share))), odd(rng, round(800 * share))]
        model = RobustAutoencoder(random_state=0).fit(X)
        found.append((model.predict(odd(rng, 500)) == -1).mean())
        called.append((model.predict(noisy(2000)) == -1).mean())
    assert np.mean(found) > 0.97 and 0.001 < np.mean(called) < 0.025


@pytest.mark.parametrize("n", [25, 45, 90])
@pytest.mark.parametrize("kind", ["normal", "lognormal", "counts"])
def test_few_rows_call_few_clean_unseen_ones(kind, n):
    rng = np.random.default_rng(6)
    draws = {
        "normal": lambda n: rng.normal(size=(n, 4)),
        "lognormal": lambda n: np.exp(0.7 * rng.normal(size=(n, 6))),
        "counts": lambda n: rng.poisson(3, size=(n, 5)).astype(float),
    }
    rates = [called(fitted(draws[kind](n)), draws[kind](500)) for _ in range(6)]
    assert np.mean(rates) < (0.08 if n < 30 else 0.05)


@pytest.mark.parametrize(("n", "d"), [(120, 4), (400, 6), (3000, 12)])
def test_wild_cells_of_many_rows_do_not_vouch_for_one_another(n, d):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, d))
    wild = np.arange(n // 12)
    X[wild, rng.integers(d, size=len(wild))] += rng.choice([-1, 1], len(wild)) * rng.uniform(
        25, 90, len(wild)
    )
    model = fitted(X)
    assert np.mean(model.predict(X)[wild] == -1) > 0.95
    assert called(model, rng.normal(size=(2000, d))) < 0.02


def test_a_rate_may_be_asked_for_and_p_values_keep_it():
    rng = np.random.default_rng(4)
    model, new = fitted(rng.normal(size=(3000, 6))), rng.normal(size=(20000, 6))
    for rate in (0.002, 0.05, 0.2):
        assert called(model.rethreshold(false_alarms=rate), new) == pytest.approx(rate, rel=0.5)
    assert np.mean(model.predict_proba(new)[:, 1] > 0.95) == pytest.approx(0.05, rel=0.4)


def test_a_rule_of_ones_own_sets_the_threshold():
    X = np.random.default_rng(5).normal(size=(300, 4))
    model = fitted(X, contamination=lambda energies: np.sort(energies)[-12])
    assert np.sum(model.predict(X) == -1) == 11


# ---------------------------------------------------------------- holes


@pytest.mark.parametrize("rank", [0, 2])
def test_rows_with_holes_are_called_as_often_as_whole_ones(rank):
    rng = np.random.default_rng(21)
    weights = rng.normal(size=(2, 8)) if rank else np.zeros((2, 8))
    noise = 0.2 if rank else 1.0
    draw = lambda n: rng.normal(size=(n, 2)) @ weights + noise * rng.normal(size=(n, 8))  # noqa: E731
    model = fitted(draw(1500))
    whole = called(model, draw(3000))
    for holes in (2, 4):
        X = draw(3000)
        for row in X:
            row[rng.choice(8, holes, replace=False)] = np.nan
        assert called(model, X) < whole + 0.02
        assert np.mean(model.flags(X)[~np.isnan(X)]) < 0.01


def test_scores_of_gaussian_rows_with_holes_rank_as_their_mahalanobis_distance():
    rng = np.random.default_rng(22)
    root = rng.normal(size=(5, 5))
    draw = lambda n: rng.normal(size=(n, 5)) @ root  # noqa: E731
    X, S = draw(400), root.T @ root
    X[:, [1, 3]] = np.nan
    seen = X[:, [0, 2, 4]]
    d2 = np.einsum("ij,jk,ik->i", seen, np.linalg.inv(S[np.ix_([0, 2, 4], [0, 2, 4])]), seen)
    assert spearmanr(-fitted(draw(4000)).score_samples(X), d2)[0] > 0.85


# ---------------------------------------------------------------- structure


def beside(X, rng, kind):
    extra = {"": [], "0/1": [rng.random(len(X)) < 0.4], "noise": list(rng.normal(size=(4, len(X))))}
    return np.column_stack([X, *extra[kind]]).astype(float)


@pytest.mark.parametrize("kind", ["", "0/1", "noise"])
def test_the_cell_that_breaks_a_relation_is_flagged_and_its_row_found(kind):
    rng = np.random.default_rng(31)
    common = rng.normal(size=(400, 1))
    X = beside(common + 0.04 * rng.normal(size=(400, 3)), rng, kind)
    X[7, 1] += 0.7
    model = fitted(X)
    assert np.flatnonzero(model.flags(X)[7]).tolist() == [1]
    assert model.predict(X)[7] == -1
    parts = beside(rng.gamma(3, size=(400, 3)), rng, kind)
    total = np.column_stack([parts[:, :3].sum(1), parts])
    total[11, 0] += 4
    model = fitted(total)
    assert model.flags(total)[11, :4].any() and np.argmin(model.score_samples(total)) == 11


def test_repair_uses_the_sound_cells_alone():
    rng = np.random.default_rng(32)
    X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 9)) + 0.05 * rng.normal(size=(500, 9))
    Y = X.copy()
    Y[5, 2], Y[5, 6] = 40.0, -25.0
    model = fitted(Y)
    assert np.flatnonzero(model.flags(Y)[5]).tolist() == [2, 6]
    np.testing.assert_allclose(model.repaired(Y, passes=1)[5], X[5], atol=0.3)


# ---------------------------------------------------------------- units


def test_no_unit_changes_a_score_or_a_flag():
    rng = np.random.default_rng(41)
    X = np.c_[rng.normal(size=(300, 2)), rng.random(300) < 0.15, np.full(300, 0.7), np.zeros(300)]
    X[9, 3] = 0.71
    new = X[:40].copy()
    new[0, 3], new[1, 4] = 0.1 + 0.6, 1e-5
    units = np.array([1e-9, 4e6, -12.0, 3.0, 2.0**-20])
    one, two = fitted(X), fitted(X * units)
    np.testing.assert_allclose(one.score_samples(new), two.score_samples(new * units), rtol=1e-6)
    np.testing.assert_array_equal(one.flags(new), two.flags(new * units))


def test_rounding_is_no_outlier_and_what_differs_from_a_constant_is():
    rng = np.random.default_rng(42)
    X = np.c_[rng.normal(size=(200, 3)), np.full(200, 0.3), np.full(200, 50.0)]
    X[3, 3] = 0.1 + 0.2
    model = fitted(X)
    assert not model.flags(X)[3, 3]
    new = X[:4].copy()
    new[0, 3], new[1, 4] = 0.301, 60.0
    assert model.flags(new)[0, 3] and model.flags(new)[1, 4] and not model.flags(new)[3, 3]


def test_an_offset_does_not_change_the_scores():
    X = np.random.default_rng(43).normal(size=(300, 4))
    X = np.round(X * 2.0**10) / 2.0**10  # exact beside the offset
    moved = X.copy()
    moved[:, 2] += 2.0**40
    np.testing.assert_allclose(fitted(X).score_samples(X), fitted(moved).score_samples(moved), rtol=1e-6)


def test_rare_ones_beside_numbers_are_not_called():
    rng = np.random.default_rng(44)
    X = np.c_[rng.normal(size=(1500, 4)), rng.random(1500) < 0.1]
    model, ones = fitted(X), X[:, 4] == 1
    assert called(model, X[ones]) < 0.12
    assert not model.flags(X)[ones, 4].any()


@pytest.mark.parametrize("weight", [1, 3])
def test_a_weight_is_that_many_copies(weight):
    rng = np.random.default_rng(45)
    X = rng.normal(size=(120, 4))
    weights = rng.integers(1, 1 + weight, 120)
    one = RobustAutoencoder().fit(X, sample_weight=weights)
    two = fitted(np.repeat(X, weights, axis=0))
    new = rng.normal(size=(50, 4))
    np.testing.assert_allclose(one.score_samples(new), two.score_samples(new), rtol=1e-9)
    assert one.offset_ == pytest.approx(two.offset_, rel=1e-9)


def test_a_model_saved_without_rows_ranks_by_cells_and_keeps_its_rate(tmp_path):
    rng = np.random.default_rng(14)
    weights = rng.normal(size=(2, 6))
    draw = lambda n: rng.normal(size=(n, 2)) @ weights + 0.3 * rng.normal(size=(n, 6))  # noqa: E731
    X, new = draw(900), draw(4000)
    model = fitted(X)
    model.save(tmp_path / "m.rae", references=False)
    again = load(tmp_path / "m.rae")
    assert again.energy_ == "log" and called(again, new) < 0.03
    assert spearmanr(again.score_samples(new), fitted(X, energy="log").score_samples(new))[0] > 0.999
    held = again.models_[0]
    assert held.known is None and "references" not in held.energy.arrays()


def test_a_fit_that_goes_on_follows_rows_that_change():
    rng = np.random.default_rng(15)
    old, new = rng.normal(size=(2, 2, 6))
    draw = lambda n, W: rng.normal(size=(n, 2)) @ W + 0.1 * rng.normal(size=(n, 6))  # noqa: E731
    model, later = RobustAutoencoder().partial_fit(draw(300, old)), draw(500, new)
    assert called(model, later) > 0.5
    for _ in range(80):
        model.partial_fit(draw(200, new))
    assert called(model, later) < 0.08 and called(model, draw(500, old)) > 0.5


def test_what_makes_a_row_odd_is_shared_among_its_cells_and_its_neighbours():
    rng = np.random.default_rng(46)
    X = rng.normal(size=(500, 5))
    X[0, 2] = 25.0
    model = fitted(X)
    account = model.explain(X, cut=0)
    for row in (0, 100, 200):
        mine = account["row"] == row
        neighbours = account["neighbours"][mine]
        assert np.ptp(neighbours) == 0 and 0 <= neighbours[0] < 1
        assert account["share"][mine].sum() + neighbours[0] == pytest.approx(1)
    first = account["row"] == 0
    assert account["share"][first].max() == account["share"][first & (account["column"] == 2)][0]
    assert account["neighbours"][first][0] > 0.2, "it is far from all others, too"
    assert not fitted(X, energy="log").explain(X)["neighbours"].any()
    assert (fitted(X, energy="neighbours").explain(X)["share"] == 0).all()


@pytest.mark.parametrize("predictor", ["auto", "kernel"])
def test_lam_has_a_path_where_the_fit_is_in_closed_form(predictor):
    path = RobustAutoencoder(predictor=predictor).lam_path(np.random.default_rng(47).normal(size=(120, 6)))
    assert path["lam"][0] == np.inf and path["share_nonzero"][0] == 0
    assert np.all(np.diff(path["share_nonzero"]) >= 0) and np.all(np.diff(path["objective"]) <= 0)
    assert np.ptp(path["residual_scale"]) == 0
