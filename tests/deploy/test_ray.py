"""Ray on a local cluster of two workers runs the same fit and the same scoring."""

import os
import sys

import numpy as np
import pytest
from source_fits import state, table

from robustae import RobustAutoencoder
from robustae.utils.checks import InputError

pytestmark = [pytest.mark.slow, pytest.mark.engines]
SETTINGS = {"predictor": "linear", "hidden": 2, "max_iter": 2, "batch_size": 200, "random_state": 0}
NAMES = list("abcdef")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    pytest.importorskip("pyarrow")
    from robustae.data.writers import write_matrix

    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_matrix(path, np.nan_to_num(table()[0]), NAMES)
    return path


@pytest.fixture(scope="module")
def alone(file):
    return RobustAutoencoder(**SETTINGS).fit_source(file)


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason="needs ray")
    os.environ |= {"RAY_TRAIN_V2_ENABLED": "1", "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield ray
    ray.shutdown()


def test_ray_train_makes_the_model_of_one_process(ray, file, alone, tmp_path):
    from ray.train import RunConfig

    from robustae.deploy import ray as engine

    config = RunConfig(storage_path=str(tmp_path))
    model = engine.fit(RobustAutoencoder(**SETTINGS), str(file), 2, config)
    assert state(model) == state(alone)


def test_ray_train_deals_out_the_rows_of_a_dataset(ray, file, alone, tmp_path):
    import pandas as pd
    from ray.train import RunConfig

    from robustae.deploy import ray as engine

    dataset = ray.data.read_parquet(str(file)).repartition(4)
    model = engine.fit(RobustAutoencoder(**SETTINGS), dataset, 2, RunConfig(storage_path=str(tmp_path)))
    X = pd.DataFrame(np.nan_to_num(table()[0]), columns=NAMES)
    np.testing.assert_allclose(model.reconstruct(X), alone.reconstruct(X), atol=0.1)


def test_ray_data_scores_as_the_model_does(ray, file, alone, tmp_path):
    from robustae.deploy import ray as engine

    alone.save(tmp_path / "m.rae")
    scores = engine.score(tmp_path / "m.rae", ray.data.read_parquet(str(file))).to_pandas()
    np.testing.assert_allclose(np.sort(scores["score"]), np.sort(alone.score_source(file)))


def test_ray_that_is_not_there_is_named(monkeypatch):
    from robustae.deploy import ray as engine

    for module in ("ray.train", "ray.train.torch"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r"robustae\[ray\]"):
        engine.fit(RobustAutoencoder(), "rows.parquet")
