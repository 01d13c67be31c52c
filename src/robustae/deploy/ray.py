"""Ray: Train starts the processes of a fit, Data hands batches to copies of a model."""

import os
import tempfile
from pathlib import Path
from typing import Any

from robustae.deploy.devices import on_gpus
from robustae.estimators.autoencoder import RobustAutoencoder, load
from robustae.estimators.scoring import score_batches
from robustae.utils.checks import need

__all__ = ["Scorer", "fit", "score"]

MODEL, ROWS = "model.rae", "rows"


def fit(
    estimator: RobustAutoencoder, source: Any, workers: int = 2, run_config: Any = None, **options: Any
) -> RobustAutoencoder:
    """Fit in Ray Train's processes.

    Parameters
    ----------
    estimator : RobustAutoencoder
        Its parameters count; with device="cuda" or "auto" on a machine with GPUs each process asks for one.
    source : path or paths that all processes can read, or ray.data.Dataset
        Of a Dataset each process has rows of its own, dealt out by Ray.
    workers : int
    run_config : ray.train.RunConfig, optional
        `storage_path` must be shared where there are several machines.
    options
        Of `RobustAutoencoder.fit_source`.

    Returns
    -------
    RobustAutoencoder
        A new one.

    Raises
    ------
    InputError
        If Ray is not installed.
    """
    train, torch = need("ray", "ray.train", "Ray Train"), need("ray", "ray.train.torch", "Ray Train")
    dealt = {ROWS: source} if hasattr(source, "iter_batches") else None
    config = {
        "params": estimator.get_params(deep=False),
        "source": None if dealt else source,
        "options": options,
    }
    scaling = train.ScalingConfig(num_workers=workers, use_gpu=on_gpus(estimator.device))
    trainer = torch.TorchTrainer(_process, train_loop_config=config, scaling_config=scaling, datasets=dealt,
                                 run_config=run_config)  # fmt: skip
    with trainer.fit().checkpoint.as_directory() as folder:
        own = None if isinstance(estimator.predictor, str) else estimator.predictor
        return load(Path(folder) / MODEL, own)


def _process(config: dict[str, Any]) -> None:
    """What each process runs."""
    train = need("ray", "ray.train", "Ray Train")
    source, options = config["source"], config["options"]
    if source is None:
        dealt = train.get_dataset_shard(ROWS)
        source, options = lambda: dealt.iter_batches(batch_format="pandas"), {"own_rows": True} | options
    model = RobustAutoencoder(**config["params"]).fit_source(source, **options)
    with tempfile.TemporaryDirectory() as folder:
        first = train.get_context().get_world_rank() == 0
        if first:
            model.save(Path(folder) / MODEL)
        train.report({}, checkpoint=train.Checkpoint.from_directory(folder) if first else None)


class Scorer:
    """A copy of a model, for ``Dataset.map_batches(Scorer, batch_format="pyarrow", ...)``.

    Parameters
    ----------
    path : path
        Of a saved model.
    options
        Of `scoring.score_batches`.
    """

    def __init__(self, path: str | os.PathLike[str], **options: Any):
        self.model, self.options = load(path), options

    def __call__(self, table: Any) -> Any:
        """Score one Arrow table."""
        arrow = need("parquet", "pyarrow", "scoring Arrow batches")
        return arrow.Table.from_batches(list(score_batches(self.model, table.to_batches(), **self.options)))


def score(path: str | os.PathLike[str], dataset: Any, workers: int = 1, **options: Any) -> Any:
    """Score a ray.data.Dataset by `workers` copies of a saved model, a processor each; returns a Dataset.

    Leave at least one processor for reading, or it waits for ever. `options` are those of
    `scoring.score_batches`.
    """
    return dataset.map_batches(
        Scorer,
        fn_constructor_args=(str(path),),
        fn_constructor_kwargs=options,
        batch_format="pyarrow",
        concurrency=workers,
        num_cpus=1,
    )
