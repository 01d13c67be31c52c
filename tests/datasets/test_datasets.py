"""Data to try things on: what needs no download, what is looked for, what is said where it is absent."""

import hashlib
import os

import numpy as np
import pytest

from robustae import datasets
from robustae.datasets import adbench
from robustae.utils.checks import InputError, NotFound


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A machine with no public data: an empty cache and no ROBUSTAE_DATA."""
    monkeypatch.delenv("ROBUSTAE_DATA", raising=False)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    return tmp_path


def test_digits_are_all_of_one_and_a_few_of_another():
    data = datasets.load_digits_anomalies(random_state=3)
    again = datasets.load_digits_anomalies(random_state=3)
    other = datasets.load_digits_anomalies(random_state=4)
    assert data.X.shape == (len(data.y), 64)
    assert data.image_shape == (8, 8)
    assert data.y.sum() == 9
    assert 0 <= data.X.min() < data.X.max() <= 1
    np.testing.assert_array_equal(data.X, again.X)
    assert not np.array_equal(data.X, other.X)
    assert 0 < data.y[: len(data.y) // 2].sum() < 9, "anomalies must not stand together at one end"


@pytest.mark.parametrize("wrong", [{"anomaly": 12}, {"n_anomalies": 1000}, {"n_anomalies": -1}])
def test_draws_that_cannot_be_made(wrong):
    with pytest.raises(InputError, match="cannot draw"):
        datasets.load_digits_anomalies(**wrong)


def test_planted_cells_are_known():
    data = datasets.load_breast_cancer_cells(wrong=0.02, missing=0.05)
    assert data.X.shape == data.cells.shape == data.clean.shape == (569, 30)
    assert len(data.columns) == 30
    missing = np.isnan(data.X)
    assert missing.mean() == pytest.approx(0.05, abs=0.005)
    assert not (missing & data.cells).any()
    untouched = ~(missing | data.cells)
    np.testing.assert_array_equal(data.X[untouched], data.clean[untouched])
    assert (data.X[data.cells] != data.clean[data.cells]).all()


def test_walkway_is_a_film():
    data = datasets.load_walkway()
    assert data.X.shape == (200, 120 * 160)
    assert data.X.dtype == np.uint8
    assert data.image_shape == (120, 160)
    steps = np.abs(np.diff(data.X.astype(int), axis=0))
    assert np.median(steps) <= 2, "most pixels of a fixed camera hardly change from frame to frame"
    assert (steps > 30).any(), "and people walk through the picture"


@pytest.mark.parametrize(
    "fetch",
    [datasets.fetch_usps, datasets.fetch_mnist, datasets.fetch_cifar10_dogs_cats, datasets.fetch_restaurant]
    + [datasets.fetch_escalator],
)
def test_absent_data_say_what_goes_where(alone, fetch):
    with pytest.raises(NotFound) as caught:
        fetch(data_home=alone / "mine")
    message = str(caught.value)
    assert str(alone / "mine") in message
    assert ".npz" in message


def test_data_are_looked_for_in_the_folder_given_then_the_shared_one_then_the_cache(alone, monkeypatch):
    for k, home in enumerate(["mine", "shared", "cache/robustae"]):
        (alone / home / "escalator").mkdir(parents=True)
        np.savez(alone / home / "escalator/escalator_160x130.npz", gray=np.full((2, 130, 160), k, np.uint8))
    monkeypatch.setenv("ROBUSTAE_DATA", str(alone / "shared"))
    assert datasets.fetch_escalator(data_home=alone / "mine").X[0, 0] == 0
    assert datasets.fetch_escalator().X[0, 0] == 1
    monkeypatch.delenv("ROBUSTAE_DATA")
    assert datasets.fetch_escalator().X[0, 0] == 2


@pytest.fixture
def source(alone, monkeypatch):
    """A place to download the table "wine" from; returns the file there."""
    file = alone / "site/Classical/45_wine.npz"
    file.parent.mkdir(parents=True)
    np.savez(file, X=np.eye(3), y=np.array([0, 1, 0]))
    monkeypatch.setattr(adbench, "_URL", (alone / "site").as_uri() + "/")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(adbench.SHA256, "Classical/45_wine", digest)
    return file


def test_downloads_happen_only_when_asked_and_are_kept(source, alone):
    with pytest.raises(NotFound, match="download=True"):
        datasets.fetch_adbench("wine")
    data = datasets.fetch_adbench("wine", download=True)
    assert data.y.tolist() == [0, 1, 0]
    source.unlink()
    np.testing.assert_array_equal(datasets.fetch_adbench("wine").X, np.eye(3))


def test_a_download_that_differs_is_not_kept(source, alone):
    source.write_bytes(b"something else")
    with pytest.raises(InputError, match="SHA-256"):
        datasets.fetch_adbench("wine", data_home=alone / "mine", download=True)
    assert not [name for _, _, names in os.walk(alone / "mine") for name in names]


def test_a_download_that_fails_is_said(source):
    source.unlink()
    with pytest.raises(InputError, match="cannot download"):
        datasets.fetch_adbench("wine", download=True)


def test_names_are_suggested():
    with pytest.raises(InputError, match="did you mean 'wine'"):
        datasets.fetch_adbench("vine")
    with pytest.raises(InputError, match="did you mean 'even'"):
        datasets.fetch_restaurant("evn")


def test_listing_says_what_is_there(alone):
    entries = {entry["name"]: entry for entry in datasets.listing()}
    assert entries["walkway"]["found"]
    assert not entries["mnist"]["found"]
    assert "mnist/mnist.npz" in entries["mnist"]["advice"]
    (alone / "cache/robustae/mnist").mkdir(parents=True)
    path = alone / "cache/robustae/mnist/mnist.npz"
    path.touch()
    assert {entry["name"]: entry for entry in datasets.listing()}["mnist"]["path"] == str(path)


@pytest.mark.parametrize("entry", datasets.listing(), ids=lambda entry: entry["name"])
def test_every_listed_call_works(entry, data_home):
    if not any(entry["name"].startswith(name) for name in ("digits", "breast", "walkway", "adbench")):
        assert entry["found"], "set ROBUSTAE_DATA to a folder with all public data"
    call = entry["call"].replace("name", "'wine'")
    data = eval("datasets." + call)
    assert len(data.X)
    assert data.y is None or len(data.y) == len(data.X)
    assert data.image_shape is None or np.prod(data.image_shape) == data.X.shape[1]


def test_usps_as_in_the_paper(data_home):
    data = datasets.fetch_usps()
    assert data.X.shape == (231, 256)
    assert data.y.sum() == 11
