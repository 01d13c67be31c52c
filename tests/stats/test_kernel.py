"""Robust kernel components against a plain second implementation, identities and known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robustae.stats.kernel import EPS, MOST, KernelComponents, fit_kernel, squared_distances


def rows_with_odd_ones(seed, n=80, d=30, odd=5):
    """Rows of rank 4 with noise; the last ones point elsewhere."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) @ rng.normal(size=(4, d)) + 0.1 * rng.normal(size=(n, d))
    X[n - odd :] = 2 * rng.normal(size=(odd, d))
    return X.astype(np.float32)


def naive_energy(x, rows, width):
    """|Phi(x) - Phihat(x)|^2 / sqrt(ink) by an eigenvector after the other, from the equations."""
    n = len(rows)

    def k(a, b):
        return np.exp(-np.sum((a.astype(float) - b.astype(float)) ** 2) / width)

    G = np.array([[k(a, b) for b in rows] for a in rows])
    centred = G - G.mean(0) - G.mean(1)[:, None] + G.mean()
    values, U = np.linalg.eigh(centred / n)
    own = np.array([k(x, b) for b in rows])
    ink = k(x, x) - 2 * own.mean() + G.mean()
    left = ink
    for value, u in zip(values, U.T, strict=True):
        if value > EPS * values.sum():
            share = 1 - EPS * values.sum() / value
            along = u @ (own - own.mean() - G.mean(1) + G.mean()) / np.sqrt(n * value)
            left -= share * (2 - share) * along**2
    return left / np.sqrt(ink)


@pytest.mark.parametrize("seed", range(3))
def test_energies_agree_with_the_equations(seed):
    X = rows_with_odd_ones(seed, n=40)
    found = fit_kernel(X)
    new = rows_with_odd_ones(seed + 9, n=6)
    by_fold = [
        [naive_energy(x - found.centre, found.rows[model.members], found.width) for model in found.models]
        for x in new
    ]
    np.testing.assert_allclose(found.energies(new), np.mean(by_fold, axis=1), rtol=1e-4)
    for row, place in ((0, 0), (len(found.rows) - 1, -1)):
        model = found.models[found.fold[place]]
        assert row not in model.members, "a row is left out of what judges it"
        expected = naive_energy(found.rows[place], found.rows[model.members], found.width)
        np.testing.assert_allclose(found.energy[place], expected, rtol=1e-4)


@pytest.mark.parametrize("equal, others", [(4, 1), (9, 1), (9, 3), (30, 20)])
def test_what_more_than_half_of_the_rows_are_is_usual(equal, others):
    X = np.repeat([[1.0, 2.0, 3.0], [5.0, 1.0, 0.0]], [equal, others], axis=0)
    X[equal:] += np.arange(others)[:, None]
    found = fit_kernel(X.astype(np.float32))
    energy = found.energies(X.astype(np.float32))
    assert (energy[:equal] < energy[equal:].min()).all()
    assert (found.folds_of(X.astype(np.float32))[:equal] == -1).all()


@pytest.mark.parametrize("n, d", [(60, 200), (200, 20), (700, 40)])
def test_odd_rows_have_the_largest_energies_and_are_not_kept(n, d):
    X = rows_with_odd_ones(1, n, d)
    found = fit_kernel(X)
    assert set(np.argsort(-found.energies(X))[:5]) == set(range(n - 5, n))
    assert found.kept.mean() == pytest.approx(0.9, abs=0.02)


def test_the_order_of_rows_does_not_matter(rng):
    X = rows_with_odd_ones(2, n=1300, d=8)
    order = rng.permutation(len(X))
    np.testing.assert_allclose(fit_kernel(X[order]).energies(X), fit_kernel(X).energies(X), rtol=1e-9)
    assert len(fit_kernel(X).rows) == MOST


def test_a_weight_counts_rows(rng):
    X, weight = rows_with_odd_ones(3), rng.integers(0, 4, 80)
    weighted, repeated = fit_kernel(X, weight), fit_kernel(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.energies(X), repeated.energies(X), rtol=1e-9)


def test_scale_and_place_of_all_columns_do_not_matter():
    X = rows_with_odd_ones(4)
    np.testing.assert_allclose(
        fit_kernel(X * 64 + 16).energies(X * 64 + 16), fit_kernel(X).energies(X), rtol=2e-3
    )


def test_a_row_of_the_fit_is_scored_without_itself_wherever_it_comes():
    X = rows_with_odd_ones(5)
    found = fit_kernel(X)
    np.testing.assert_array_equal(found.energies(X[7:9]), found.energies(X)[7:9])
    assert found.energies(X[-1:])[0] > 1.2 * np.median(found.energies(X))


def test_residuals_add_up_to_those_of_the_reconstruction():
    X = rows_with_odd_ones(6)
    found = fit_kernel(X)
    residuals = found.residuals(X, 10)
    assert residuals.shape == (80, 10)
    whole = ((found.reconstructed(X) - X) ** 2).sum(axis=1)
    np.testing.assert_allclose(residuals.sum(axis=1), whole, rtol=1e-3)
    cells = ((found.reconstructed(X) - X) ** 2).reshape(80, 10, 3).sum(axis=2)
    np.testing.assert_allclose(residuals, cells, rtol=1e-3, atol=1e-5)


def test_arrays_make_the_same_anew():
    X = rows_with_odd_ones(7)
    found = fit_kernel(X)
    again = KernelComponents.of(found.arrays())
    np.testing.assert_array_equal(again.energies(X[:50] + 1), found.energies(X[:50] + 1))
    np.testing.assert_array_equal(again.residuals(X, 3), found.residuals(X, 3))


@given(arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.integers(-3, 3)))
def test_few_equal_or_constant_rows(X):
    energies = fit_kernel(X).energies(X)
    assert np.isfinite(energies).all() and (energies > 0).all()
    for row in X:
        assert len(set(energies[(row == X).all(axis=1)])) == 1, "equal rows have one energy"


@given(
    arrays(np.float64, (5, 3), elements=st.floats(-9, 9)),
    arrays(np.float64, (4, 3), elements=st.floats(-9, 9)),
)
def test_squared_distances(A, B):
    expected = ((A[:, None] - B) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_distances(A, B), expected, atol=1e-9)
