"""Spoilt images: what spoils them, what is measured, the masked autoencoder, and the two experiments."""

import math

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from robustae.images.hourglass import Hourglass
from robustae.images.repair import MaskedAutoencoder
from robustae.lab import Plan, denoising, subtle
from robustae.lab.corruptions import KINDS, corrupted
from robustae.lab.quality import psnr, ssim
from robustae.utils.checks import InputError

STEPS = 300  # of the masked autoencoder: enough for waves


@pytest.fixture(scope="module")
def waves():
    """Smooth images of 10 x 12, each a wave of its own phase and direction, in [0, 1]."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:10, :12] / 3.0
    angles, phases = rng.uniform(0, np.pi, (2, 100, 1, 1))
    return (0.5 + 0.5 * np.sin(np.cos(angles) * rows + np.sin(angles) * columns + phases)).reshape(100, -1)


# Corruptions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["salt", "block", "missing"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(9, 14), (9, 14, 3), (1, 7)])
def test_every_image_has_its_share_of_pixels_hit(rng, kind, share, shape):
    X = rng.uniform(0.1, 0.9, size=(6, math.prod(shape)))
    before = X.copy()
    Y, mask = corrupted(X, shape, kind, share, random_state=3)
    np.testing.assert_array_equal(X, before)
    pixels = mask.reshape(6, shape[0] * shape[1], -1)
    assert (pixels.all(2) == pixels.any(2)).all(), "a pixel is hit in all channels or in none"
    assert (pixels.all(2).sum(1) == round(share * shape[0] * shape[1])).all()
    np.testing.assert_array_equal(Y[~mask], X[~mask])
    hit = Y[mask]
    if kind == "missing":
        assert np.isnan(hit).all()
    elif kind == "salt":
        assert np.isin(hit, (0, 1)).all()
    else:
        assert ((hit >= 0) & (hit <= 1) & (hit != X[mask])).all()


def test_missing_and_painted_blocks_are_the_same_squares():
    X = np.full((40, 256), 2.0)
    painted, mask = corrupted(X, (16, 16), "block", 16 / 256, random_state=1)
    np.testing.assert_array_equal(mask, corrupted(X, (16, 16), "missing", 16 / 256, random_state=1)[1])
    whole = 0
    for image, hit in zip(painted.reshape(-1, 16, 16), mask.reshape(-1, 16, 16), strict=True):
        rows, columns = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
        square = len(rows) == len(columns) == 4
        whole += square
        assert not square or (hit[np.ix_(rows, columns)].all() and np.ptp(image[hit]) == 0)
    assert whole > 15, "16 pixels are one square of 4 x 4, except where it is cut by the border"


def test_gaussian_noise_has_the_deviation_told():
    Y, mask = corrupted(np.full((50, 400), 0.5), (20, 20), "gaussian", 0.3, random_state=0)
    assert mask.all()
    assert Y.std() == pytest.approx(0.3, rel=0.02)
    assert abs(Y.mean() - 0.5) < 0.01


def test_corruption_is_drawn_by_its_own_seed(rng):
    X = rng.random((3, 64))
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    for kind in KINDS:
        first = corrupted(X, (8, 8), kind, 0.2, random_state=5)[0]
        np.testing.assert_array_equal(first, corrupted(X, (8, 8), kind, 0.2, random_state=5)[0])
        assert not np.array_equal(first, corrupted(X, (8, 8), kind, 0.2, random_state=6)[0], equal_nan=True)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (((8, 8), "salz", 0.1), "did you mean 'salt'"),
        (((8, 8), "salt", 1.5), r"share=1.5 must lie in \[0, 1\]"),
        (((8, 9), "salt", 0.1), r"X has shape \(3, 64\)"),
    ],
)
def test_corruptions_that_cannot_be(arguments, said):
    with pytest.raises(InputError, match=said):
        corrupted(np.zeros((3, 64)), *arguments)


# Quality -------------------------------------------------------------------------------------------


def test_psnr_of_a_known_error():
    clean = np.full((2, 100), 0.5)
    off = clean + [[0.1], [0.01]]
    np.testing.assert_allclose(psnr(off, clean), [20, 40])
    np.testing.assert_allclose(psnr(clean, clean), 100)


def naive_ssim(a, b):
    """Wang et al. (2004), window by window, the border mirrored."""
    x = np.arange(-5, 6)
    g = np.exp(-(x**2) / (2 * 1.5**2))
    window = np.outer(g, g) / g.sum() ** 2
    A, B = (np.pad(image, 5, mode="symmetric") for image in (a, b))
    values = []
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            p, q = A[i : i + 11, j : j + 11], B[i : i + 11, j : j + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            values.append(
                (2 * mp * mq + 1e-4) * (2 * cov + 9e-4) / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4))
            )
    return np.mean(values)


def test_ssim_against_a_loop_over_windows(rng):
    clean = rng.random((2, 13 * 12))
    off = np.clip(clean + 0.2 * rng.normal(size=clean.shape), 0, 1)
    expected = [naive_ssim(a.reshape(13, 12), b.reshape(13, 12)) for a, b in zip(off, clean, strict=True)]
    np.testing.assert_allclose(ssim(off, clean, (13, 12)), expected, rtol=1e-9)
    np.testing.assert_allclose(ssim(clean, clean, (13, 12)), 1)


def test_ssim_against_scikit_image(rng):
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    clean = rng.random((20, 17, 3))
    off = np.clip(clean + 0.2 * rng.normal(size=clean.shape), 0, 1)
    options = {"gaussian_weights": True, "use_sample_covariance": False, "channel_axis": 2, "data_range": 1}
    full = metrics.structural_similarity(off, clean, full=True, **options)[1]
    assert ssim(off.reshape(1, -1), clean.reshape(1, -1), (20, 17, 3))[0] == pytest.approx(full.mean())


# The masked autoencoder ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def salted(waves):
    """Salted waves with some missing blocks: X, cells hit, cells missing, the model."""
    X, hit = corrupted(waves, (10, 12), "salt", 0.1, random_state=0)
    missing = corrupted(waves, (10, 12), "missing", 0.1, random_state=1)[1]
    X[missing] = np.nan
    model = MaskedAutoencoder(image_shape=(10, 12), max_iter=STEPS, random_state=0).fit(X)
    return X, hit & ~missing, missing, model


def test_wild_cells_are_found_and_restored(waves, salted):
    X, hit, missing, model = salted
    flags, restored = model.flags(X), model.denoised(X)
    far = hit & (np.abs(np.nan_to_num(X) - waves) > 0.3)
    assert not flags[missing].any()
    assert flags[far].mean() > 0.75
    assert flags[~hit & ~missing].mean() < 0.03
    error = np.sqrt(np.mean((restored - waves)[far | missing] ** 2))
    assert error < 0.17, "the waves have a deviation of .35, and the salt is .6 off"
    assert model.share_ == pytest.approx(0.1, abs=0.05)
    assert model.noise_ < 0.08, "there is none, but waves are nowhere flat"


def test_noise_is_measured_and_lowered(waves):
    X = corrupted(waves, (10, 12), "gaussian", 0.15, random_state=0)[0]
    model = MaskedAutoencoder(image_shape=(10, 12), max_iter=STEPS, random_state=0).fit(X)
    assert model.noise_ == pytest.approx(0.15, rel=0.25)
    before, after = (np.sqrt(np.mean((Y - waves) ** 2)) for Y in (X, model.denoised(X)))
    assert after < 0.8 * before
    assert model.flags(X).mean() < 0.02


def test_a_row_is_treated_alike_beside_any_others(salted):
    X, _, _, model = salted
    np.testing.assert_allclose(model.denoised(X[7:9]), model.denoised(X)[7:9], atol=1e-4)
    np.testing.assert_allclose(model.score_samples(X[7:9]), model.score_samples(X)[7:9], rtol=1e-3)
    images = X.reshape(-1, 10, 12)
    np.testing.assert_allclose(model.denoised(images).reshape(len(X), -1), model.denoised(X), atol=1e-4)


def test_unit_and_shift_of_the_pixels_do_not_matter(waves):
    X = corrupted(waves[:40], (10, 12), "salt", 0.1, random_state=0)[0]
    settings = {"image_shape": (10, 12), "max_iter": 40, "random_state": 0}
    plain = MaskedAutoencoder(**settings).fit(X).denoised(X)
    moved = MaskedAutoencoder(**settings).fit(256 * X - 100).denoised(256 * X - 100)
    np.testing.assert_allclose((moved + 100) / 256, plain, atol=1e-2)


def test_colours_bytes_and_the_global_generator(rng):
    import torch

    X = rng.integers(0, 256, size=(12, 5, 7, 3), dtype=np.uint8)
    state = torch.random.get_rng_state()
    models = [MaskedAutoencoder(max_iter=4, random_state=2).fit(X) for _ in range(2)]
    assert torch.equal(state, torch.random.get_rng_state())
    first, second = (model.denoised(X) for model in models)
    assert first.shape == X.shape
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_shape": None}, "needs image_shape"),
        ({"image_shape": (4, 5)}, "makes 20 columns"),
        ({"hidden": 0}, "hidden=0 must be a whole number from 1 on"),
        ({"max_iter": 1.5}, "max_iter=1.5"),
        ({"lam": -1}, "lam=-1 must be a positive number"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(InputError, match=said):
        MaskedAutoencoder(**{"image_shape": (4, 4), **settings}).fit(np.zeros((5, 16)))


def test_images_of_too_many_pixels_are_refused():
    with pytest.raises(InputError, match="at most 1048576 values, and these have 1024 x 1025"):
        MaskedAutoencoder().fit(np.zeros((2, 1024, 1025)))


def one_sentence(error):
    return "\n" not in str(error.value) and len(str(error.value).split()) > 4


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (np.zeros((3, 4, 5)), r"\(4, 5\)"),
        (np.zeros((3, 2, 8)), r"image_shape is \(4, 4\)"),
        (np.zeros((3, 17)), "17 features"),
        (np.full((3, 16), np.nan), "no observed cell"),
        (np.full((3, 16), np.inf), "infinity"),
    ],
)
def test_images_that_cannot_be(X, said):
    model = MaskedAutoencoder(max_iter=2, random_state=0)
    known = np.random.default_rng(0).random((5, 4, 4))
    model.fit(known)
    before = model.denoised(known)
    for method in (model.denoised, model.reconstruct, model.flags, model.score_samples):
        with pytest.raises(ValueError, match=said) as caught:
            method(X)
        assert one_sentence(caught)
    with pytest.raises(ValueError):
        MaskedAutoencoder(image_shape=(4, 4), max_iter=2).fit(X)
    np.testing.assert_array_equal(model.denoised(known), before)


def test_one_image_is_too_few_to_learn_from_but_enough_to_judge(rng):
    X = rng.random((5, 4, 4))
    with pytest.raises(ValueError, match="minimum of 2") as caught:
        MaskedAutoencoder(max_iter=2).fit(X[:1])
    assert one_sentence(caught)
    model = MaskedAutoencoder(max_iter=2, random_state=0).fit(X)
    assert model.denoised(X[:1]).shape == (1, 4, 4)
    assert model.score_samples(X[:1]).shape == (1,)


def test_a_model_must_be_fitted_first():
    with pytest.raises(NotFittedError):
        MaskedAutoencoder(image_shape=(4, 4)).denoised(np.zeros((3, 16)))


@pytest.mark.parametrize("image_shape", [(4, 4), None])
def test_it_is_a_scikit_learn_estimator(image_shape, rng):
    settings = {"image_shape": image_shape, "hidden": 3, "lam": 0.5, "max_iter": 2, "random_state": 7}
    X = rng.random((5, 4, 4))
    model = MaskedAutoencoder(**settings).fit(X)
    assert model.get_params() == settings, "as they were given, after the fit too"
    again = clone(model)
    assert again.get_params() == settings and not hasattr(again, "network_")
    np.testing.assert_array_equal(again.fit(X).denoised(X), model.denoised(X))
    assert clone(model).set_params(random_state=8).fit(X).denoised(X).tolist() != model.denoised(X).tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_images_handed_in_stay_as_they_are(dtype, rng):
    X = (200 * rng.random((6, 5, 3))).astype(dtype)
    if dtype != np.uint8:
        X[1, 2, 2] = np.nan
    before = X.copy()
    model = MaskedAutoencoder(max_iter=2, random_state=0).fit(X)
    results = model.denoised(X), model.reconstruct(X), model.flags(X)
    model.score_samples(X)
    np.testing.assert_array_equal(X, before)
    assert not any(np.shares_memory(X, result) for result in results)
    assert results[0].dtype == (np.float32 if dtype == np.float32 else np.float64)


def test_cells_always_missing_are_filled_and_count_nothing(rng):
    X = rng.random((8, 4, 4))
    X[:, 0, 0] = X[0, :3] = np.nan
    model = MaskedAutoencoder(max_iter=4, random_state=0).fit(X)
    assert np.isfinite(model.denoised(X)).all() and np.isfinite(model.reconstruct(X)).all()
    assert not model.flags(X)[np.isnan(X)].any()
    squares = (X - model.reconstruct(X)) ** 2
    np.testing.assert_allclose(-model.score_samples(X), np.nanmean(squares, axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize("image_shape", [(1, 1), (1, 7), (7, 1), (3, 5), (2, 2, 3)])
def test_images_of_any_size(image_shape, rng):
    X = rng.random((9, *image_shape))
    model = MaskedAutoencoder(max_iter=2, random_state=0).fit(X)
    for result in (model.denoised(X), model.reconstruct(X)):
        assert result.shape == X.shape and np.isfinite(result).all()
    assert model.flags(X).shape == X.shape


def interrupting(after):
    def forward(self, *tensors):
        forward.passes += 1
        if forward.passes > after:
            raise KeyboardInterrupt
        return original(self, *tensors)

    original, forward.passes = Hourglass.forward, 0
    return forward


@pytest.mark.parametrize("after", [0, 3, 11])
def test_ctrl_c_leaves_the_model_as_it_was(after, rng, monkeypatch):
    X, other = rng.random((6, 4, 4)), rng.random((6, 3, 5))
    new, old = MaskedAutoencoder(max_iter=10), MaskedAutoencoder(max_iter=4, random_state=0).fit(X)
    before = old.denoised(X)
    with monkeypatch.context() as patch:
        for model in (new, old):
            patch.setattr(Hourglass, "forward", interrupting(after))
            with pytest.raises(KeyboardInterrupt):
                model.set_params(max_iter=10).fit(other)
            patch.undo()
    with pytest.raises(NotFittedError):
        new.denoised(other)
    np.testing.assert_array_equal(old.denoised(X), before)


def test_images_that_are_all_alike():
    X = np.full((6, 16), 3.0)
    X[0, 0] = np.nan
    model = MaskedAutoencoder(image_shape=(4, 4), max_iter=4, random_state=0).fit(X)
    np.testing.assert_allclose(model.denoised(X), 3.0, atol=0.3)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.noise_ == 0


def test_images_that_are_constant_are_kept(rng):
    X = np.arange(20.0)[:, None, None] * np.ones((6, 6))
    model = MaskedAutoencoder(max_iter=200, random_state=0).fit(X)
    assert model.noise_ == 0
    assert not model.flags(X).any()
    np.testing.assert_allclose(model.denoised(X), X, atol=0.2)
    spoilt = X.copy()
    spoilt[3, 2, 2] = 19.0
    assert model.flags(spoilt)[3, 2, 2] and model.flags(spoilt).sum() == 1
    np.testing.assert_allclose(model.denoised(spoilt)[3], 3.0, atol=2.0)


# The experiments -----------------------------------------------------------------------------------


def rows_of(experiment, **wanted):
    rows = []
    for job in experiment.jobs(Plan(quick=True)):
        if all(job.key[name] in values for name, values in wanted.items()):
            found = job.run()
            rows += [{**job.key, **row} for row in (found if isinstance(found, list) else [found])]
    return rows


def test_denoising_rows_are_complete():
    names = ("nothing", "PCA", "RPCA", "RAE", denoising.MASKED)
    rows = rows_of(denoising, method=names, kind=("salt", "missing"))
    for kind in ("salt", "missing"):
        for name in names:
            of = [row for row in rows if row["kind"] == kind and row["method"] == name]
            assert sum(row["declared"] for row in of) == 1, (kind, name)
            assert {"reconstruction"} <= {row["output"] for row in of}
            assert all(np.isfinite([row["psnr"], row["ssim"], row["seconds"]]).all() for row in of)
    assert {len(row) for row in rows} == {len(denoising.KEY) + 4}
    found = denoising.summary(rows)
    assert {row["method"] for row in found} == set(names)
    assert len(found) == 2 * 2 * len(names), "two kinds, two measures"


def test_nothing_is_as_far_off_as_the_corruption():
    (row,) = rows_of(denoising, method=("nothing",), kind=("gaussian",))
    assert row["psnr"] == pytest.approx(-20 * math.log10(0.2), abs=3), "clipping to [0, 1] takes a part"


def test_outputs_do_not_see_the_clean_images(monkeypatch):
    seen = []
    spy = denoising.Denoiser("spy", lambda X, shape, seed: seen.append(X) or {"reconstruction": X})
    monkeypatch.setattr(denoising, "denoisers", lambda quick: {"spy": spy})
    rows_of(denoising, kind=("salt",))
    ((spoilt,), clean) = seen, denoising.image_sets(True)[0].draw(0).X
    assert (spoilt != clean).mean() > 0.05


@pytest.mark.parametrize("source", subtle.plantings(True), ids=lambda source: source.name)
def test_planted_anomalies_grow_in_the_same_place(source):
    size = source.sizes[-1]
    clean = source.clean(0)[: source.fit]
    small, cells = source.planted(size / 4, seed=0)
    large, same = source.planted(size, seed=0)
    np.testing.assert_array_equal(cells, same)
    assert cells.any(1).sum() == round(0.05 * source.fit)
    np.testing.assert_array_equal(small[~cells], clean[~cells])
    np.testing.assert_allclose(4 * np.abs(small - clean), np.abs(large - clean), atol=1e-12)
    assert len(source.clean(0)) > source.fit, "rows are left to count false alarms on"


def test_subtle_rows_are_complete():
    rows = rows_of(subtle, method=("PCA", "kNN", "RAE"))
    assert {row["size"] for row in rows} == {0.0, 0.2, 0.5, 2.0}
    for row in rows:
        measures = ("auprc", "auroc") if row["size"] else ("false_alarms", "beyond_chance")
        assert all(0 <= row[name] <= 1 for name in measures)
        assert ("cell_auroc" in row) == (
            bool(row["size"]) and row["set"] != "table" and row["method"] != "kNN"
        )
        assert row["size"] or (row["auto_alarms"] is None) == (row["method"] != "RAE")
    assert {"auprc", "cell_auroc", "false_alarms"} <= {row["measure"] for row in subtle.summary(rows)}


def test_what_lies_within_binomial_error():
    """A method whose scores are the rows' own independent noise has 5 % but for chance."""
    from robustae.lab.methods import Method

    class Chance:
        def fit(self, X):
            return self

        def score_samples(self, X):
            return X[:, 0]

    table = next(source for source in subtle.plantings(False) if source.name == "table")
    rows = [subtle._alarms(table, Method("chance", lambda shape, seed: Chance()), seed) for seed in range(40)]
    assert np.mean([row["false_alarms"] for row in rows]) == pytest.approx(0.05, abs=0.006)
    assert sum(row["beyond_chance"] for row in rows) <= 6
