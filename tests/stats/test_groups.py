"""Columns that belong together, predicted from all others: levels by the discriminant rule."""

import naive_tables as naive
import numpy as np
import pytest

from robustae.stats.conditional import given, precision_given
from robustae.stats.groups import Groups
from robustae.stats.scatter import scatter_of

ZERO, ONE = -0.3, 1.9  # what 0 and 1 are on the model's scale


def rows(n, seed, sizes=(1, 2, 1, 3)):
    """Numbers, and levels that hang together with them: cells, source columns, columns of levels."""
    rng = np.random.default_rng(seed)
    factor, parts = rng.normal(size=n), []
    for size in sizes:
        if size == 1:
            parts.append((factor + rng.normal(size=n))[:, None])
            continue
        level = np.digitize(factor + 0.5 * rng.normal(size=n), np.linspace(-0.8, 1.2, size))
        parts.append(np.where(level[:, None] == np.arange(1, size + 1), ONE, ZERO))
    source = np.repeat(np.arange(len(sizes)), sizes)
    return np.hstack(parts), source, np.array(sizes)[source] > 1


def grouped(source, levels):
    return Groups(source, levels, np.full(len(source), ZERO), np.full(len(source), ONE))


def expected(Z, there, groups, scatter, inside=None):
    found = given(scatter, Z, there)
    R = groups.residuals(found.residuals(), found, scatter, there, inside)
    return found.B + scatter.location - R


def dense(scatter):
    return scatter.covariance(np.ones(len(scatter.pivots), bool))


@pytest.mark.parametrize("n", [400, 6])  # the second in the form for more columns than rows
def test_levels_have_the_probabilities_of_gaussians_of_one_scatter(n):
    Z, source, levels = rows(n, 3)
    groups, scatter = grouped(source, levels), scatter_of(Z, None, 0.3)
    Zhat = expected(Z, np.ones(Z.shape, bool), groups, scatter)
    S = dense(scatter)
    for part in groups.parts:
        for z, zhat in zip(Z[:5], Zhat[:5], strict=True):
            p = naive.level_probabilities(S, scatter.location, z, part, np.ones(len(z), bool), ZERO, ONE)
            np.testing.assert_allclose(zhat[part], ZERO + p[1:] * (ONE - ZERO), atol=1e-8)


def test_where_cells_are_missing_the_others_tell():
    Z, source, levels = rows(300, 4)
    groups, scatter = grouped(source, levels), scatter_of(Z, None, 0.1)
    there = np.random.default_rng(5).random((300, len(np.unique(source))))[:, source] > 0.3
    Zhat, S = expected(Z, there, groups, scatter), dense(scatter)
    for part in groups.parts:
        for z, seen, zhat in zip(Z[:20], there[:20], Zhat[:20], strict=True):
            p = naive.level_probabilities(S, scatter.location, z, part, seen, ZERO, ONE)
            np.testing.assert_allclose(zhat[part], ZERO + p[1:] * (ONE - ZERO), atol=1e-7)


def test_where_nothing_else_is_known_probabilities_are_shares():
    Z, source, levels = rows(500, 6)
    groups, scatter = grouped(source, levels), scatter_of(Z, None, 0.1)
    for part in groups.parts:
        there = np.zeros(Z.shape, bool)
        there[:, part] = True
        Zhat = expected(Z, there, groups, scatter)
        np.testing.assert_allclose(Zhat[:, part], np.broadcast_to(Z[:, part].mean(0), (500, len(part))))


def test_numbers_of_a_group_do_not_tell_each_other():
    Z, source, _ = rows(200, 7, sizes=(1, 3, 2))
    groups = grouped(source, np.zeros(len(source), bool))
    scatter = scatter_of(Z, None, 0.2)
    Zhat, S = expected(Z, np.ones(Z.shape, bool), groups, scatter), dense(scatter)
    for part in groups.parts:
        others = np.setdiff1d(np.arange(len(source)), part)
        weights = np.linalg.solve(S[np.ix_(others, others)], S[np.ix_(others, part)])
        wanted = scatter.location[part] + (Z[:, others] - scatter.location[others]) @ weights
        np.testing.assert_allclose(Zhat[:, part], wanted, atol=1e-9)


def test_a_row_left_out_is_predicted_by_the_scatter_without_it():
    Z, source, _ = rows(60, 8, sizes=(1, 3, 1, 2))
    groups = grouped(source, np.zeros(len(source), bool))
    scatter = scatter_of(Z, None, 0.2)
    every = np.ones(Z.shape, bool)
    Zhat = expected(Z, every, groups, scatter, np.ones(60, bool))
    S, k = dense(scatter), scatter.part
    for i in (0, 17, 59):
        b = Z[i] - scatter.location
        without = S - k * np.outer(b, b)
        location = scatter.location - b / 59
        for part in groups.parts:
            others = np.setdiff1d(np.arange(len(source)), part)
            weights = np.linalg.solve(without[np.ix_(others, others)], without[np.ix_(others, part)])
            wanted = location[part] + (Z[i, others] - location[others]) @ weights
            np.testing.assert_allclose(Zhat[i, part], wanted, atol=1e-8)


def test_distances_given_the_groups_are_those_of_conditional_gaussians():
    Z, source, levels = rows(150, 9)
    groups, scatter = grouped(source, levels), scatter_of(Z, None, 0.2)
    found = given(scatter, Z, np.ones(Z.shape, bool))
    n, S = groups.alone, dense(scatter)
    c = ~n
    B = Z - scatter.location
    wanted = naive.distances(S, B) - naive.distances(S[np.ix_(c, c)], B[:, c])
    np.testing.assert_allclose(groups.distances(scatter, found.products), wanted, rtol=1e-8, atol=1e-9)


def test_precision_given_some_is_the_inverse_of_their_conditional_covariance():
    Z, source, _ = rows(200, 10)
    scatter, part = scatter_of(Z, None, 0.2), np.flatnonzero(source == 3)
    there = np.random.default_rng(2).random(Z.shape) > 0.4
    there[:, part] = True
    S = dense(scatter)
    for seen, found in zip(there[:10], precision_given(scatter, there, part)[:10], strict=True):
        o = np.setdiff1d(np.flatnonzero(seen), part)
        across = S[np.ix_(part, o)]
        covariance = S[np.ix_(part, part)] - across @ np.linalg.solve(S[np.ix_(o, o)], across.T)
        np.testing.assert_allclose(found, np.linalg.inv(covariance), rtol=1e-7)
