"""A fit that is done, run again with resume, ends as it ended; by every energy, at every size."""

import pickle

import numpy as np
import pytest
from source_fits import state
from typer.testing import CliRunner

from robustae import RobustAutoencoder, load
from robustae.cli import app
from robustae.fit.energies import ENERGIES


def rows(n):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(n, 6))
    X[: n // 50] += 5
    return X.astype(np.float32)


@pytest.mark.parametrize("n", [60, 1500])
@pytest.mark.parametrize("predictor", ["auto", "linear"])
@pytest.mark.parametrize("energy", ENERGIES)
def test_again_from_the_checkpoint_and_from_files(energy, predictor, n, tmp_path):
    np.save(tmp_path / "rows.npy", rows(n))
    settings = {"energy": energy, "predictor": predictor, "max_iter": 2, "random_state": 0}
    course = {"checkpoint": tmp_path / "state", "resume": True}
    first = RobustAutoencoder(**settings).fit_source(tmp_path / "rows.npy", **course)
    again = RobustAutoencoder(**settings).fit_source(tmp_path / "rows.npy", **course)
    assert state(again) == state(first)
    first.save(tmp_path / "m")
    for other in (again, load(tmp_path / "m"), pickle.loads(pickle.dumps(first))):
        np.testing.assert_array_equal(other.score_samples(rows(n)), first.score_samples(rows(n)))
        np.testing.assert_array_equal(other.score_samples(rows(40)), first.score_samples(rows(40)))


@pytest.mark.parametrize("n", [300, pytest.param(15_000, marks=pytest.mark.slow)])
def test_the_command_may_always_say_resume(n, tmp_path):
    np.save(tmp_path / "rows.npy", rows(n))
    words = ["fit", str(tmp_path / "rows.npy"), "--model", str(tmp_path / "m"), "--seed", "0"]
    words += ["--checkpoint", str(tmp_path / "state"), "--resume"]
    found = []
    for _ in range(3):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.stderr
        found.append((tmp_path / "m").read_bytes())
    assert len(set(found)) == 1
