"""Which rows of the fit a saved model gives away, and that one without neighbours holds none."""

import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

from robustae import RobustAutoencoder, load
from robustae.cli import app
from robustae.data import MixedTable
from robustae.estimators.saving import rows_held
from robustae.fit import artifact
from robustae.images import inspect
from robustae.penalties import L1, Trimmed
from robustae.utils.checks import InputError
from robustae.video import separate

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


SECRET = ("Rarestadt", "Alonheim", "person17", "note 17", "constantia", "2003-07-09", "09.07.2003 11:59")


def mixed(n=200):
    """A table as files hold it, some of whose words stand in one row each."""
    rng = np.random.default_rng(0)
    cities = rng.choice(["Ulm", "Bonn", "Kiel"], n).astype(object)
    cities[17], cities[18] = SECRET[:2]
    days = np.datetime64("2001-01-01") + rng.integers(0, 9, n).astype("timedelta64[D]")
    texts = {
        "city": cities,
        "name": [f"person{k}" for k in range(n)],
        "note": [f"{rng.choice(['a', 'the'])} note {rng.integers(150)}" for _ in range(n)],
        "country": ["constantia" if k % 2 else None for k in range(n)],
        "moment": [
            "09.07.2003 11:59",
            *(f"{k % 28 + 1:02d}.03.2004 {k % 24:02d}:0{k % 10}" for k in range(1, n)),
        ],
        "hours": [f"{k % 24}:{k % 60:02d}" for k in range(n)],
    }
    texts["note"][17], texts["moment"][0] = SECRET[3], SECRET[-1]
    columns = {name: np.array(cells, dtype=object) for name, cells in texts.items()}
    return MixedTable(columns | {"day": days, "x": rng.normal(size=n), "yes": rng.random(n) < 0.4})


@pytest.mark.filterwarnings("ignore")
def test_words_of_single_rows_leave_a_mixed_model(tmp_path):
    table = mixed()
    model = RobustAutoencoder(random_state=0).fit(table)
    model.save(tmp_path / "whole")
    model.save(tmp_path / "bare", references=False)
    whole, bare = ((tmp_path / name).read_bytes() for name in ("whole", "bare"))
    assert SECRET[0].encode() in whole
    assert [word for word in SECRET if word.encode() in bare] == []
    assert b"Bonn" in bare, "levels of many rows are told"
    again = load(tmp_path / "bare")
    assert again.plan_ != model.plan_, "while the model itself keeps all"
    common = np.isin(table.columns["city"], ["Ulm", "Bonn", "Kiel"])
    scores = again.score_samples(table)
    assert np.isfinite(scores).all() and scores[~common].max() < np.median(scores)
    pairs = zip(model.plan_.columns, again.plan_.columns, strict=True)
    dates = [(a.spelling, b.spelling) for a, b in pairs if a.spelling and a.kind == "date"]
    written = [{one.write(np.datetime64("2024-03-01T10:20")) for one in pair} for pair in dates]
    assert written == [{"01.03.2024 10:20:00"}], "cells are written as they were"


def test_what_is_made_of_rows_is_not_written_without(tmp_path):
    for settings in ({"predictor": "kernel"}, {"energy": "kernel"}):
        model = RobustAutoencoder(random_state=0, **settings).fit(X)
        with pytest.raises(InputError, match="kernel"):
            model.save(tmp_path / "m", references=False)
    assert not (tmp_path / "m").exists()


KINDS = {
    "default": {},
    "kernel": {"predictor": "kernel"},
    "linear": {"predictor": "linear", "hidden": 2},
    "sigmoid": {"predictor": "sigmoid", "hidden": 2, "max_iter": 3},
    "members": {"predictor": "deep", "hidden": (4, 2), "max_iter": 3, "n_estimators": 2},
    "trimmed": {"predictor": "linear", "hidden": 2, "penalty": Trimmed(0.1, L1())},
    "pictures": {"predictor": "conv", "image_shape": (1, 5), "max_iter": 2},
}


@pytest.mark.parametrize("references", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_two_fits_with_one_seed_give_the_same_bytes(kind, references, tmp_path):
    if kind == "kernel" and not references:
        pytest.skip("is refused")
    for name in ("one", "other"):
        model = RobustAutoencoder(random_state=0, **KINDS[kind]).fit(X[:200])
        model.save(tmp_path / name, references=references)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    if references:
        return
    assert given_back(tmp_path / "one") == 0
    again = load(tmp_path / "one")
    again.save(tmp_path / "again")
    assert not rows_held(again) and np.isfinite(again.score_samples(X)).all()


def test_mixed_models_pictures_and_scenes_give_the_same_bytes(tmp_path):
    film = (255 * np.random.default_rng(0).random((20, 12, 16, 1))).astype(np.uint8)
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            RobustAutoencoder(random_state=0).fit(mixed()).save(tmp_path / name / "mixed")
        separate(film).save(tmp_path / name / "scene")
        for features, side in (("strokes", 20), ("patches", 50)):
            pictures = np.random.default_rng(1).random((8, side, side))
            inspect(pictures, features=features).save(tmp_path / name / features)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name
