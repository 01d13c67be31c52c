"""Models in MLflow: a flavour of their own, and pyfunc, which gives score and anomaly of each row.

What is stored is the file that `RobustAutoencoder.save` writes: numbers and names, no pickle.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from robustae.estimators.autoencoder import RobustAutoencoder, load
from robustae.utils.checks import InputError, need
from robustae.utils.version import __version__

__all__ = ["load_model", "log_model", "save_model"]

FLAVOR_NAME = "robustae"
FILE = "model.rae"


def _mlflow(part: str) -> Any:
    return need("mlflow", part, "robustae.deploy.mlflow")


def save_model(model: RobustAutoencoder, path: str | Path, mlflow_model: Any = None, **options: Any) -> None:
    """Save a fitted model as a folder that MLflow understands.

    Parameters
    ----------
    model : RobustAutoencoder
    path : str or path
        A folder that is not there yet.
    mlflow_model : mlflow.models.Model, optional
        Given by MLflow when it logs.
    **options
        Of `mlflow.pyfunc.save_model`: signature, input_example, metadata, pip_requirements, ...

    Raises
    ------
    InputError
        If the extra `mlflow` is missing, or the model cannot be saved.
    """
    described = mlflow_model or _mlflow("mlflow.models").Model()
    described.add_flavor(FLAVOR_NAME, robustae_version=__version__)
    options.setdefault("pip_requirements", [f"robustae=={__version__}"])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        model.save(data / FILE)
        _mlflow("mlflow.pyfunc").save_model(
            path=str(path), loader_module=__name__, data_path=str(data), mlflow_model=described, **options
        )


def log_model(model: RobustAutoencoder, name: str = "model", **options: Any) -> Any:
    """Log a fitted model in the run that is active; return MLflow's ModelInfo.

    Parameters
    ----------
    model : RobustAutoencoder
    name : str
    **options
        Of `mlflow.models.Model.log` (registered_model_name, ...) and of `save_model`.
    """
    kind = _mlflow("mlflow.models").Model
    return kind.log(artifact_path=None, name=name, flavor=sys.modules[__name__], model=model, **options)


def load_model(model_uri: str, dst_path: str | None = None) -> RobustAutoencoder:
    """Read a model that was saved or logged.

    Parameters
    ----------
    model_uri : str
        A folder, or an address of MLflow's such as "models:/sensors/1".
    dst_path : str, optional
        Where to put what has to be fetched.

    Raises
    ------
    InputError
        If it is no model of this flavour.
    """
    folder = _mlflow("mlflow.artifacts").download_artifacts(artifact_uri=str(model_uri), dst_path=dst_path)
    flavors = _mlflow("mlflow.models").Model.load(folder).flavors
    if FLAVOR_NAME not in flavors:
        raise InputError(f"{model_uri!r} holds no model of robustae: its flavours are {', '.join(flavors)}.")
    return load(Path(folder) / flavors["python_function"]["data"] / FILE)


class _Scorer:
    """What pyfunc calls."""

    def __init__(self, model: RobustAutoencoder):
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Return score (higher is more normal) and anomaly of each row, as a DataFrame."""
        scores = self.model.score_samples(model_input)
        pandas = need("mlflow", "pandas", "robustae.deploy.mlflow")
        return pandas.DataFrame(
            {"score": scores, "anomaly": scores < self.model.offset_},
            index=getattr(model_input, "index", None),
        )


def _load_pyfunc(path: str) -> _Scorer:
    """Called by `mlflow.pyfunc.load_model`."""
    return _Scorer(load(Path(path) / FILE))
