"""What the guide to clusters shows is run as it stands there, on a small table."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.engines]
GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "cluster.md").read_text("utf-8")
HERE = f'"{sys.executable}" -m'
SPARK = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
"""
CHECK = """
import numpy as np, pyarrow.parquet
alone = RobustAutoencoder(random_state=0).fit_source("big")
scores = pyarrow.parquet.read_table("scores")["score"].to_numpy()
expected = model.score_source("big")
assert np.allclose(np.sort(scores), np.sort(expected)), "scored as the model does"
assert np.corrcoef(expected, alone.score_source("big"))[0, 1] > 0.9, "a model as that of one process"
print("the same")
"""


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def commands():
    """Commands of the guide in their order, but those for several machines, which test_hosts.py runs."""
    text = "\n".join(blocks("console")).replace("\\\n", " ")
    found = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return [line for line in found if "--nnodes" not in line]


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    from robustae.data.writers import write_matrix

    rng = np.random.default_rng(0)
    V = rng.normal(size=(2, 5))
    (tmp_path / "big").mkdir()
    for part in range(2):
        rows = rng.normal(size=(300, 2)) @ V + 0.1 * rng.normal(size=(300, 5))
        ids = np.arange(300.0)[:, None] + 300 * part
        write_matrix(tmp_path / "big" / f"{part}.parquet", np.hstack([ids, rows])[:, 1:], list("abcde"))
    return tmp_path


def run(words, folder, **options):
    pinned = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    more = {"HOME": str(folder), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    environment = os.environ | pinned | more
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, **options)


def test_the_commands(folder):
    lines = commands()
    assert len(lines) >= 5
    for line in lines:
        line = re.sub(
            r"^torchrun", f"{HERE} torch.distributed.run", re.sub(r"^robustae", f"{HERE} robustae", line)
        )
        done = run(line.replace("/data/big", "big"), folder, shell=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert (folder / "scores.parquet").exists()


def test_spark(folder):
    """Ray's part is that of tests/deploy/test_ray.py."""
    pytest.importorskip("pyspark", reason="needs pyspark")
    (code,) = [block for block in blocks(r"\{code-block\} python") if "spark as engine" in block]
    code = code.replace("/data/big", str(folder / "big")).replace('"id"', '"a"')
    (folder / "guide.py").write_text(SPARK + code + CHECK)
    done = run([sys.executable, "guide.py"], folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "the same" in done.stdout
