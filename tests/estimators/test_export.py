"""An exported graph gives what the model gives."""

import numpy as np
import pytest
import torch

from robustae import RobustAutoencoder
from robustae.fit.energies import ENERGIES
from robustae.penalties import L1, Trimmed
from robustae.utils.checks import InputError

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


PREDICTORS: dict[str, dict] = {
    "constant": {"image_shape": (4, 4)},
    "linear": {"hidden": 3},
    "sigmoid": {"hidden": 3},
    "deep": {"hidden": (6, 3), "max_iter": 3},
    "conv": {"hidden": 3, "image_shape": (4, 4), "max_iter": 3},
}
OTHERS = {
    "all by default": {},
    "plain": {"predictor": "linear", "hidden": 3, "n_estimators": 2, "lam": float("inf")},
    "trimmed": {"predictor": "linear", "hidden": 3, "penalty": "trimmed"},
    "trimmed l1": {"predictor": "linear", "hidden": 3, "penalty": Trimmed(0.1, L1()), "energy": "envelope"},
    "standard": {"predictor": "linear", "hidden": 3, "scaling": "standard"},
    "odd and coloured": {"predictor": "conv", "image_shape": (3, 1, 5), "max_iter": 3, "hidden": 2},
    "own": {"predictor": torch.nn.Linear(16, 16), "solver": "adam", "max_iter": 3},
}
CASES = OTHERS | {
    f"{predictor}, {energy}": {"predictor": predictor, "energy": energy} | settings
    for predictor, settings in PREDICTORS.items()
    for energy in (sorted(set(ENERGIES) - {"kernel"}) if predictor == "linear" else ("log", "neighbours"))
}


def check_agreement(model, path, X):
    score, reconstruction, outliers = outputs(path, X)
    scale = np.abs(model.reconstruct(X)).max()
    np.testing.assert_allclose(score, model.score_samples(X), rtol=1e-5)
    np.testing.assert_allclose(reconstruction, model.reconstruct(X), atol=1e-5 * scale)
    np.testing.assert_allclose(outliers, model.outliers(X), atol=1e-5 * scale)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.slow
def test_the_graph_agrees_with_the_model(case, X, tmp_path):
    settings = CASES[case]
    d = int(np.prod(settings.get("image_shape", 16)))
    X = X[:, :d]
    model = RobustAutoencoder(random_state=0, **settings).fit(X)
    model.to_onnx(tmp_path / "m.onnx")
    X = X + 1e-3  # rows of the fit are recognised by the model, and not by the graph
    check_agreement(model, tmp_path / "m.onnx", X)
    check_agreement(model, tmp_path / "m.onnx", X[5:6])
    X[3, 1:] = np.nan
    score, *cells = outputs(tmp_path / "m.onnx", X)
    assert np.flatnonzero(np.isnan(score)).tolist() == [3], "a row with holes has no score"
    assert all(np.isnan(part[3]).all() and not np.isnan(part[:3]).any() for part in cells)


def test_a_mixed_table_is_refused_in_one_sentence(tmp_path):
    pd = pytest.importorskip("pandas", reason="needs the extra dataframes")
    table = pd.DataFrame({"size": np.arange(40.0) ** 1.5, "kind": ["a", "b"] * 20})
    model = RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(table)
    with pytest.raises(InputError, match="numbers"):
        model.to_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_penalty_without_a_graph_is_refused_in_one_sentence(X, tmp_path):
    model = RobustAutoencoder(predictor="linear", hidden=2, penalty="rows").fit(X)
    with pytest.raises(InputError, match="penalty"):
        model.to_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
