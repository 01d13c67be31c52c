"""Spark: TorchDistributor starts the processes of a fit, mapInArrow hands batches to a model."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from robustae.deploy.devices import on_gpus
from robustae.estimators.autoencoder import RobustAutoencoder
from robustae.estimators.scoring import score_batches
from robustae.utils.checks import need

__all__ = ["fit", "score"]


def fit(
    estimator: RobustAutoencoder, source: Any, workers: int = 2, local: bool = False, **options: Any
) -> RobustAutoencoder:
    """Fit in processes that Spark's TorchDistributor starts.

    Parameters
    ----------
    estimator : RobustAutoencoder
        Its parameters count.
    source : path or paths
        That all processes can read: a DataFrame is written to Parquet first.
    workers : int
    local : bool
        On the driver's machine alone, without executors.
    options
        Of `RobustAutoencoder.fit_source`.

    Returns
    -------
    RobustAutoencoder
        A new one.

    Raises
    ------
    InputError
        If Spark is not installed.
    """
    torch = need("spark", "pyspark.ml.torch.distributor", "Spark's TorchDistributor")
    distributor = torch.TorchDistributor(
        num_processes=workers, local_mode=local, use_gpu=on_gpus(estimator.device)
    )
    return distributor.run(_process, estimator.get_params(deep=False), source, options)


def _process(params: dict[str, Any], source: Any, options: dict[str, Any]) -> RobustAutoencoder:
    """What each process runs; Spark hands back the first one's model."""
    return RobustAutoencoder(**params).fit_source(source, **options)


def score(model: RobustAutoencoder, frame: Any, worst: int = 0, keep: tuple[str, ...] = ()) -> Any:
    """Score a Spark DataFrame where its rows lie; returns a DataFrame: see `scoring.score_batches`.

    Parameters
    ----------
    model : RobustAutoencoder
        Sent to the executors as a pickle.
    frame : pyspark.sql.DataFrame
    worst : int
    keep : tuple of str
    """
    columns = [
        f"{field.name} {field.dataType.simpleString()}" for field in frame.schema if field.name in keep
    ]
    columns += ["score double", "anomaly boolean"]
    columns += ["columns array<string>", "deviations array<double>"] if worst else []
    return frame.mapInArrow(partial(_scored, model, worst, keep), ", ".join(columns))


def _scored(
    model: RobustAutoencoder, worst: int, keep: tuple[str, ...], batches: Iterator[Any]
) -> Iterator[Any]:
    return score_batches(model, batches, worst, keep)
