"""More columns than are looked at one by one: what stands in for the rest must agree with it."""

import numpy as np
import pytest

from robustae.stats.drawn import Drawn, drawn_of, without_excess
from robustae.stats.neighbourhood import neighbourhood
from robustae.stats.scales import WIDE, by_columns, median, some_columns


def cells(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)) ** 2


@pytest.mark.parametrize("weight", [None, np.r_[np.full(10, 3.0), np.ones(50)]])
@pytest.mark.parametrize("holes", [False, True])
def test_sums_of_many_columns_are_spread_like_those_drawn_one_by_one(weight, holes):
    found = cells(60, 3000)
    observed = np.random.default_rng(1).random(found.shape) > (0.2 if holes else -1.0)
    found = found * observed
    exact = drawn_of(found, weight).sums(found, observed)
    draw, columns = drawn_of(found, weight), some_columns(3000, 300)
    nearly = draw.sums(found[:, columns], observed[:, columns]) + draw.others(found, observed, columns)
    assert abs(nearly.mean() - exact.mean()) < 0.2 * exact.std()
    np.testing.assert_allclose(nearly.std(), exact.std(), rtol=0.1)


def test_no_column_is_left_for_others():
    found = cells(20, 5)
    assert drawn_of(found, None).others(found, np.ones(found.shape, bool), np.arange(5)) == 0


def test_equal_rows_are_drawn_with_all_their_columns():
    found = np.r_[cells(30, 100), np.full((1, 100), 7.0)]
    draw = drawn_of(found, np.r_[np.ones(30), 30.0])
    others = draw.others(found, np.ones(found.shape, bool), np.arange(40))
    assert (others == 60 * 7.0).sum() >= 0.4 * draw.count


def test_neighbours_are_told_by_some_of_many_columns_and_not_by_others():
    Z = np.random.default_rng(0).normal(size=(50, 2 * WIDE))
    near = neighbourhood(Z, None, np.ones(50, bool))
    assert near.references.shape == (50, WIDE)
    seen, unseen = near.columns[7], np.setdiff1d(np.arange(2 * WIDE), near.columns)[7]
    moved = Z[:1].copy()
    moved[:, unseen] += 5
    assert near(moved) == near(Z[:1])
    moved[:, seen] += 5
    assert near(moved) != near(Z[:1])


def test_blocks_of_columns_give_what_all_at_once_do():
    x = cells(30, 2 * WIDE + 1)
    np.testing.assert_array_equal(by_columns(median, x), median(x))


def test_rows_are_drawn_by_weight():
    weight = np.array([1.0, 0.0, 3.0, 0.25, 4.0, 0.5])
    draw = Drawn(6, weight, np.zeros(6, bool), 100_000)
    drawn = [*draw.columns(np.ones((6, 3), bool)), draw.rows(), draw.rows(np.ones(6, bool))]
    for rows in drawn:
        np.testing.assert_allclose(
            np.bincount(rows, minlength=6) / len(rows), weight / weight.sum(), atol=0.012
        )


@pytest.mark.parametrize("weight", [None, np.tile([1.0, 2.0], 500)])
def test_rows_far_off_keep_a_small_share_where_they_are_more_than_chance_has(weight):
    far = np.arange(1000) < 200
    found = without_excess(far, weight, 0.001)
    assert found[far].sum() / found.sum() == pytest.approx(0.001)
    np.testing.assert_array_equal(found[~far], np.ones(1000)[~far] if weight is None else weight[~far])
    assert without_excess(np.arange(1000) < 50, weight, 0.001) is weight
    assert without_excess(np.arange(1000) < 600, weight, 0.001) is weight
