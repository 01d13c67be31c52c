"""Which rows of the fit a saved model gives away, and that one without neighbours holds none."""

import numpy as np
import pytest
from typer.testing import CliRunner

from robustae import RobustAutoencoder
from robustae.cli import app
from robustae.estimators.saving import rows_held
from robustae.fit import artifact

X = np.random.default_rng(0).normal(size=(600, 5)) * [1, 100, 1e-3, 5, 1]


def given_back(path):
    """How many rows of the fit lie in the arrays of a file, undone what the model does to them, to 1e-3."""
    arrays, _ = artifact.read(path)
    scale, location = arrays["member0.scale"], arrays["member0.location"]
    found = set()
    for values in arrays.values():
        if values.ndim == 2 and values.shape[1] == X.shape[1]:
            held = {name: arrays.get(f"member0.energy.{name}") for name in ("scale", "location")}
            rows = values if held["scale"] is None else values * held["scale"] + held["location"]
            for candidate in (values, values * scale + location, rows * scale + location):
                off = np.abs((candidate[:, None] - X[None]) / X.std(0)).max(2)
                found |= set(np.flatnonzero((off < 1e-3).any(0)).tolist())
    return len(found)


@pytest.mark.parametrize(("energy", "held"), [("combined", True), ("neighbours", True), ("log", False)])
def test_rows_in_a_file(energy, held, tmp_path):
    model = RobustAutoencoder(energy=energy, random_state=0).fit(X)
    model.save(tmp_path / "m")
    assert (rows_held(model) > 0) == held
    assert (given_back(tmp_path / "m") > 300) == held
    assert held or given_back(tmp_path / "m") == 0


@pytest.mark.parametrize(("energy", "noted"), [("auto", True), ("log", False)])
def test_the_command_tells_it(energy, noted, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    words = ["fit", str(tmp_path / "rows.npy"), "--model", str(tmp_path / "m"), "--set", f"energy={energy}"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert ("rows of the data" in done.stderr) == noted
