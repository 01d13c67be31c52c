"""Whatever a model file holds, it loads and scores, or is refused in one sentence; nothing else happens."""

import json
import os
import pickle
import random
import subprocess
import sys
import warnings
from collections import Counter

import fuzzing
import numpy as np
import pytest
from typer.testing import CliRunner

from robustae import RobustAutoencoder, load
from robustae.cli import app
from robustae.data import MixedTable
from robustae.datasets.synthetic import moving_scene
from robustae.fit import artifact
from robustae.images import inspect
from robustae.images import load as load_images
from robustae.penalties import L1, Groups, Patches, Trimmed
from robustae.utils.checks import InputError
from robustae.video import separate
from robustae.video.stored import load_scene

SPOILT = 115 * fuzzing.LONGER  # of every kind
MIB = 2**20
QUICK = {"hidden": 2, "max_iter": 3, "random_state": 0}
SETTINGS = {
    "auto": {"max_iter": 3, "random_state": 0},
    "linear": {"predictor": "linear", **QUICK},
    "members": {
        "predictor": "deep",
        "penalty": Trimmed(0.1, L1()),
        "n_estimators": 2,
        "energy": "log",
        **QUICK,
        "hidden": (4, 2),
    },
    "conv": {"predictor": "conv", "image_shape": (2, 4), "penalty": Patches(2, 2), **QUICK},
    "groups": {
        "predictor": "sigmoid",
        "penalty": Groups([0, 0, 1, 1, 2, 2, 3, 3]),
        "lam": 1.0,
        "solver": "adam",
        "energy": "combined",
        **QUICK,
    },
    "mixed": {"max_iter": 3, "random_state": 0},
    "kernel": {"predictor": "kernel", "random_state": 0},
}
SCENES = ("scene", "learned")
PICTURES = {"strokes": 20, "patches": 50}  # pixels of a side
METHODS = ["score_samples", "predict", "predict_proba", "reconstruct", "outliers", "flags"]
METHODS += ["cell_scores", "repaired", "explain"]


def rows(kind="auto"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(60, 8))
    X[:3] += 9
    if kind != "mixed":
        return X
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, 60).astype("timedelta64[D]")
    columns = {"a": X[:, 0], "b": X[:, 1], "day": days, "there": np.array([True, False] * 30)}
    texts = {"level": list("xyz") * 20, "some": ["u", "v", None] * 20}
    return MixedTable(columns | {name: np.array(cells, dtype=object) for name, cells in texts.items()})


def frames():
    """A small dark thing goes through; the picture is 12 x 16."""
    scene = moving_scene(30, 12, 16, random_state=0)
    return np.clip(np.rint(255 * scene.frames.reshape(30, 12, 16, 1)), 0, 255).astype(np.uint8)


def pictures(kind):
    """Noise with a bar across the first one."""
    side = PICTURES[kind]
    found = np.random.default_rng(0).random((12, side, side))
    found[0, 5:9] = 1
    return found


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The bytes of a whole file of every kind."""
    folder = tmp_path_factory.mktemp("models")
    for kind, settings in SETTINGS.items():
        RobustAutoencoder(**settings).fit(rows(kind)).save(folder / kind)
    separate(frames()).save(folder / "scene")
    separate(frames(), predictor="linear", hidden=2, max_iter=3, random_state=0).save(folder / "learned")
    for kind in PICTURES:
        inspect(pictures(kind), features=kind).save(folder / kind)
    return {kind: folder / kind for kind in (*SETTINGS, *SCENES, *PICTURES)}


def use(path, kind):
    """All that is done with a model; its numbers must be finite."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if kind in SCENES:
            load_scene(path)
            batch = next(iter(separate(frames(), model=path)))
            found = {"score": batch.score, "foreground": batch.foreground}
        elif kind in PICTURES:
            model, some = load_images(path), pictures(kind)[:4]
            told = [model.inspect(some), model.inspect(1 - some)]
            found = {"scores": told[0].scores, "of others": told[1].scores, "heat": told[1].heatmaps}
        else:
            model = load(path)
            found = {name: getattr(model, name)(rows(kind)) for name in METHODS}
    unsound = [name for name, values in found.items() if not fuzzing.finite(values)]
    assert not unsound, unsound


def sealed(path, kind, originals, rng):
    """Write a model with something else in it, and a checksum that agrees."""
    arrays, description = artifact.read(originals[kind])
    if rng.random() < 0.5:
        description = fuzzing.json_of(description, rng)
    else:
        arrays = fuzzing.arrays_of(arrays, rng)
    artifact.write(path, arrays, description)


# --- altered by somebody who writes a right checksum ----------------------------------------------------


@pytest.mark.parametrize("kind", [*SETTINGS, *SCENES, *PICTURES])
def test_an_altered_model_works_or_is_refused(kind, originals, tmp_path):
    rng = random.Random(kind)
    told = Counter()
    for _ in range(SPOILT):
        sealed(tmp_path / "m", kind, originals, rng)
        told[fuzzing.outcome(lambda: use(tmp_path / "m", kind))] += 1
    assert "fine" in told, "some changes do no harm"
    assert len(told) > 5, "others do, and it is said in which way"
    fuzzing.tally("altered models", told)


def test_parts_that_claim_each_others_shapes_are_refused(originals, tmp_path):
    """No part of a file tells how much memory to take: what came does."""
    for claim in CLAIMS:
        arrays, description = artifact.read(originals[claim["kind"]])
        description["state"] |= claim["state"]
        artifact.write(tmp_path / "m", arrays, description)
        with pytest.raises(InputError):
            load(tmp_path / "m")


CLAIMS = [
    {"kind": "linear", "state": {"hidden_": 10**9}},
    {"kind": "linear", "state": {"hidden_": {"tuple": [2, 10**8]}}},
    {"kind": "linear", "state": {"hidden_": -1}},
    {"kind": "members", "state": {"hidden_": {"tuple": [10**5, 10**5]}}},
    {"kind": "members", "state": {"hidden_": {"tuple": [10**5, -(10**5), 10**5]}}},
    {"kind": "conv", "state": {"image_shape_": {"tuple": [10**5, 10**5]}}},
    {"kind": "conv", "state": {"hidden_": 10**9}},
    {"kind": "auto", "state": {"predictor_name_": "linear", "hidden_": 10**10}},
    {"kind": "auto", "state": {"n_features_in_": 10**12}},
]


# --- spoilt by accident -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["members", "mixed", "learned"])
def test_a_spoilt_file_is_refused(kind, originals, tmp_path):
    whole, rng = originals[kind].read_bytes(), random.Random(kind)
    told = Counter()
    for _ in range(150 * fuzzing.LONGER):
        spoilt = fuzzing.bytes_of(whole, rng)
        (tmp_path / "m").write_bytes(spoilt)
        said = fuzzing.outcome(lambda: use(tmp_path / "m", kind))
        assert (said == "fine") == (spoilt == whole), said
        told[said] += 1
    fuzzing.tally("models with spoilt bytes", told)


def header(path):
    """The JSON at the head of a file, and the bytes behind it."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(text, rest):
    return len(text).to_bytes(8, "little") + text + rest


def test_a_header_that_lies_is_refused(originals, tmp_path):
    rng, told = random.Random(0), Counter()
    for number in range(300 * fuzzing.LONGER):
        kind = "members" if number % 2 else "mixed"
        original, rest = header(originals[kind])
        lying = fuzzing.json_of(original, rng)
        (tmp_path / "m").write_bytes(with_header(json.dumps(lying).encode(), rest))
        said = fuzzing.outcome(lambda kind=kind: use(tmp_path / "m", kind))
        assert said != "fine" or lying == original
        told[said] += 1
    fuzzing.tally("models with another header", told)


LIES = {
    "nested": b"[" * 100_000,
    "nested objects": b'{"__metadata__":' * 50_000,
    "long number": b'{"__metadata__": {"robustae": "' + b"9" * 5000 + b'", "description": "", "sha256": ""}}',
    "other digits": '{"__metadata__": {"robustae": "١", "description": "", "sha256": ""}}'.encode(),
    "numbers": b'{"__metadata__": {"robustae": 1, "description": 2, "sha256": 3}}',
    "list": b'{"__metadata__": ["robustae", "description", "sha256"]}',
    "twice": b'{"__metadata__": {}, "__metadata__": {"robustae": "1", "description": "{}", "sha256": ""}}',
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_made_to_harm_is_refused(lie, tmp_path):
    (tmp_path / "m").write_bytes(with_header(LIES[lie], b"\0" * 64))
    with pytest.raises(InputError) as caught:
        load(tmp_path / "m")
    fuzzing.one_sentence(caught.value)


SHAPES = [[2**40], [2**20, 2**20], [0], [-1], [2**63], [2**200], [1.5], "8", None, [[8]], [8] * 1000]
PLACES = [[0, 2**40], [-8, 0], [8, 0], [0, 2**64], [2**63, 2**63 + 8], [0], None, "x", [0.5, 1]]


@pytest.mark.parametrize(
    "part, value", [("shape", s) for s in SHAPES] + [("data_offsets", p) for p in PLACES]
)
def test_arrays_larger_than_the_file_are_refused(part, value, originals, tmp_path):
    entries, rest = header(originals["linear"])
    entries["member0.location"][part] = value
    (tmp_path / "m").write_bytes(with_header(json.dumps(entries).encode(), rest))
    with pytest.raises(InputError) as caught:
        load(tmp_path / "m")
    fuzzing.one_sentence(caught.value)


def test_a_description_that_is_none_is_refused(tmp_path):
    deep = "[" * 5000 + "]" * 5000
    for text in ("", "null", "[]", '"members"', "{", '{"members": []}', deep, '{"state": ' + deep + "}"):
        metadata = {
            "robustae": str(artifact.FORMAT),
            "description": text,
            "sha256": artifact._digest({}, text),
        }
        (tmp_path / "m").write_bytes(with_header(json.dumps({"__metadata__": metadata}).encode(), b""))
        for read in (load, load_scene):
            with pytest.raises(InputError) as caught:
                read(tmp_path / "m")
            fuzzing.one_sentence(caught.value)


# --- what must not happen ---------------------------------------------------------------------------


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def traps(originals, mark):
    """Models that hold a pickle wherever bytes or texts go, and name things to be called."""
    pickled = pickle.dumps(Trap(mark))
    arrays, description = artifact.read(originals["linear"])
    bomb = np.frombuffer(pickled.ljust(-(-len(pickled) // 8) * 8, b"."), np.uint8)
    texts = [
        pickled.decode("latin-1"),
        f"__import__('os').mkdir({str(mark)!r})",
        "!!python/object/apply:os.mkdir",
    ]
    yield dict.fromkeys(arrays, bomb), description
    for name in arrays:
        yield arrays | {name: bomb}, description
    for text in texts:
        for key in description["state"]:
            yield arrays, description | {"state": description["state"] | {key: text}}
            called = {"object": text, "with": {"path": str(mark)}}
            yield arrays, description | {"state": description["state"] | {key: called}}


ALARMING = ("os.", "subprocess.", "pickle.", "socket.", "shutil.", "ctypes.", "exec", "compile", "import")


def load_watched(sender, folder, originals):
    """Load traps and altered models while every event that runs or opens something is noted."""
    rng, events = random.Random(1), []
    for number, (arrays, description) in enumerate(traps(originals, folder / "executed")):
        artifact.write(folder / f"trap{number}", arrays, description)
    for number in range(150):
        sealed(folder / f"altered{number}", "groups", originals, rng)
    names = sorted(folder.iterdir())
    fuzzing.outcome(lambda: load(originals["linear"]))  # what loading imports is imported
    fuzzing.outcome(lambda: load(originals["groups"]))
    watching = [True]

    def watch(event, details):
        writes = event == "open" and isinstance(details[1], str) and details[1].strip("rbt")
        if watching[0] and (writes or event.startswith(ALARMING)) and event != "os.fspath":
            events.append((event, str(details)[:80]))

    sys.addaudithook(watch)
    refused = sum(fuzzing.outcome(lambda path=path: load(path)) != "fine" for path in names)
    seen = list(events)
    pickle.loads(pickle.dumps(Trap(folder / "on purpose")))
    watching[0] = False
    sender.send((len(names), refused, seen, len(events) > len(seen)))


def test_nothing_is_ever_executed_opened_or_imported(originals, tmp_path):
    files, refused, events, awake = fuzzing.child(load_watched, tmp_path, originals)
    assert awake, "the watch sees what is unpickled"
    assert files > 200
    assert refused > 100
    assert events == []
    assert not (tmp_path / "executed").exists()


def load_in_little_memory(sender, folder, originals, spare):
    fuzzing.little_memory(spare)
    told = []
    for claim in CLAIMS:
        arrays, description = artifact.read(originals[claim["kind"]])
        description["state"] |= claim["state"]
        artifact.write(folder / "m", arrays, description)
        told.append(fuzzing.outcome(lambda: load(folder / "m")))
    entries, rest = header(originals["linear"])
    for shape in SHAPES:
        entries["member0.location"]["shape"] = shape
        (folder / "m").write_bytes(with_header(json.dumps(entries).encode(), rest))
        told.append(fuzzing.outcome(lambda: load(folder / "m")))
    sender.send(told)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is told by /proc here")
def test_no_claim_takes_memory(originals, tmp_path):
    told = fuzzing.child(load_in_little_memory, tmp_path, originals, 64 * MIB)
    assert len(told) == len(CLAIMS) + len(SHAPES)
    assert "fine" not in told


# --- the command line -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    labels = np.isin(np.arange(60), [0, 1, 2]).astype(int)
    np.savez(folder / "rows.npz", X=rows(), y=labels)
    np.save(folder / "film.npy", frames())
    return folder


COMMANDS = {
    "score": ["score", "{rows}", "--label", "y"],
    "split": ["split", "{rows}", "--label", "y", "--out", "{out}/parts"],
    "evaluate": ["evaluate", "{rows}", "--label", "y"],
    "report": ["report", "{rows}", "--label", "y", "--out", "{out}/page.html"],
    "video": ["video", "{film}", "--out", "{out}/film"],
}


def command(name, data, model, out):
    places = {"rows": data / "rows.npz", "film": data / "film.npy", "out": out}
    return [part.format(**places) for part in COMMANDS[name]] + ["--model", str(model)]


def check_said(name, code, said, before, out):
    assert code in (0, 2), said
    assert "Traceback" not in said
    if code:
        assert len(said.strip().splitlines()) == 1, said
        assert sorted(os.listdir(out)) == before, f"{name} wrote something"


@pytest.mark.parametrize("name", COMMANDS)
def test_no_traceback_at_the_command_line(name, originals, data, tmp_path):
    rng, codes = random.Random(name), []
    for number in range(20):
        out = tmp_path / str(number)
        out.mkdir()
        kind = rng.choice(SCENES if name == "video" else ["auto", "linear", "groups"])
        sealed(tmp_path / "m", kind, originals, rng)
        result = CliRunner().invoke(app, command(name, data, tmp_path / "m", out))
        check_said(name, result.exit_code, result.stderr, [], out)
        codes.append(result.exit_code)
    assert set(codes) == {0, 2}


def test_no_traceback_from_a_process(originals, data, tmp_path):
    arrays, description = artifact.read(originals["learned"])
    artifact.write(tmp_path / "m", {key: values[:1] for key, values in arrays.items()}, description)
    (tmp_path / "out").mkdir()
    line = [sys.executable, "-m", "robustae", *command("score", data, tmp_path / "m", tmp_path / "out")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    check_said("score", done.returncode, done.stderr, [], tmp_path / "out")
