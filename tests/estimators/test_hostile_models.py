"""A model made to take memory or time is refused, or used, within bounds: it takes no more than it brings."""

import json
import os
import random
import time
from collections import Counter
from functools import partial

import fuzzing
import hostile
import numpy as np
import pytest
from test_fuzz_load import SETTINGS, pictures, rows, use, with_header

from robustae import RobustAutoencoder, images, load
from robustae.fit import artifact
from robustae.penalties import L1, Trimmed
from robustae.utils.checks import InputError

SECONDS, MIB = 5, 700  # of the processor, and beside what the process holds: a server is at about 300
MODELS = 60 * fuzzing.LONGER
HEADERS = 5 * fuzzing.LONGER
needs_proc = pytest.mark.skipif(
    not os.path.exists("/proc/self/clear_refs"), reason="memory is told by /proc here"
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Parts of a model of every kind."""
    folder = tmp_path_factory.mktemp("models")
    for kind, settings in SETTINGS.items():
        RobustAutoencoder(**settings).fit(rows(kind)).save(folder / kind)
    return {kind: artifact.read(folder / kind) for kind in SETTINGS}


def unchecked(path, arrays, description):
    """Write what `artifact.write` would refuse to."""
    check, artifact._check_header = artifact._check_header, lambda *_: None
    try:
        artifact.write(path, arrays, description)
    finally:
        artifact._check_header = check


def made(path, originals, rng, number):
    """Write a hostile file; return what it does and of which kind of model it is."""
    kind = rng.choice(sorted(originals))
    if number % (MODELS // HEADERS) == 0:
        path.write_bytes(hostile.header(rng))
        return "header", kind
    attack, parts = hostile.model(*originals[kind], rng)
    unchecked(path, *parts)
    return attack, kind


def use_them(sender, folder, originals):
    """Use hostile models one after the other, and measure each."""
    rng, told = random.Random(0), []
    for number in range(MODELS):
        attack, kind = made(folder / "m", originals, rng, number)
        begin = time.process_time()
        trial = partial(use, folder / "m", kind)
        try:
            said, _, peak = hostile.measured(lambda trial=trial: fuzzing.outcome(trial))
        except Exception as error:
            raise AssertionError(f"trial {number}: {attack} of {kind}, {folder / 'm'}") from error
        told.append((attack, said, time.process_time() - begin, peak))
    sender.send(told)


@needs_proc
def test_no_model_takes_more_than_it_brings(originals, tmp_path):
    told = fuzzing.child(use_them, tmp_path, originals)
    assert len(told) == MODELS
    assert {attack for attack, *_ in told} == {"header", *(f.__name__.strip("_") for f in hostile.MODELS)}
    above = [trial for trial in told if trial[2] > SECONDS or trial[3] > MIB]
    assert not above
    counts = Counter(said for _, said, *_ in told)
    assert counts["fine"] and len(counts) > 8, "some do no harm, others are refused for several reasons"
    fuzzing.tally("hostile models", counts, max(t[2] for t in told), max(t[3] for t in told))


DESCRIBED = {
    "many lists": "[" + "[]," * (artifact.MOST_PARTS + 1) + "0]",
    "long": "[" + "0," * (artifact.LONGEST_HEADER // 2) + "0]",
}


@pytest.mark.parametrize("text", DESCRIBED)
def test_a_header_is_limited_before_it_is_parsed(text, tmp_path):
    metadata = {"robustae": str(artifact.FORMAT), "description": DESCRIBED[text], "sha256": ""}
    (tmp_path / "m").write_bytes(with_header(json.dumps({"__metadata__": metadata}).encode(), b""))
    begin = time.process_time()
    with pytest.raises(InputError, match="description"):
        load(tmp_path / "m")
    assert time.process_time() - begin < 1


def test_what_could_not_be_read_is_not_saved(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = RobustAutoencoder(predictor="constant", random_state=0).fit(X)
    model.models_ = model.models_ * (artifact.MOST_MEMBERS + 1)
    with pytest.raises(InputError, match="n_estimators"):
        model.save(tmp_path / "m")
    assert not os.listdir(tmp_path)


def test_trimming_what_is_trimmed_is_refused():
    with pytest.raises(InputError, match="trims once"):
        Trimmed(0.1, Trimmed(0.1, L1()))


@pytest.mark.parametrize("size", [1e60, 1e160, 1e300])
def test_weights_that_cancel_where_they_are_tried_give_no_infinite_scores(size, originals, tmp_path):
    arrays, description = originals["linear"]
    U = np.zeros_like(arrays["member0.predictor.U"])
    U[0], U[1] = size, -size  # rows whose cells are alike give 0
    V = np.full_like(arrays["member0.predictor.V"], size)
    altered = {"member0.predictor.U": U, "member0.predictor.V": V}
    artifact.write(tmp_path / "m", arrays | altered, description)
    try:
        model = load(tmp_path / "m")
    except InputError as error:
        assert "too large" in fuzzing.one_sentence(error)
        return
    assert np.isfinite(model.score_samples(rows())).all()


@pytest.mark.parametrize("size", [1e60, 1e149, 1e-149, 1e308, 5e-324])
@pytest.mark.parametrize("kind", ["auto", "mixed"])
def test_a_scatter_of_no_variances_is_refused_or_gives_finite_scores(kind, size, originals, tmp_path):
    arrays, description = originals[kind]
    for name in [name for name in arrays if name.startswith("member0.predictor.")]:
        values = arrays[name]
        signs = np.where(np.arange(values.size) % 2, 1.0, -1.0).reshape(values.shape)
        for altered in (signs * size, np.full(values.shape, size)):
            unchecked(tmp_path / "m", arrays | {name: altered}, description)
            fuzzing.outcome(partial(use, tmp_path / "m", kind))


PICTURES = {
    "a huge picture": {"shape": [10**9, 10**9]},
    "a long picture": {"shape": [1, 10**8]},
    "no picture": {"shape": [0, 50]},
    "a size that is none": {"shape": [50.0, 50]},
    "three sides": {"shape": [50, 50, 3]},
    "huge maps": {"grid": [10**6, 10**6]},
    "other maps": {"grid": [7, 144]},
    "no deviation": {"floor": 0.0},
    "patches that are too large": {"features.patch": np.array(10**6)},
    "patches of no pixel": {"features.patch": np.array(0)},
    "very many centres": {"features.centres": np.zeros((10**6, 1), np.float32)},
    "wide patches": {"features.whitening": np.zeros((1, 10**6), np.float32)},
    "places beyond the references": {"components.model0.members": np.array([10**9])},
    "a width of 0": {"components.width": np.array(0.0)},
    "narrow parts": {"parts.location": np.zeros((5, 3), np.float32)},
    "parts of few folds": {"parts.whitening": np.zeros((1, 256, 256), np.float32)},
    "parts that are no numbers": {"parts.location": np.full((5, 256), np.nan, np.float32)},
    "units of other readings": {"units": np.ones((2, 4))},
}


@pytest.mark.parametrize("attack", PICTURES)
def test_a_model_of_pictures_asks_for_no_more_than_it_brings(attack, tmp_path):
    images.inspect(pictures("patches"), features="patches").save(tmp_path / "m")
    arrays, description = artifact.read(tmp_path / "m")
    ((name, value),) = PICTURES[attack].items()
    if isinstance(value, np.ndarray):
        arrays[name] = value
    else:
        description["images"][name] = value
    artifact.write(tmp_path / "m", arrays, description)
    begin = time.process_time()
    with pytest.raises(InputError, match="damaged"):
        images.load(tmp_path / "m")
    assert time.process_time() - begin < 1
