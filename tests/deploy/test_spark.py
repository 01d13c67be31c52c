"""Spark in local mode, two processes, runs the same fit and the same scoring."""

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


def test_spark_makes_the_model_of_one_process(spark, file, alone):
    from robustae.deploy import spark as engine

    model = engine.fit(RobustAutoencoder(**SETTINGS), str(file), 2, local=True)
    assert state(model) == state(alone)


def test_spark_scores_where_the_rows_are(spark, file, alone):
    from robustae.deploy import spark as engine

    frame = engine.score(alone, spark.read.parquet(str(file)), worst=1, keep=("a",)).toPandas()
    assert list(frame.columns) == ["a", "score", "anomaly", "columns", "deviations"]
    np.testing.assert_allclose(np.sort(frame["score"]), np.sort(alone.score_source(file)))


def test_spark_that_is_not_there_is_named(monkeypatch):
    from robustae.deploy import spark as engine

    monkeypatch.setitem(sys.modules, "pyspark.ml.torch.distributor", None)
    with pytest.raises(InputError, match=r"robustae\[spark\]"):
        engine.fit(RobustAutoencoder(), "rows.parquet")
