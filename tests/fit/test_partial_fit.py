"""Going on batch by batch: what is forgotten, and how fast."""

import numpy as np
import pytest

from robustae import RobustAutoencoder
from robustae.utils.checks import InputError

SETTINGS = {"predictor": "linear", "hidden": 1, "random_state": 0}


def batches(count, n=200, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, 1)) @ np.ones((1, 5)) + noise * rng.normal(size=(n, 5)) for _ in range(count)]


def gone_on(more, **options):
    """A fit of calm batches that goes on with others."""
    model = RobustAutoencoder(**SETTINGS).fit(np.concatenate(batches(5)))
    before = model.noise_scale_.copy(), model.offset_, model.column_lam_
    for batch in more:
        model.partial_fit(batch, **options)
    return model, before


def test_the_more_is_forgotten_the_sooner_noise_and_lam_follow():
    noisy = batches(5, noise=1.0, seed=1)
    noise, lam = [], []
    for forget in (0.0, 0.1, 0.5, 1.0):
        model, before = gone_on(noisy, forget=forget)
        noise.append(model.noise_scale_.mean())
        lam.append(model.lam_)
    assert noise == sorted(noise) and lam == sorted(lam)
    assert noise[0] == before[0].mean() and noise[-1] > 5 * noise[0]


def test_nothing_is_forgotten_of_noise_and_lam_at_zero():
    model, (noise, _, lam) = gone_on(batches(3, noise=1.0, seed=1), forget=0)
    np.testing.assert_array_equal(model.noise_scale_, noise)
    np.testing.assert_allclose(model.column_lam_, lam, rtol=0.05)


def test_a_tenth_is_forgotten_unless_said_otherwise():
    more = batches(3, noise=0.5, seed=1)
    (one, _), (other, _) = gone_on(more), gone_on(more, forget=0.1)
    np.testing.assert_array_equal(one.noise_scale_, other.noise_scale_)
    assert one.offset_ == other.offset_


def test_batches_of_one_row_move_the_noise_little():
    rows = np.concatenate(batches(1, n=60, seed=2))
    model, (before, _, _) = gone_on(np.split(rows, 60))
    assert (model.noise_scale_ > before / 3).all() and (model.noise_scale_ < before * 3).all()
    assert (model.predict(np.concatenate(batches(5, seed=3))) < 0).mean() < 0.1


def test_a_threshold_that_all_before_is_forgotten_for_is_that_of_the_batch():
    calm, wild = batches(1, seed=4)[0], batches(1, noise=2.0, seed=5)[0]
    model, _ = gone_on([wild], forget=1.0)
    assert (model.predict(wild) < 0).mean() < 0.1 and (model.predict(calm) < 0).mean() < 0.1


@pytest.mark.parametrize("forget", [-0.1, 1.5, "much", None, True, float("nan")])
def test_a_share_that_is_none_is_refused(forget):
    model = RobustAutoencoder(**SETTINGS).fit(batches(1)[0])
    with pytest.raises(InputError, match="forget="):
        model.partial_fit(batches(1)[0], forget=forget)
    assert model.status_ == RobustAutoencoder(**SETTINGS).fit(batches(1)[0]).status_


def test_going_on_works_after_saving(tmp_path):
    from robustae import load

    model = RobustAutoencoder(**SETTINGS).fit(batches(1)[0])
    model.save(tmp_path / "m.rae")
    one, other = model, load(tmp_path / "m.rae")
    for batch in batches(3, seed=1):
        one.partial_fit(batch)
        other.partial_fit(batch)
    X = batches(1, seed=2)[0]
    np.testing.assert_allclose(one.score_samples(X), other.score_samples(X), rtol=1e-4)
    assert one.offset_ == pytest.approx(other.offset_, rel=1e-3)
