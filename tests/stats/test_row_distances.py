"""Distances of whole rows, and the predictor that never shows a cell to itself."""

import numpy as np
import pytest

from robustae import RobustAutoencoder, load
from robustae.metrics import auprc
from robustae.stats.distances import NEIGHBOUR, RowDistances, row_distances


def looks_of_one(row, seen, fit):
    """The three looks at one row, from the docstring, cell by cell."""
    share = len(row) / seen.sum()
    alone = sum(
        np.log(1 + ((row[j] - fit.centre[j]) / fit.scale[j]) ** 2) for j in range(len(row)) if seen[j]
    )
    others = 0.0
    for j in range(len(row)):
        residual = sum((row[i] - fit.location[i]) * fit.others[i, j] for i in range(len(row)))
        others += np.log(1 + (residual / fit.others_scale[j]) ** 2) if seen[j] else 0.0
    distances = sorted(np.linalg.norm(row - reference) for reference in fit.references)
    if distances[0] < 1e-6:
        distances = distances[1:]
    return np.array([share * alone, share * others, distances[NEIGHBOUR - 1]])


def correlated(rng, n=300, d=5):
    return rng.normal(size=(n, d)) @ (np.eye(d) + 0.8 * rng.normal(size=(d, d)))


def test_the_energy_is_what_the_docstring_says(rng):
    Z = correlated(rng)
    fit = row_distances(Z)
    new = np.vstack([Z[:20], correlated(rng, 20)])
    seen = rng.random(new.shape) > 0.1
    seen[:, 0] = True
    logs = np.log([looks_of_one(row, mask, fit) for row, mask in zip(new, seen, strict=True)])
    expected = np.exp(((logs - fit.middle) / fit.spread).mean(1))
    np.testing.assert_allclose(fit(new, seen), expected, rtol=1e-8)


def test_a_reference_is_not_its_own_neighbour_after_rounding(rng):
    Z = correlated(rng, 400, 60) * 3
    fit = row_distances(Z.astype(np.float32).astype(np.float64))
    row = next(z for z in Z if np.linalg.norm(z - fit.references, axis=1).min() < 1e-4)
    seen = np.ones(60, dtype=bool)
    distances = np.sort(np.linalg.norm(row - fit.references, axis=1))[1:]
    logs = np.array([*np.log(looks_of_one(row, seen, fit))[:2], np.log(distances[NEIGHBOUR - 1])])
    expected = np.exp(((logs - fit.middle) / fit.spread).mean())
    np.testing.assert_allclose(fit(row[None]), expected, rtol=1e-8)


def test_regressions_are_those_of_least_squares(rng):
    """(P b)_j / P_jj is the residual of column j on all others: exactly, were there no shrinkage."""
    Z = rng.normal(size=(4000, 4)) @ rng.normal(size=(4, 4))
    Z -= Z.mean(0)
    P = np.linalg.inv(Z.T @ Z / len(Z))
    for j in range(4):
        rest = np.delete(Z, j, axis=1)
        residual = Z[:, j] - rest @ np.linalg.lstsq(rest, Z[:, j], rcond=None)[0]
        np.testing.assert_allclose(Z @ P[:, j] / P[j, j], residual, atol=1e-8)


def test_rows_far_off_are_no_references(rng):
    Z = correlated(rng)
    Z[:30] += 15
    fit = row_distances(Z)
    assert np.abs(fit.references).max() < 12
    assert (fit(Z)[:30].min() > np.quantile(fit(Z)[30:], 0.99)).all()


def test_rows_said_to_be_clean_are_all_kept(rng):
    Z = correlated(rng, n=200)
    Z[:10] *= 30
    assert len(row_distances(Z, clean=True).references) == 200
    assert len(row_distances(Z).references) < 200


@pytest.mark.parametrize("shape", [(2, 1), (2, 5), (3, 2), (5, 40), (50, 1)])
def test_few_rows_and_columns_give_finite_energies(shape, rng):
    Z = rng.normal(size=shape)
    energies = row_distances(Z)(np.vstack([Z, Z + 100]))
    assert np.isfinite(energies).all()
    assert (energies >= 0).all()


def test_a_row_scores_the_same_alone_and_among_others(rng):
    Z = correlated(rng, n=5000)
    fit = row_distances(Z)
    np.testing.assert_allclose(fit(Z[4000:4001]), fit(Z)[4000:4001], rtol=1e-9)


def test_the_default_finds_rows_that_no_column_gives_away(rng):
    common = rng.normal(size=(400, 1))
    X = common + 0.2 * rng.normal(size=(400, 6))
    X[:20, ::2] = -common[:20] + 0.2 * rng.normal(size=(20, 3))
    y = (np.arange(400) < 20) & (np.abs(common[:, 0]) > 0.7)
    by_column = np.abs((X - np.median(X, 0)) / X.std(0)).max(1)
    found = auprc(y, -RobustAutoencoder(random_state=0).fit(X).score_samples(X))
    assert found > 0.9 > 0.5 > auprc(y, by_column)


def test_unseen_clean_rows_are_hardly_flagged(rng):
    mixing = rng.normal(size=(8, 8))
    X, new = (rng.normal(size=(n, 8)) @ mixing for n in (1000, 4000))
    assert (RobustAutoencoder(random_state=0).fit(X).predict(new) == -1).mean() < 0.02


def test_energies_survive_saving(rng, tmp_path):
    X = correlated(rng)
    model = RobustAutoencoder(random_state=0).fit(X)
    assert isinstance(model.models_[0].energy.distance, RowDistances)
    model.save(tmp_path / "m.rae")
    np.testing.assert_array_equal(load(tmp_path / "m.rae").score_samples(X), model.score_samples(X))


def test_thresholds_are_those_of_unseen_rows(rng):
    """Few rows for the columns: regressions lean towards each row, and rows left out one by one tell so."""
    Z = correlated(rng, 60, 8)
    fit = row_distances(Z, clean=True)
    for i in (0, 17, 59):
        others = row_distances(np.delete(Z, i, axis=0), clean=True)
        expected = (Z[i] - others.location) @ others.others
        np.testing.assert_allclose(fit._from_others_without(Z[i : i + 1])[0], expected, rtol=0.05, atol=0.05)


def test_few_false_alarms_among_unseen_clean_rows_however_few_were_seen(rng):
    """Measured against the energies as they are: 20 to 30 % of the unseen rows were called anomalous."""
    alarms = []
    for seed in range(4):
        X = np.random.default_rng(seed).normal(size=(2150, 40))
        model = RobustAutoencoder(random_state=0).fit(X[:150])
        alarms.append((model.predict(X[150:]) < 0).mean())
    assert np.mean(alarms) < 0.04
