"""Distances out of fold against a plain second implementation, identities and known answers."""

import numpy as np
import pytest

from robustae.stats.distances import fit_distance

ODD = 6


def rows_with_odd_ones(seed, n=90, d=12, alike=False):
    """Gaussian rows of unequal directions; the last ones lie elsewhere, `alike` all at one place."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3
    X[n - ODD :] = 25 * (np.ones(d) if alike else rng.normal(size=(ODD, d))) + rng.normal(size=(ODD, d))
    return X.astype(np.float32)


def naive_square(x, rows):
    """(x - m)' S^-1 (x - m), S shrunken by the equations of Ledoit and Wolf (2004), section 3.2."""
    n, d = rows.shape
    centred = rows.astype(float) - rows.astype(float).mean(axis=0)
    S = centred.T @ centred / n
    mean = np.trace(S) / d
    off = np.sum((S - mean * np.eye(d)) ** 2) / d
    noise = sum(np.sum((np.outer(row, row) - S) ** 2) / d for row in centred) / n**2
    share = min(noise, off) / off
    left = x.astype(float) - rows.astype(float).mean(axis=0)
    return left @ np.linalg.solve(share * mean * np.eye(d) + (1 - share) * S, left)


def naive_kept(X, fold, kept):
    """The rows kept after at most five steps: those whose larger one of the last two squares is small."""
    before = [0.0] * len(X)
    for _ in range(5):
        squares = [naive_square(x, X[kept & (fold != k)]) for x, k in zip(X, fold, strict=True)]
        larger = np.maximum(squares, before)
        new = larger <= sorted(larger)[int(np.ceil(0.8 * len(X))) - 1] * (1 + 1e-9)
        if (new == kept).all():
            break
        kept, before = new, squares
    return kept


@pytest.mark.parametrize("n, d", [(60, 8), (25, 40)])
def test_distances_agree_with_the_equations(n, d):
    X = rows_with_odd_ones(0, n, d)
    fold = np.arange(n) % 3
    found = fit_distance(X, fold, 3, np.ones(n, bool))
    kept = naive_kept(X, fold, np.ones(n, bool))
    rows = [X[kept & (fold != number)] for number in range(3)]
    expected = [naive_square(x, rows[number]) for x, number in zip(X, fold, strict=True)]
    np.testing.assert_allclose(found.squares(X, fold), expected, rtol=2e-3)
    new = rows_with_odd_ones(1, n, d)
    expected = [np.mean([naive_square(x, some) for some in rows]) for x in new]
    np.testing.assert_allclose(found.squares(new, np.full(n, -1)), expected, rtol=2e-3)


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("n, d", [(90, 12), (60, 80)])
def test_odd_rows_are_farthest(n, d, alike):
    X = rows_with_odd_ones(1, n, d, alike)
    fold = np.arange(n) % 5
    begin = np.arange(n) < n - ODD
    found = fit_distance(X, fold, 5, begin if alike else np.ones(n, bool))
    assert set(np.argsort(found.squares(X, fold))[-ODD:]) == set(range(n - ODD, n))
    new = rows_with_odd_ones(1, n, d, alike)[:-ODD] + np.float32(0.01)
    odd = X[-ODD:] + np.float32(0.01)
    none = np.full(len(new), -1)
    assert found.squares(odd, none[:ODD]).min() > found.squares(new, none).max()


def test_order_rotation_and_unit_do_not_matter(rng):
    X = rows_with_odd_ones(2)
    fold, kept = np.arange(len(X)) % 5, np.ones(len(X), bool)
    expected = fit_distance(X, fold, 5, kept).squares(X, fold)
    order = rng.permutation(len(X))
    Q, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    for Z in (X, X @ Q.astype(np.float32), 7 * X - 20):
        found = fit_distance(Z[order], fold[order], 5, kept).squares(Z[order], fold[order])
        np.testing.assert_allclose(found, expected[order], rtol=2e-3)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_rows_that_are_all_the_same_are_near(n):
    X = np.full((n, 3), 2.5, np.float32)
    found = fit_distance(X, np.zeros(n, int), 1, np.ones(n, bool))
    squares = found.squares(X, np.zeros(n, int))
    assert (squares > 0).all() and (squares < 1e-6).all()
    assert np.isfinite(found.squares(X + 1, np.full(n, -1))).all()
