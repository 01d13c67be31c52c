"""Data that once led a fit astray."""

import naive
import numpy as np
import pytest
import torch

from robustae import RobustAutoencoder
from robustae.metrics import auroc
from robustae.penalties import L1, Trimmed
from robustae.predictors import Sigmoid
from robustae.stats.scales import thinned
from robustae.utils.checks import InputError


def shifted_rows(rng, n=300, d=10, bad=20):
    X = rng.normal(size=(n, 2)) @ rng.normal(size=(2, d)) + 0.3 * rng.normal(size=(n, d))
    X[:bad] += 6.0
    return X, (np.arange(n) < bad).astype(int)


@pytest.mark.parametrize("penalty", [Trimmed(0.25), Trimmed(0.2, L1())], ids=repr)
@pytest.mark.parametrize("energy", ["envelope", "squared", "log", "combined"])
def test_dropped_rows_are_scored_like_any_other(penalty, energy, rng):
    X, y = shifted_rows(rng)
    model = RobustAutoencoder(
        predictor="linear", hidden=2, penalty=penalty, energy=energy, random_state=0
    ).fit(X)
    assert auroc(y, -model.score_samples(X)) > 0.99


@pytest.mark.parametrize("scaling", ["robust", "standard", "global", None])
def test_a_constant_column_gives_finite_scores_whatever_comes_later(scaling, rng):
    X = rng.normal(size=(60, 6))
    X[:, 2] = 7.0
    later = X[:3].copy()
    later[:, 2] = [7.001, 8.0, 1e6]
    model = RobustAutoencoder(scaling=scaling, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite(model.score_samples(later)).all()
    assert model.flags(later)[2, 2]
    assert np.isfinite(model.predict_proba(later)).all()


@pytest.mark.parametrize("shape", [(25_000, 256), (50_000, 256), (12_500, 64), (7_000, 784)])
def test_a_sample_of_cells_meets_every_column(shape):
    columns = np.broadcast_to(np.arange(shape[1], dtype=np.int32), shape)
    assert len(np.unique(thinned(columns))) == shape[1]


@pytest.mark.parametrize("unit", [1000.0, 1024.0, 1e-3])
@pytest.mark.parametrize("column", [0, 3, 7])
def test_the_unit_of_any_column_leaves_width_and_ranks_alone(unit, column, rng):
    X = rng.normal(size=(800, 2)) @ rng.normal(size=(2, 8)) + 0.5 * rng.normal(size=(800, 8))
    other = X.copy()
    other[:, column] = other[:, column] * unit + 10 * unit
    fits = [RobustAutoencoder(random_state=0).fit(data) for data in (X, other)]
    assert fits[0].hidden_ == fits[1].hidden_
    scores = [fit.score_samples(data) for fit, data in zip(fits, (X, other), strict=True)]
    assert np.corrcoef(*(np.argsort(np.argsort(s)) for s in scores))[0, 1] > 0.999


def test_integers_fit_like_the_same_floats(rng):
    X = rng.integers(-50, 50, size=(100, 6))
    fits = [RobustAutoencoder(random_state=0).fit(data).score_samples(data) for data in (X, X.astype(float))]
    np.testing.assert_array_equal(*fits)


@pytest.mark.parametrize("scaling", [None, "robust", "global"])
def test_missing_cells_count_as_their_columns_location(scaling, rng):
    X = 1000 + rng.normal(size=(201, 4))
    X[rng.random(X.shape) < 0.4] = np.nan
    X = X[~np.isnan(X).all(1)]
    settings = {"scaling": scaling, "dtype": "float64", "random_state": 0}
    constant = RobustAutoencoder(predictor="constant", lam=0.1, **settings).fit(X)
    np.testing.assert_allclose(constant.reconstruct(X[:1])[0], np.nanmedian(X, axis=0), atol=0.3)
    linear = RobustAutoencoder(predictor="linear", hidden=1, **settings).fit(X)
    assert np.abs(linear.reconstruct(X)[np.isnan(X)] - 1000).max() < 10


@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid", "deep"])
@pytest.mark.parametrize("penalty", ["l1", "rows", "trimmed", "none"])
@pytest.mark.parametrize("size", [1e30, 1e60])
def test_one_huge_cell_leaves_finite_scores(predictor, penalty, size, rng):
    X = rng.normal(size=(60, 6))
    X[3, 2] = size
    model = RobustAutoencoder(predictor=predictor, penalty=penalty, hidden=2, max_iter=5, random_state=0).fit(
        X
    )
    scores = model.score_samples(X)
    assert np.isfinite(scores).all()
    assert penalty == "none" or scores.argmin() == 3


def test_a_large_lam_still_gives_the_m_estimate(rng):
    X = rng.normal(size=(101, 3))
    X[0, 0] = 5000.0
    model = RobustAutoencoder(predictor="constant", lam=1e5, mu=0.0, dtype="float64", random_state=0).fit(X)
    np.testing.assert_allclose(model.reconstruct(X[:1])[0], X.mean(0), rtol=1e-9)


def test_channels_are_told_by_the_images(rng):
    pairs = rng.normal(size=(40, 4, 3, 2))
    assert RobustAutoencoder(predictor="constant", penalty="channels").fit(pairs).models_[0].penalty.n == 2
    with pytest.raises(InputError, match="channels"):
        RobustAutoencoder(predictor="constant", penalty="channels").fit(rng.normal(size=(40, 6, 5)))


@pytest.mark.parametrize("predictor", ["constant", "linear", "sigmoid"])
@pytest.mark.parametrize("energy", ["squared", "log"])
def test_rows_duplicated_at_mu_0_keep_their_scores(predictor, energy, rng):
    X, _ = shifted_rows(rng, n=120, bad=6)
    settings = {"predictor": predictor, "hidden": 2, "energy": energy, "mu": 0.0, "random_state": 0}
    once = RobustAutoencoder(**settings).fit(X).score_samples(X)
    twice = RobustAutoencoder(**settings).fit(np.vstack([X, X])).score_samples(X)
    np.testing.assert_allclose(twice, once, rtol=1e-3)


@pytest.mark.parametrize("seed", range(5, 9))
def test_a_few_far_rows_do_not_buy_the_component(seed):
    rng = np.random.default_rng(seed)
    bad = [7, 19, 40]
    X = rng.normal(size=(60, 1)) * [1.0, 2.0, -1.0, 0.5] + 0.1 * rng.normal(size=(60, 4))
    X[bad] += [8, -8, 8, 8]
    model = RobustAutoencoder(random_state=0).fit(X)
    assert set(np.argsort(model.score_samples(X))[:3]) == set(bad)
    assert model.flags(X)[bad].sum(1).min() >= 3
    assert np.median(model.noise_scale_ * model.models_[0].scaling.scale) < 0.2


def test_ctrl_c_keeps_the_constant_and_says_how_many_members_are_kept(rng):
    X = rng.normal(size=(61, 3)) ** 3

    def interrupt(iteration, at_most, J):
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        model = RobustAutoencoder(predictor="constant").fit(X, callback=interrupt)
    assert np.isfinite(model.score_samples(X)).all()
    with pytest.warns(UserWarning, match="1 of 4 members"):
        RobustAutoencoder(predictor="deep", hidden=1, n_estimators=4).fit(X, callback=interrupt)


class Normalised(torch.nn.Module):
    """A user's module with batch norm and dropout."""

    def __init__(self, d):
        super().__init__()
        self.encoder = torch.nn.Sequential(
            torch.nn.Linear(d, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.2)
        )
        self.decoder = torch.nn.Linear(4, d)

    def forward(self, X):
        return self.decoder(self.encoder(X))


def test_a_users_batch_norm_and_dropout_repeat_with_the_seed(rng):
    X = rng.normal(size=(257, 5))
    before = torch.random.get_rng_state()
    fits = [
        RobustAutoencoder(predictor=Normalised, max_iter=3, lam=1.0, random_state=0).fit(X) for _ in range(2)
    ]
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(*(fit.score_samples(X) for fit in fits))
    Z = fits[0].models_[0].scaling.transform(X)
    R = Z - fits[0].models_[0].scaling.transform(fits[0].reconstruct(X))
    J = naive.l1_objective(Z, Z - R, 1.0) + fits[0].mu_ / 2 * omega(fits[0].predictor_)
    assert fits[0].objective_ == pytest.approx(J, rel=1e-4)


def omega(module):
    return sum(float((p.double() ** 2).sum()) for p in module.parameters() if p.ndim > 1)


@pytest.mark.parametrize("predictor", ["linear", "deep"])
def test_batches_go_on_teaching(predictor, rng):
    """A first batch of other rows is unlearned; the threshold follows."""
    old, new = rng.normal(size=(2, 2, 6))

    def rows(n, loadings):
        return rng.normal(size=(n, 2)) @ loadings + 0.1 * rng.normal(size=(n, 6))

    held_out = rows(500, new)
    model = RobustAutoencoder(predictor=predictor, hidden=2, random_state=0).partial_fit(rows(200, old))
    first = np.median((held_out - model.reconstruct(held_out)) ** 2)
    for _ in range(100):
        model.partial_fit(rows(200, new))
    assert np.median((held_out - model.reconstruct(held_out)) ** 2) < 0.1 * first
    assert (model.predict(held_out) == -1).mean() < 0.1


def test_trimmed_batches_go_on_teaching(rng):
    old, new = rng.normal(size=(2, 2, 6))
    first, batches = (rng.normal(size=(n, 2)) @ side for n, side in ((200, old), (4000, new)))
    model = RobustAutoencoder(predictor="linear", hidden=2, penalty="trimmed", random_state=0)
    model.partial_fit(first + 0.1 * rng.normal(size=first.shape))
    before = np.median((batches - model.reconstruct(batches)) ** 2)
    for batch in np.split(batches, 20):
        model.partial_fit(batch + 0.1 * rng.normal(size=batch.shape))
    assert np.median((batches - model.reconstruct(batches)) ** 2) < 0.5 * before


class Doubled(L1):
    """A user's penalty."""

    def pull(self, R, lam):
        return super().pull(R, 2 * lam)


def test_a_users_penalty_fits_but_is_refused_at_saving(tmp_path, rng):
    X = rng.normal(size=(51, 3)) ** 3
    settings = {"predictor": "constant", "scaling": None, "dtype": "float64", "tol": 1e-12, "random_state": 0}
    model = RobustAutoencoder(penalty=Doubled(), lam=0.5, **settings).fit(X)
    same = RobustAutoencoder(penalty="l1", lam=1.0, **settings).fit(X)
    np.testing.assert_allclose(model.reconstruct(X), same.reconstruct(X), atol=1e-4)
    with pytest.raises(InputError, match="cannot be read back"):
        model.save(tmp_path / "m.rae")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("predictor", ["linear", "sigmoid"])
def test_one_hidden_layer_has_one_width(predictor, rng):
    with pytest.raises(InputError, match="hidden"):
        RobustAutoencoder(predictor=predictor, hidden=(5, 3)).fit(rng.normal(size=(50, 8)))


def test_a_batch_too_large_for_float32_is_refused_in_a_sentence(rng):
    X = rng.normal(size=(50, 4))
    model = RobustAutoencoder(predictor="linear", hidden=1, penalty="none").partial_fit(X)
    X[0, 0] = 1e60
    with pytest.raises(InputError, match="float64"):
        model.partial_fit(X)
    exact = RobustAutoencoder(predictor="linear", hidden=1, penalty="none", dtype="float64").partial_fit(
        X[1:]
    )
    assert np.isfinite(exact.partial_fit(X).score_samples(X)).all()


def test_a_single_unit_without_biases_fits(rng):
    X = rng.normal(size=(50, 4))
    assert np.isfinite(RobustAutoencoder(predictor=Sigmoid(4, 1, bias=False)).fit(X).score_samples(X)).all()
