"""Which rows a network learns from: the odd ones left out, whatever cells are wild and rows repeated."""

import numpy as np
import pytest

from robustae.fit.concentration import linear_energies
from robustae.penalties import Trimmed
from robustae.stats.spectral import components

N, D, ODD = 240, 60, 12


def planted(seed, wild=0.0):
    """Rows near a subspace and, last, odd ones that share a direction of their own; wild cells anywhere."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(N, 4)) @ rng.normal(size=(4, D)) + 0.1 * rng.normal(size=(N, D))
    A[-ODD:] += 3 * rng.uniform(1, 2, (ODD, 1)) * rng.normal(size=D) / 3
    at = rng.random(A.shape) < wild
    A[at] += rng.choice([-3.0, 3.0], at.sum())
    return A.astype(np.float32), np.arange(N) >= N - ODD


def worst(energies):
    return set(np.argsort(energies)[-ODD:])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("wild", [0.0, 0.02])
def test_odd_rows_that_buy_a_component_of_pca_lie_off_those_of_the_rows_kept(seed, wild):
    A, odd = planted(seed, wild)
    found = components(A, 5, robust=False)
    B = A - found.location
    plain = ((B - B @ found.loadings.T @ found.loadings) ** 2).sum(1)
    assert len(worst(plain) & set(np.flatnonzero(odd))) < ODD / 2
    energies = linear_energies(A, None, Trimmed(0.1))
    assert energies.shape == (N,) and len(worst(energies) & set(np.flatnonzero(odd))) >= ODD - 1


def test_a_weight_counts_like_copies(rng):
    A, _ = planted(3, 0.02)
    weight = np.repeat([1, 2], [N - 40, 40])
    copies = linear_energies(np.repeat(A, weight, axis=0), None, Trimmed(0.1))
    weighted = linear_energies(A, weight.astype(float), Trimmed(0.1))
    np.testing.assert_allclose(np.repeat(weighted, weight), copies, rtol=0.02)


@pytest.mark.parametrize("shape", [(2, 3), (3, 1), (5, 400), (1, 2)])
def test_few_rows_or_columns_have_finite_energies(shape, rng):
    for A in (rng.normal(size=shape), np.ones(shape)):
        energies = linear_energies(A.astype(np.float32), None, Trimmed(0.1))
        assert energies.shape == shape[:1] and np.isfinite(energies).all()


def test_a_long_table_is_judged_from_some_of_its_rows(rng):
    A, odd = planted(4)
    many = np.repeat(A, 20, axis=0) + 0.01 * rng.normal(size=(20 * N, D)).astype(np.float32)
    energies = linear_energies(many, None, Trimmed(0.1))
    assert energies[np.repeat(odd, 20)].min() > np.quantile(energies[~np.repeat(odd, 20)], 0.95)
