"""A penalty, predictor, energy, format or command is added in the files that docs/extending.md names."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from robustae import RobustAutoencoder, load
from robustae.data import formats, read_table
from robustae.fit.energies import ENERGIES, Energy
from robustae.penalties import Penalty
from robustae.predictors import PREDICTORS, Predictor, Traits


class Hard(Penalty):
    """A cell beyond lam / 2 is taken whole: N = r there, and the envelope is min(r^2, lam^2 / 4)."""

    by_cell = True

    def value(self, N, lam):
        return (N != 0).sum() * lam**2 / 4

    def prox(self, R, lam):
        return R * (abs(R) > lam / 2)

    def envelope(self, R, lam):
        return (R * R).clip(None, lam**2 / 4)

    def lam_max(self, R):
        return 2 * float(abs(R).max())


class Scale(Predictor):
    """Xhat = a X column by column, with a = 0 at the start."""

    traits = Traits(at_optimum=True)

    def __init__(self, d):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(d))

    @classmethod
    def widths(cls, hidden, d, auto):
        return ()

    @classmethod
    def build(cls, d, widths, image_shape, generator):
        return cls(d)

    def forward(self, X):
        return self.a * X


class Largest(Energy):
    """The largest |r / noise| of a row."""

    name = "largest"
    power = 1.0

    def cells(self, cells):
        return abs(cells.R / cells.noise)

    def rows(self, cells):
        return self.cells(cells).max(1)


@pytest.fixture
def X(rng):
    X = rng.normal(size=(200, 4))
    X[:4, 1] += 15
    return X


def finds(model, X):
    return set(np.argsort(model.score_samples(X))[:4]) == {0, 1, 2, 3}


def test_a_penalty_is_one_class(X):
    model = RobustAutoencoder(predictor="linear", hidden=1, penalty=Hard(), random_state=0).fit(X)
    N = model.outliers(X)
    assert (N[:4, 1] > 5).all() and finds(model, X)
    np.testing.assert_allclose((X - model.reconstruct(X))[N != 0], N[N != 0], rtol=1e-6)


def test_a_predictor_is_a_class_and_a_name(X, monkeypatch, tmp_path):
    monkeypatch.setitem(PREDICTORS, "scale", Scale)
    model = RobustAutoencoder(predictor="scale", random_state=0).fit(X)
    assert model.predictor_name_ == "scale" and model.solver_ == "lbfgs" and finds(model, X)
    model.save(tmp_path / "m.rae")
    np.testing.assert_array_equal(load(tmp_path / "m.rae").score_samples(X), model.score_samples(X))


def test_an_energy_is_one_class(X, monkeypatch, tmp_path):
    monkeypatch.setitem(ENERGIES, "largest", Largest)
    model = RobustAutoencoder(predictor="constant", energy="largest", random_state=0).fit(X)
    largest = abs((X - model.reconstruct(X)) / (model.noise_scale_ * model.models_[0].scaling.scale)).max(1)
    np.testing.assert_allclose(-model.score_samples(X), largest, rtol=1e-6)
    assert model.energy_ == "largest" and finds(model, X)
    model.save(tmp_path / "m.rae")
    np.testing.assert_array_equal(load(tmp_path / "m.rae").score_samples(X), model.score_samples(X))


def test_an_energy_has_its_onnx_graph(X, monkeypatch, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("onnxscript", reason="needs the extra onnx")

    class Sizes(Energy):
        name = "sizes"

        def cells(self, cells):
            return abs(cells.R)

    monkeypatch.setitem(ENERGIES, "sizes", Sizes)
    model = RobustAutoencoder(predictor="linear", hidden=1, energy="sizes", random_state=0).fit(X)
    model.to_onnx(tmp_path / "m.onnx")
    scores = runtime.InferenceSession(tmp_path / "m.onnx").run(["score"], {"X": X})[0]
    np.testing.assert_allclose(scores, model.score_samples(X), rtol=1e-9)


def test_a_format_is_a_reader_and_a_line(X, monkeypatch, tmp_path):
    from robustae.data.table import Table

    def read(path, request, options):
        return Table(
            np.array([line.split() for line in path.read_text().splitlines()], float), list("abcd")
        ), None

    monkeypatch.setitem(formats.FORMATS, ".blank", formats.Format("blanks", read))
    np.savetxt(tmp_path / "x.blank", X)
    np.testing.assert_allclose(read_table(tmp_path / "x.blank").values, X)
    assert finds(RobustAutoencoder(random_state=0).fit(tmp_path / "x.blank"), X)


def test_a_command_is_one_module(monkeypatch):
    from robustae import cli
    from robustae.cli import _app

    module = types.ModuleType("robustae.cli.greet")

    def greet() -> None:
        """Say good day."""
        print("Good day.")

    module.greet = greet
    monkeypatch.setitem(sys.modules, "robustae.cli.greet", module)
    real = _app.iter_modules
    added = types.SimpleNamespace(name="greet")
    monkeypatch.setattr(_app, "iter_modules", lambda path: [*real(path), added])
    app = _app.typer.Typer(cls=_app.Commands)
    monkeypatch.setattr(_app, "app", app)
    _app._add_commands()
    assert CliRunner().invoke(app, ["greet"]).output == "Good day.\n"
    assert cli.__name__ == "robustae.cli"


def test_no_room_asks_for_a_class_or_name_of_another():
    """Predictors, penalties and energies are asked what they can do; only their rooms know the classes."""
    import ast
    from pathlib import Path

    import robustae
    from robustae import penalties

    known = {kind.__name__ for kind in [*PREDICTORS.values(), *ENERGIES.values()]}
    known |= {name for name in penalties.__all__ if name[0].isupper()} - {"Penalty"}
    names = {*PREDICTORS, *ENERGIES, *penalties.PENALTIES}
    asked = {"predictor", "penalty", "energy", "predictor_name_", "energy_", "penalty_"}
    top = Path(robustae.__file__).parent
    found = []
    for path in sorted(top.rglob("*.py")):
        room = path.relative_to(top).parts[0]
        if room in ("predictors", "penalties.py", "lab", "tutorial", "baselines"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                kinds = {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
                found += [(path.name, node.lineno, kind) for kind in kinds & known]
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                left = {getattr(one, "id", getattr(one, "attr", "")) for one in sides}
                texts = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)} & names
                found += [(path.name, node.lineno, text) for text in texts if left & asked]
    assert found == []
