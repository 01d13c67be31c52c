"""predictor="kernel" and energy="kernel" in the estimator."""

import pickle

import numpy as np
import pytest

from robustae import RobustAutoencoder, load
from robustae.stats.kernel import fit_kernel
from robustae.utils.checks import InputError


@pytest.fixture(scope="module")
def curves():
    """Sums of waves in 120 columns of one unit; the last five rows are noise of the same size."""
    rng = np.random.default_rng(3)
    t = np.linspace(0, 1, 120)
    X = sum(rng.uniform(-1, 1, (200, 1)) * np.sin(2 * np.pi * k * t + k) for k in (1, 2, 3))
    X += rng.normal(0, 0.1, X.shape)
    X[-5:] = rng.normal(0, X[:-5].std(), (5, 120))
    return X


@pytest.fixture(scope="module")
def fitted(curves):
    return RobustAutoencoder(predictor="kernel").fit(curves)


def test_odd_rows_rank_first_and_are_called(curves, fitted):
    assert fitted.energy_ == "kernel" and fitted.predictor_name_ == "kernel"
    scores = fitted.score_samples(curves)
    assert set(np.argsort(scores)[:5]) == set(range(195, 200))
    called = fitted.predict(curves) == -1
    assert called[-5:].all() and called[:-5].mean() < 0.1


def test_scores_are_those_of_the_components(curves, fitted):
    scaled = fitted.models_[0].scaling.transform(curves)
    np.testing.assert_allclose(-fitted.score_samples(curves), fit_kernel(scaled).energies(scaled), rtol=1e-6)


def test_a_new_row_is_made_of_rows_of_the_fit(curves, fitted):
    rng = np.random.default_rng(4)
    t = np.linspace(0, 1, 120)
    clean = np.sin(2 * np.pi * t + 1)[None]
    made = fitted.reconstruct(clean + rng.normal(0, 0.1, clean.shape))
    assert np.mean((made - clean) ** 2) < 0.1 * np.var(clean)


def test_forward_agrees_with_the_plain_form(curves, fitted):
    import torch

    scaled = fitted.models_[0].scaling.transform(curves) + 0.01  # new rows
    plain = fit_kernel(fitted.models_[0].scaling.transform(curves)).reconstructed(scaled)
    found = fitted.models_[0].predictor(torch.from_numpy(scaled)).numpy()
    np.testing.assert_allclose(found, plain, atol=1e-4)


def test_saved_and_pickled(curves, fitted, tmp_path):
    fitted.save(tmp_path / "a.rae")
    for again in (load(tmp_path / "a.rae"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.score_samples(curves), fitted.score_samples(curves))
        new = curves + 0.1
        np.testing.assert_array_equal(again.score_samples(new), fitted.score_samples(new))
        np.testing.assert_array_equal(again.reconstruct(new), fitted.reconstruct(new))


def test_weights_and_order(curves, fitted, rng):
    weight = rng.integers(0, 3, len(curves))
    weighted = RobustAutoencoder(predictor="kernel").fit(curves, sample_weight=weight)
    repeated = RobustAutoencoder(predictor="kernel").fit(np.repeat(curves, weight, axis=0))
    np.testing.assert_allclose(weighted.score_samples(curves), repeated.score_samples(curves), rtol=1e-6)
    shuffled = RobustAutoencoder(predictor="kernel").fit(rng.permutation(curves))
    np.testing.assert_allclose(shuffled.score_samples(curves), fitted.score_samples(curves), rtol=1e-6)


@pytest.mark.parametrize("contamination", [0.0, 0.1, "auto"])
@pytest.mark.parametrize("energy", ["auto", "squared", "combined"])
def test_other_energies_holes_and_shares(curves, contamination, energy):
    X = curves.copy()
    X[::7, 5] = np.nan
    model = RobustAutoencoder(predictor="kernel", energy=energy, contamination=contamination).fit(X)
    assert np.isfinite(model.score_samples(X)).all() and np.isfinite(model.repaired(X)).all()
    if contamination == 0.1:
        assert (model.predict(X) == -1).sum() == 20


def test_the_energy_ranks_for_other_predictors(curves):
    model = RobustAutoencoder(predictor="linear", hidden=2, energy="kernel", random_state=0).fit(curves)
    assert set(np.argsort(model.score_samples(curves))[:5]) == set(range(195, 200))


def test_it_is_not_exported(fitted, tmp_path):
    pytest.importorskip("onnxscript")
    with pytest.raises(InputError, match="energy='kernel' cannot be exported"):
        fitted.to_onnx(tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize("shape", [(6, 9), (5, 4, 3)])
@pytest.mark.parametrize("framed", [False, True])
def test_explain_says_where_in_an_image(rng, shape, framed):
    X = rng.normal(size=(60, *shape))
    X[7][(2, 3, 1)[: len(shape)]] += 50
    rows = X.reshape(60, -1)
    if framed:
        rows = pytest.importorskip("pandas").DataFrame(rows, columns=[f"c{j}" for j in range(rows.shape[1])])
    found = RobustAutoencoder(image_shape=shape, random_state=0).fit(rows).explain(rows)
    first = {name: np.asarray(values)[0] for name, values in dict(found).items()}
    assert (first["row"], first["y"], first["x"]) == (7, 2, 3)
    assert first["channel"] == (1 if len(shape) == 3 else 0)


def test_small_images_are_ranked_as_wholes_where_nothing_is_chosen(rng):
    X = np.sin(np.arange(8) + rng.uniform(0, 6, (60, 1, 1))) + rng.normal(0, 0.1, (60, 8, 8))
    X[:3] = X[:3].transpose(0, 2, 1)
    model = RobustAutoencoder(random_state=0).fit(X)
    assert model.energy_ == "kernel"
    assert set(np.argsort(model.score_samples(X))[:3]) == {0, 1, 2}
    large = RobustAutoencoder(random_state=0).fit(rng.normal(size=(12, 65, 64)))
    assert large.energy_ == "squared"
