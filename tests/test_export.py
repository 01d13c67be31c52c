"""An exported graph gives what the model gives."""

import numpy as np
import pytest

from robustae import RobustAutoencoder
from robustae.checks import InputError
from robustae.penalties import L1, Trimmed

runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnxscript", reason="needs the extra onnx")


@pytest.fixture
def X(rng):
    X = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 16)) + 0.3 * rng.normal(size=(60, 16))
    X[0, 3] = 40.0
    return X


def outputs(path, X):
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["score", "reconstruction", "outliers"], {"X": X})


@pytest.mark.parametrize(
    "settings",
    [
        {"predictor": "linear", "hidden": 3},
        {"predictor": "sigmoid", "hidden": 3, "energy": "log"},
        {"predictor": "deep", "hidden": 3, "max_iter": 3, "energy": "envelope"},
        {"predictor": "constant", "image_shape": (4, 4)},
        {"predictor": "conv", "hidden": 3, "image_shape": (4, 4), "max_iter": 3},
        {"predictor": "linear", "hidden": 3, "n_estimators": 2, "lam": float("inf")},
        {"predictor": "linear", "hidden": 3, "penalty": "trimmed"},
        {"predictor": "auto"},
        {"predictor": "linear", "hidden": 3, "penalty": Trimmed(0.1, L1()), "energy": "envelope"},
    ],
    ids=lambda settings: settings["predictor"],
)
@pytest.mark.slow
def test_the_graph_agrees_with_the_model(settings, X, tmp_path):
    model = RobustAutoencoder(random_state=0, **settings).fit(X)
    model.to_onnx(tmp_path / "m.onnx")
    X = np.where(np.arange(16) == 7, np.nan, X)
    score, reconstruction, outliers = outputs(tmp_path / "m.onnx", X)
    scale = np.abs(model.reconstruct(X)).max()
    np.testing.assert_allclose(score, model.score_samples(X), rtol=1e-5)
    np.testing.assert_allclose(reconstruction, model.reconstruct(X), atol=1e-5 * scale)
    np.testing.assert_allclose(outliers, model.outliers(X), atol=1e-5 * scale)


def test_a_penalty_without_a_graph_is_refused_in_one_sentence(X, tmp_path):
    model = RobustAutoencoder(predictor="linear", hidden=2, penalty="rows").fit(X)
    with pytest.raises(InputError, match="penalty"):
        model.to_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
