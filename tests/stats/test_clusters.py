"""Clusters: none is left out of a fit as a whole, but one that is small beside the others."""

import naive_tables
import numpy as np
import pytest

from robustae import RobustAutoencoder
from robustae.metrics import auroc
from robustae.stats.clusters import CLUSTER, NEARLY, shares_near
from robustae.stats.kernel import fit_kernel
from robustae.stats.shallow import fit_shallow

pd = pytest.importorskip("pandas")


def clusters(n, d, count, seed, shares=None):
    """Rows, and which cluster each is of; equal ones without `shares`."""
    places = 4 * np.random.default_rng(100 + seed).normal(size=(count, d))
    rng = np.random.default_rng(seed)
    of = np.arange(n) % count if shares is None else rng.choice(count, n, p=shares)
    return places[of] + rng.normal(size=(n, d)), of


@pytest.mark.parametrize("d, count", [(4, 5), (7, 9), (15, 14), (25, 8)])
def test_clean_rows_of_many_clusters_are_rarely_called(d, count):
    called = []
    for seed in range(4):
        X, _ = clusters(3200, d, count, seed)
        called.append((RobustAutoencoder(random_state=0).fit(X[:1200]).predict(X[1200:]) == -1).mean())
    assert np.mean(called) < 0.03, called


@pytest.mark.parametrize("holes", [0.05, 0.15])
def test_holes_change_nothing(holes):
    called = []
    for seed in range(3):
        X, _ = clusters(2400, 8, 9, seed)
        X[np.random.default_rng(seed).random(X.shape) < holes] = np.nan
        called.append((RobustAutoencoder(random_state=0).fit(X[:1000]).predict(X[1000:]) == -1).mean())
    assert np.mean(called) < 0.03, called


def test_a_word_beside_clusters_changes_nothing():
    called = []
    for seed in range(3):
        X, _ = clusters(2400, 6, 8, seed)
        table = [
            [*row, word]
            for row, word in zip(X, np.random.default_rng(seed).choice(["a", "b"], 2400), strict=True)
        ]
        data = pd.DataFrame(table)
        called.append((RobustAutoencoder(random_state=0).fit(data[:1000]).predict(data[1000:]) == -1).mean())
    assert np.mean(called) < 0.03, called


@pytest.mark.parametrize("fit", [lambda X: fit_shallow(X, np.ones(X.shape, bool)).kept, None])
def test_no_cluster_is_left_out_as_a_whole(fit):
    X, of = clusters(480, 40, 16, 7)
    kept = fit(X / X.std(0)) if fit else None
    if fit is None:
        found = fit_kernel(X)
        places = {row.tobytes(): k for k, row in enumerate(X.astype(np.float32) - found.centre)}
        kept = np.zeros(len(X), bool)
        kept[[places[row.tobytes()] for row in found.rows]] = found.kept
    assert min(kept[of == k].mean() for k in range(16)) > 0.5


@pytest.mark.parametrize("share", [0.02, 0.06])
@pytest.mark.parametrize("d", [5, 14])
def test_a_small_cluster_beside_large_ones_is_found(d, share):
    rest = (1 - share) / 2
    X, of = clusters(900, d, 3, 3, [share, rest, rest])
    scores = -RobustAutoencoder(random_state=0).fit(X).score_samples(X)
    assert auroc(of == 0, scores) > 0.97


def test_rows_that_break_a_relation_are_not_taken_for_a_cluster():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(700, 2)) @ rng.normal(size=(2, 9)) + 0.05 * rng.normal(size=(700, 9))
    odd = np.arange(700) < 84
    X[odd, rng.integers(9, size=84)] += 1.5 * rng.choice([-1, 1], 84) * X.std()
    scores = -RobustAutoencoder(random_state=0).fit(X).score_samples(X)
    assert auroc(odd, scores) > 0.98


def test_shares_near_agree_with_a_plain_count():
    X, _ = clusters(160, 5, 4, 11)
    kept = np.arange(160) % 4 != 0
    found = shares_near(X, np.ones(X.shape, bool), kept, np.flatnonzero(~kept))
    expected = naive_tables.shares_near(X, kept, CLUSTER, NEARLY)
    np.testing.assert_allclose(found[0], expected[kept])
    np.testing.assert_allclose(found[1], expected[~kept])
