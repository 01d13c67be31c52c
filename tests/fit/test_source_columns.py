"""Source columns: how far off levels and pairs of numbers are, what two values make a pair, what is saved."""

import numpy as np
import pytest
from scipy.stats import norm

from robustae.data.coding import UNSEEN
from robustae.fit.sources import Category, Sources, plain


def category(*shares, **other):
    return Category(np.array(shares), trust=0.0, **other)


def one_hot(codes, width):
    return (np.asarray(codes)[:, None] == np.arange(1, width + 1)).astype(float)


def off(category, cells, expected=None, residuals=None):
    cells = np.atleast_2d(cells)
    expected = np.zeros(cells.shape) if expected is None else expected
    residuals = np.zeros(cells.shape) if residuals is None else residuals
    return category.off(np.nan_to_num(cells), ~np.isnan(cells), expected, residuals)


def test_a_level_is_as_far_off_as_a_gaussian_beyond_which_all_no_likelier_ones_lie():
    found = off(category(0.6, 0.25, 0.1, 0.05), one_hot([0, 1, 2, 3], 3))
    np.testing.assert_allclose(found, [0, *(norm.isf(np.array([0.4, 0.15, 0.05]) / 2))], atol=1e-12)


def test_equal_levels_are_not_off_and_missing_ones_neither():
    assert off(category(0.25, 0.25, 0.25, 0.25), one_hot([0, 1, 2, 3], 3)).max() < 1e-6
    assert off(category(0.9, 0.1), np.array([[np.nan]])) == 0


def test_a_level_never_met_is_as_rare_as_levels_met_once():
    never = np.full((1, 2), UNSEEN)
    assert off(category(0.5, 0.3, 0.2, unseen=0.05), never) == pytest.approx(norm.isf(0.025))
    assert off(category(0.5, 0.3, 0.2), never) > 6


def test_a_prediction_that_is_trusted_tells():
    expected = np.array([[0.98], [0.02]])
    found = off(Category(np.array([0.5, 0.5]), trust=0.9), np.array([[0.0], [0.0]]), expected)
    assert found[0] == pytest.approx(norm.isf((0.9 * 0.02 + 0.1 * 0.5) / 2)) and found[1] < 1e-12


def test_trust_is_what_makes_the_cells_likeliest():
    rng = np.random.default_rng(0)
    level = (rng.random(2000) < 0.3).astype(float)[:, None]
    there = np.ones((2000, 1), bool)
    sure = Category(np.array([0.7, 0.3])).trusting(level, there, 0.02 + 0.96 * level, None)
    unsure = Category(np.array([0.7, 0.3])).trusting(level, there, rng.random((2000, 1)), None)
    assert sure.trust > 0.98 and unsure.trust == 0
    half = np.where(np.arange(2000) < 1000, 2.0, 0.0)
    some = Category(np.array([0.7, 0.3])).trusting(level, there, 0.5 + 0.3 * level, half)
    copies = np.repeat(np.arange(1000), 2)
    assert some == Category(some.shares, trust=some.trust)
    again = Category(some.shares).trusting(level[copies], there, (0.5 + 0.3 * level)[copies], None)
    assert some.trust == again.trust


def test_classes_of_few_rows_and_of_rare_levels_keep_their_shares():
    cells = one_hot([0] * 60 + [1] * 36 + [2] * 3 + [3], 3)
    found = Category(np.full(4, 0.25), rare=np.array([False, False, False, True])).counted(cells, None)
    np.testing.assert_allclose(found.shares, [0.6, 0.36, 0.03, 0.01])
    assert found.rare.tolist() == [False, False, True, True]
    p = found.mixed(np.array([[0.1, 0.8, 0.05]]))[0]
    np.testing.assert_allclose(p[2:], [0.03, 0.01])
    assert p.sum() == pytest.approx(1) and p[1] < p[0] * 2.5
    weights = np.where(np.arange(100) < 60, 2.0, 1.0)
    again = found.counted(np.r_[cells, cells[:60]], None)
    np.testing.assert_allclose(found.counted(cells, weights).shares, again.shares)


def pair(x, weight=None):
    rest = np.linspace(-1, 1, len(x))
    found = plain(2).with_pairs(np.c_[x, rest], weight)
    return None if found is None else found.categories[0]


def test_two_values_that_recur_are_a_pair():
    found = pair(np.array([5.0, 7, 5, np.nan, 5, 7]))
    assert (found.low, found.high) == (5, 7) and found.number
    np.testing.assert_allclose(found.shares, [0.6, 0.4])
    assert pair(np.array([7.0, 7, 5, 7, 5])).low == 7, "the commoner one comes first"
    for x in ([1.0, 1, 1, 2], [1.0, 2, 3, 1], [4.0, 4, 4, 4], [np.nan, 1, 1, 1]):
        assert pair(np.array(x)) is None
    assert pair(np.array([1.0, 1, 2]), np.array([1.0, 1, 2])) is not None


def test_other_values_in_a_pair_are_as_far_off_as_numbers():
    found = category(0.5, 0.5, low=0.0, high=2.0, number=True)
    cells, residuals = np.array([[0.0], [2.0], [1.3], [-40.0]]), np.array([[-1.0], [1.0], [3.3], [-90.0]])
    np.testing.assert_allclose(off(found, cells, None, residuals), [0, 0, 3.3, -90], atol=1e-6)


def test_a_table_of_pairs_alone_stays_one_of_numbers():
    coins = (np.random.default_rng(3).random((50, 4)) < 0.5).astype(float)
    assert plain(4).with_pairs(coins, None) is None
    assert plain(5).with_pairs(np.c_[coins, np.arange(50.0)], None) is not None


def test_texts_count_by_the_mean_of_their_parts_and_are_not_judged():
    sources = Sources(np.array([0, 1, 1]), (None, None))
    found = sources.cells(*(np.array([[1.0, 2.0, 0.5]]), np.ones((1, 3), bool)), *np.zeros((2, 1, 3)))
    np.testing.assert_allclose(np.log1p(found.off**2), [[np.log(2), (np.log(5) + np.log(1.25)) / 2]])
    np.testing.assert_allclose(sources.judged(found), [[1.0, 0.0]])


def saved():
    levels = Category(np.array([0.5, 0.3, 0.2]), 0.01, 0.98)
    two = Category(np.array([0.9, 0.1]), low=3.0, high=4.5, number=True)
    return Sources(np.array([0, 1, 1, 2]), (None, levels, two)).arrays()


def test_what_is_saved_comes_back():
    again = Sources.of_arrays(saved())
    assert repr(again.arrays()) == repr(saved()) and again.categories[2].number
    nothing = Sources.of_arrays(plain(3).arrays())
    assert nothing.categories == (None, None, None)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("index", np.array([0, 2, 2, 3])),
        ("index", np.array([1, 1, 1, 2])),
        ("shares", np.array([0.5, 0.3, 0.2])),
        ("rare", np.zeros(4)),
        ("shares", np.array([0.5, 0.3, -0.2, 0.9, 0.1])),
        ("categories", np.array([[7, 0.01, 0.98, 0, 1, 0], [2, 0, 0.9, 3, 4.5, 1]])),
        ("categories", np.array([[1, 0.01, 0.98, 0, 0, 0], [2, 0, 0.9, 3, 4.5, 1]])),
        ("categories", np.array([[1, 0.01, np.nan, 0, 1, 0], [2, 0, 0.9, 3, 4.5, 1]])),
    ],
)
def test_what_is_damaged_is_refused(name, values):
    with pytest.raises(ValueError, match="damaged"):
        Sources.of_arrays(saved() | {name: values})
