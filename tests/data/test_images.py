"""Convolutional autoencoders as they come: what they drop by default, how they repeat, what they find."""

import math

import numpy as np
import pytest

from robustae import RobustAutoencoder, load
from robustae.datasets.synthetic import moving_scene
from robustae.metrics import auprc
from robustae.penalties import L1, NoPenalty, Patches, Rows, Trimmed
from robustae.utils.checks import InputError

SIDE = 16
QUICK = {"predictor": "conv", "max_iter": 2, "random_state": 0}


def painted(distance, width):
    """Strokes with soft edges: 1 up to `width` pixels from the line, 0 beyond."""
    return 1 / (1 + np.exp(3 * (distance - width)))


def bars(rng, n):
    """Upright bars of varying slant, thickness and place."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    slant, width, shift = (rng.uniform(*ends, (n, 1, 1)) for ends in ((-0.6, 0.6), (1, 2), (-1.5, 1.5)))
    return painted(np.abs((x - shift) * np.cos(slant) + y * np.sin(slant)), width) * (np.abs(y) < 6)


def rings(rng, n):
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    radius, width, right, up = (
        rng.uniform(*ends, (n, 1, 1)) for ends in ((3.5, 6), (0.8, 1.4), (-1, 1), (-1, 1))
    )
    return painted(np.abs(np.hypot(x - right, y - up) - radius), width)


def scene(seed, n=200, odd=10):
    """Noisy bars with some rings among them: images and which are rings."""
    rng = np.random.default_rng(seed)
    images = np.concatenate([bars(rng, n - odd), rings(rng, odd)])
    return images + 0.2 * rng.standard_normal(images.shape), np.arange(n) >= n - odd


@pytest.fixture(scope="module")
def images():
    return scene(0, n=60, odd=3)[0][:, ::2, ::2]


def fitted(X, **settings):
    return RobustAutoencoder(**{**QUICK, **settings}).fit(X)


def penalties_of(model):
    """Of the members, without the cutoffs that the fit found."""
    found = [member.penalty for member in model.models_]
    return [p.at(None) if isinstance(p, Trimmed) else p for p in found]


def dropped(model, X):
    """Rows that N explains whole."""
    N, Xhat = model.outliers(X), model.reconstruct(X)
    return np.isclose(N, X - Xhat, atol=1e-9).reshape(len(X), -1).all(1)


# Defaults ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", ["auto", 0.5])
def test_a_tenth_of_the_images_is_dropped_by_default(lam, images):
    model = fitted(images, lam=lam)
    assert penalties_of(model) == [Trimmed(0.1, L1())] * 2
    away = dropped(model, images)
    assert away.sum() == pytest.approx(6, abs=1)
    assert 0 < (model.outliers(images)[~away] != 0).mean() < 1, "l1 in the others"


def test_nothing_is_dropped_by_the_plain_autoencoder(images):
    model = fitted(images, lam=math.inf)
    assert all(penalty in (L1(), NoPenalty()) for penalty in penalties_of(model))
    assert not model.outliers(images).any()


@pytest.mark.parametrize("penalty", ["auto", Trimmed(0.3, L1())], ids=repr)
def test_nothing_is_dropped_where_the_images_are_clean(penalty, images):
    model = fitted(images, penalty=penalty, contamination=0)
    assert penalties_of(model) == [L1()] * 2
    assert model.outliers(images).any() and not dropped(model, images).any()


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        ("l1", L1()),
        ("none", NoPenalty()),
        ("rows", Rows()),
        ("trimmed", Trimmed()),
        (Trimmed(0.3, L1()), Trimmed(0.3, L1())),
        (Patches(2, 2), Patches(2, 2, (8, 8))),
    ],
    ids=repr,
)
def test_a_penalty_that_is_given_stays(penalty, expected, images):
    assert penalties_of(fitted(images, penalty=penalty, n_estimators=1)) == [expected]


def test_other_predictors_drop_nothing_by_default(images):
    assert penalties_of(fitted(images, predictor="linear")) == [L1()]


def test_two_members_where_convolutions_are_and_one_elsewhere(images):
    assert len(fitted(images).models_) == 2
    assert len(fitted(images, n_estimators=3).models_) == 3
    for predictor in ("auto", "linear", "deep"):
        assert len(fitted(images, predictor=predictor).models_) == 1


@pytest.mark.parametrize("members", [0, -1, 1.5, "three", None])
def test_a_wrong_number_of_members_is_refused_in_one_sentence(members, images):
    with pytest.raises(InputError, match="n_estimators=.*'auto'") as caught:
        fitted(images, n_estimators=members)
    assert repr(members) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("image_shape", "width"),
    [((1, 1), 1), ((3, 5), 2), ((1, 9), 2), ((8, 8), 8), ((7, 5, 3), 14), ((15, 9), 16), ((20, 20), 16)],
)
def test_images_of_any_size_have_a_code_of_16_or_an_eighth_of_their_cells(image_shape, width, rng):
    X = rng.random((20, *image_shape))
    model = fitted(X)
    assert model.hidden_ == width and model.encode(X).shape == (20, width)
    assert model.reconstruct(X).shape == X.shape and np.isfinite(model.score_samples(X)).all()
    assert fitted(X, hidden=3, n_estimators=1).hidden_ == 3


# The same again ------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_members(images):
    first, second = fitted(images), fitted(images)
    np.testing.assert_array_equal(first.score_samples(images), second.score_samples(images))
    np.testing.assert_array_equal(first.outliers(images), second.outliers(images))
    other = fitted(images, random_state=1)
    assert not np.array_equal(first.score_samples(images), other.score_samples(images))


def test_an_ensemble_that_drops_rows_comes_back_from_its_file(images, tmp_path):
    model = fitted(images)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    unseen = scene(5, n=40, odd=20)[0][:, ::2, ::2]
    for X in (images, unseen):
        for method in ("score_samples", "outliers", "predict", "reconstruct"):
            np.testing.assert_array_equal(getattr(again, method)(X), getattr(model, method)(X), method)
    assert [member.penalty for member in again.models_] == [member.penalty for member in model.models_]
    assert again.get_params() == model.get_params()


def test_an_image_is_judged_alike_beside_any_others(images):
    model = fitted(images)
    wild = np.concatenate([images[7:9], 50 + 50 * images[:20]])
    for method in ("score_samples", "outliers", "reconstruct"):
        whole = getattr(model, method)(images)
        np.testing.assert_allclose(getattr(model, method)(wild)[:2], whole[7:9], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(getattr(model, method)(images[8:9])[0], whole[8], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(dropped(model, images[::-1]), dropped(model, images)[::-1])


def test_a_fit_goes_on_with_more_images(images):
    model = fitted(images, max_iter=10)
    more = bars(np.random.default_rng(9), 60)[:, ::2, ::2]
    before, done = model.score_samples(more).mean(), model.n_iter_
    for _ in range(5):
        model.partial_fit(more)
    assert model.n_iter_ == done + 5
    assert len(model.models_) == 2 and penalties_of(model) == [Trimmed(0.1, L1())] * 2
    assert model.history_[-1] < model.history_[0], "an epoch lowers the objective of its batch"
    assert np.isfinite(model.score_samples(images)).all() and model.score_samples(more).mean() > before


# What they find ------------------------------------------------------------------------------------


def found(X, rare, seed, **settings):
    model = RobustAutoencoder(predictor="conv", random_state=seed, **settings).fit(X)
    return auprc(rare, -model.score_samples(X))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_images_of_another_kind_are_found_that_the_plain_autoencoder_learns_by_heart(seed):
    X, rare = scene(seed)
    robust, plain = found(X, rare, seed), found(X, rare, seed, lam=math.inf)
    assert robust > 0.9
    assert plain < 0.6, "chance is .05"


def test_shapes_that_walk_by_buy_no_components():
    """Errors of held-out cells rise before they fall: only a wide code could learn the shapes."""
    scene = moving_scene(60)
    model = RobustAutoencoder(image_shape=scene.shape, random_state=0).fit(scene.frames)
    behind = np.abs(model.reconstruct(scene.frames) - scene.light[:, None] * scene.background)[scene.masks]
    assert model.hidden_ <= 1 and behind.mean() < 0.1  # .4 with the shapes in the background
