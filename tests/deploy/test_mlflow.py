"""Models in MLflow come back with the same scores."""

import os
import subprocess
import sys

import numpy as np
import pytest

from robustae import RobustAutoencoder
from robustae.utils.checks import InputError

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
pytestmark = pytest.mark.engines
pd = pytest.importorskip("pandas", reason="needs the extra mlflow")

X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "c"])
MIXED = X.assign(kind=["x", "y", "z"] * 20)


@pytest.fixture(scope="module", params=[X, MIXED], ids=["numbers", "mixed"])
def rows(request):
    return request.param


@pytest.fixture(scope="module")
def model(rows):
    return RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(rows)


def test_saved_and_loaded(model, rows, tmp_path):
    from robustae.deploy.mlflow import load_model, save_model

    save_model(model, tmp_path / "m")
    again = load_model(str(tmp_path / "m"))
    np.testing.assert_array_equal(again.score_samples(rows), model.score_samples(rows))
    assert again.offset_ == model.offset_


def test_pyfunc_gives_score_and_anomaly(model, rows, tmp_path):
    from robustae.deploy.mlflow import save_model

    signature = mlflow.models.infer_signature(rows, pd.DataFrame({"score": [0.1], "anomaly": [True]}))
    save_model(model, tmp_path / "m", signature=signature)
    found = mlflow.pyfunc.load_model(str(tmp_path / "m")).predict(rows.iloc[10:20])
    np.testing.assert_array_equal(found["score"], model.score_samples(rows)[10:20])
    np.testing.assert_array_equal(found["anomaly"], model.predict(rows)[10:20] == -1)
    assert list(found.index) == list(range(10, 20))


def test_nothing_saved_is_a_pickle(model, tmp_path):
    from robustae.deploy.mlflow import save_model

    save_model(model, tmp_path / "m")
    names = {path.name for path in (tmp_path / "m").rglob("*") if path.is_file()}
    assert "model.rae" in names
    assert not any(name.endswith((".pkl", ".pickle", ".joblib")) for name in names)


@pytest.mark.slow
def test_logged_in_a_run(tmp_path):
    """In a process of its own, since MLflow keeps the place of its store for good."""
    code = """if True:
        import mlflow, numpy as np
        from robustae import RobustAutoencoder
        from robustae.deploy.mlflow import load_model, log_model
        X = np.random.default_rng(0).normal(size=(60, 3))
        model = RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(X)
        with mlflow.start_run():
            told = log_model(model, "detector")
        assert (load_model(told.model_uri).score_samples(X) == model.score_samples(X)).all()
        print("same")
    """
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": (tmp_path / "runs").as_uri(),
        "GIT_PYTHON_REFRESH": "quiet",
    }
    environment |= {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.stdout.strip().endswith("same"), done.stderr[-2000:]


def test_another_flavour_is_refused(tmp_path):
    from robustae.deploy.mlflow import load_model

    (tmp_path / "MLmodel").write_text("flavors:\n  sklearn: {}\n")
    with pytest.raises(InputError, match="sklearn"):
        load_model(str(tmp_path))
