"""Ray and Spark in local mode run the same fit and the same scoring."""

import os
import sys

import numpy as np
import pytest
from source_fits import state, table

from robustae import RobustAutoencoder
from robustae.utils.checks import InputError

pytestmark = pytest.mark.slow
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


@pytest.fixture(scope="module")
def spark():
    pytest.importorskip("pyspark", reason="needs pyspark")
    from pyspark.sql import SparkSession

    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    try:
        session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    except Exception as error:
        pytest.skip(f"needs pyspark and Java for Spark: {type(error).__name__}")
    yield session
    session.stop()


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


def test_spark_makes_the_model_of_one_process(spark, file, alone):
    from robustae.deploy import spark as engine

    model = engine.fit(RobustAutoencoder(**SETTINGS), str(file), 2, local=True)
    assert state(model) == state(alone)


def test_spark_scores_where_the_rows_are(spark, file, alone):
    from robustae.deploy import spark as engine

    frame = engine.score(alone, spark.read.parquet(str(file)), worst=1, keep=("a",)).toPandas()
    assert list(frame.columns) == ["a", "score", "anomaly", "columns", "deviations"]
    np.testing.assert_allclose(np.sort(frame["score"]), np.sort(alone.score_source(file)))


@pytest.mark.parametrize("name", ["ray", "spark"])
def test_an_engine_that_is_not_there_is_said(name, monkeypatch):
    from importlib import import_module

    engine = import_module(f"robustae.deploy.{name}")
    for module in ("ray.train", "ray.train.torch", "pyspark.ml.torch.distributor"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"robustae\[{name}\]"):
        engine.fit(RobustAutoencoder(), "rows.parquet")
