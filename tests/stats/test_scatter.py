"""Scatter, its two forms, rows left out, and cells given any others, against plain implementations."""

import numpy as np
import pytest
from naive_tables import left_out, regressed, scatter

from robustae.stats import conditional
from robustae.stats import scatter as forms
from robustae.stats.conditional import filled, given
from robustae.stats.scatter import FLOOR, RIDGE, Sums, scatter_of
from robustae.stats.shallow import fit_shallow

SHAPES = [(40, 5), (9, 14)]  # the second in the dual form


def rows(n, d, seed=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, d)) + 0.3 * rng.normal(size=(n, d))


@pytest.mark.parametrize("shape", SHAPES)
def test_residuals_are_those_of_regressions_on_all_other_columns(shape):
    Z = rows(*shape)
    weight = np.random.default_rng(0).integers(1, 4, len(Z)).astype(float)
    m, S = scatter(Z, weight, 0.3, FLOOR, RIDGE)
    found = scatter_of(Z, weight, 0.3)
    every = np.ones(Z.shape[1], bool)
    np.testing.assert_allclose(
        found.residuals(Z), [regressed(S, m, z, every) for z in Z], rtol=1e-8, atol=1e-9
    )
    np.testing.assert_allclose(
        found.distances(Z), np.einsum("ij,jk,ik->i", Z - m, np.linalg.inv(S), Z - m), rtol=1e-7
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_weight_is_that_many_copies(shape):
    Z = rows(*shape)
    weight = np.random.default_rng(1).integers(1, 4, len(Z))
    one = scatter_of(Z, weight.astype(float), 0.3)
    two = scatter_of(np.repeat(Z, weight, axis=0), None, 0.3)
    inside = np.ones(len(Z), bool)
    np.testing.assert_allclose(one.left_out(Z, inside), two.left_out(Z, inside), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_left_out_is_predicted_as_by_the_others_alone(shape):
    Z, a = rows(*shape), 0.3
    found = scatter_of(Z, None, a)
    target = a * np.maximum(Z.var(0), FLOOR) + RIDGE
    R = found.left_out(Z, np.ones(len(Z), bool))
    np.testing.assert_allclose(R, [left_out(Z, i, a, target) for i in range(len(Z))], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_are_predicted_from_those_that_are_there(shape):
    Z = rows(*shape)
    there = np.random.default_rng(2).random(Z.shape) < 0.6
    there[0], there[1] = True, False
    there[1, 2] = True
    m, S = scatter(Z, None, 0.3, FLOOR, RIDGE)
    found = given(scatter_of(Z, None, 0.3), np.where(there, Z, 1e9), there)
    expected = [regressed(S, m, z, o) for z, o in zip(Z, there, strict=True)]
    np.testing.assert_allclose(found.residuals(), expected, rtol=1e-6, atol=1e-8)
    for z, o, d2, b in zip(Z, there, found.distances(), found.B, strict=True):
        inverse = np.linalg.inv(S[np.ix_(o, o)])
        np.testing.assert_allclose(d2, (z - m)[o] @ inverse @ (z - m)[o], rtol=1e-6)
        np.testing.assert_allclose(b[~o], S[np.ix_(~o, o)] @ inverse @ (z - m)[o], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_residuals_spread_as_the_rows_do_where_cells_are_missing(shape, monkeypatch):
    monkeypatch.setattr(forms, "OWN", 1e-12)
    Z = rows(*shape)
    there = np.random.default_rng(5).random(Z.shape) < 0.6
    there[:, 0] = True
    _, S = scatter(Z, None, 0.3, FLOOR, RIDGE)
    C = np.cov(Z.T, ddof=0)

    def spreads(o):
        P = np.linalg.inv(S[np.ix_(o, o)])
        return np.sqrt(np.diag(P @ C[np.ix_(o, o)] @ P)) / np.diag(P)

    whole = spreads(np.ones(Z.shape[1], bool))
    found = given(scatter_of(Z, None, 0.3), Z, there).wider
    for wider, o in zip(found, there, strict=True):
        np.testing.assert_allclose(wider[o], spreads(o) / whole[o], rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_many_patterns_are_solved_by_iteration_to_the_same_cells(shape, monkeypatch):
    Z = rows(*shape)
    there = np.random.default_rng(4).random(Z.shape) < 0.7
    fit = scatter_of(Z, None, 0.3)
    exact = given(fit, Z, there)
    monkeypatch.setattr(conditional, "MOST_WORK", 0)
    found = given(fit, Z, there)
    np.testing.assert_allclose(found.B, exact.B, atol=1e-5)
    off = np.log(found.pivots / exact.pivots)[there]
    assert np.abs(off).max() < np.log(4)


@pytest.mark.parametrize("shape", SHAPES)
def test_missing_cells_alone_are_expected_alike_and_their_covariances_summed(shape):
    Z = rows(*shape)
    there = np.random.default_rng(6).random(Z.shape) < 0.8
    there[:, 1] = True
    weight = np.random.default_rng(7).integers(1, 4, len(Z)).astype(float)
    fit = scatter_of(Z, None, 0.3)
    found, every = filled(fit, Z, there, weight), given(fit, Z, there)
    np.testing.assert_array_equal(found.B, every.B)
    np.testing.assert_array_equal(found.products, every.products)
    _, S = scatter(Z, None, 0.3, FLOOR, RIDGE)
    total = np.zeros_like(S)
    for o, w in zip(there, weight, strict=True):
        across = S[np.ix_(~o, o)] @ np.linalg.inv(S[np.ix_(o, o)])
        total[np.ix_(~o, ~o)] += w * (S[np.ix_(~o, ~o)] - across @ S[np.ix_(o, ~o)])
    expected = total if found.spread.ndim == 2 else np.diag(total)
    np.testing.assert_allclose(found.spread, expected, rtol=1e-6, atol=1e-6)


def test_sums_of_parts_make_the_scatter_of_all():
    Z = rows(60, 4)
    whole = scatter_of(Z, None, 0.1)
    parts = Sums.of(Z[:25]) + Sums.of(Z[25:], np.ones(35))
    np.testing.assert_allclose(parts.scatter(0.1).residuals(Z), whole.residuals(Z), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("d", [6, 150])
def test_rows_far_out_are_left_out_of_the_fit_and_clean_ones_taken_back(d):
    Z = rows(100, d)
    Z[:10] += 8 * np.random.default_rng(5).normal(size=(10, d))
    fit = fit_shallow(Z, np.ones(Z.shape, bool))
    assert not fit.kept[:10].any()
    assert fit.kept[10:].mean() > 0.9


def test_rows_as_far_as_the_last_one_kept_are_kept_too():
    design = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 6), -1).reshape(-1, 6)
    fit = fit_shallow(design, np.ones(design.shape, bool))
    assert fit.kept.all()
    sizes = np.abs(fit.residuals / fit.scale)
    np.testing.assert_allclose(sizes, sizes[0, 0], rtol=1e-9)


def test_holes_do_not_bias_the_scatter():
    rng = np.random.default_rng(6)
    Z = rng.normal(size=(4000, 2)) @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(size=(4000, 6))
    there = rng.random(Z.shape) > 0.3
    there[~there.any(1), 0] = True
    holes, whole = (fit_shallow(Z, o, clean=True).scatter for o in (there, np.ones(Z.shape, bool)))
    np.testing.assert_allclose(holes.variances, whole.variances, rtol=0.1)
    errors = [np.abs(scatter.residuals(Z)).mean(0) for scatter in (holes, whole)]
    np.testing.assert_allclose(*errors, rtol=0.1)
