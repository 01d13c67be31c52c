"""Fits that are stopped, killed or out of disk: what goes on from a checkpoint ends as if never stopped."""

import os
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from ranks import answers, started, together
from source_fits import FEW, QUICK, state, table, users

from robustae import RobustAutoencoder, load
from robustae.fit import artifact
from robustae.fit.distributed import PeerLost
from robustae.penalties import L1, Trimmed
from robustae.utils.checks import InputError

pytestmark = pytest.mark.processes
SETTINGS = QUICK | {"predictor": "deep", "solver": FEW, "max_iter": 3}
SETTINGS_OF = {
    "deep": SETTINGS,
    "linear": SETTINGS | {"predictor": "linear"},
    "trimmed": SETTINGS | {"predictor": "deep", "penalty": Trimmed(0.1, L1())},
    "module": SETTINGS | {"predictor": users()},
    "seedless": SETTINGS | {"random_state": None},
}
STEPS = 8  # in an epoch


class Crash(Exception):
    """What a fit does not expect."""


class At:
    """A progress callback that does something after so many steps."""

    def __init__(self, step, act):
        self.left, self.act = step, act

    def __call__(self, what, rows, of):
        self.left -= what == "fit"
        if self.left == 0:
            self.act()


def crash():
    raise Crash


def fit(file, folder, settings=SETTINGS, **options):
    return RobustAutoencoder(**settings).fit_source(file, checkpoint=folder, **{"every": 0} | options)


def crashed(file, folder, step, settings=SETTINGS):
    with pytest.raises(Crash):
        fit(file, folder, settings, progress=At(step, crash))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    np.save(path, table()[0])
    return path


@pytest.fixture(scope="module")
def whole(file):
    """The state of a fit that nothing stopped."""
    return state(RobustAutoencoder(**SETTINGS).fit_source(file))


def refusal(function, *arguments, **options):
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    sentence = str(caught.value)
    assert sentence and "\n" not in sentence
    return sentence


# ---------------------------------------------------------------- going on


@pytest.mark.parametrize("name", SETTINGS_OF)
@pytest.mark.parametrize("step", [1, STEPS - 1, STEPS + 3])
def test_a_fit_that_crashed_goes_on_to_the_same_model(file, tmp_path, name, step):
    settings = SETTINGS_OF[name]
    crashed(file, tmp_path / "ck", step, settings)
    again = fit(file, tmp_path / "ck", settings, resume=True)
    if name != "seedless":
        assert state(again) == state(RobustAutoencoder(**settings).fit_source(file))
    assert state(fit(file, tmp_path / "ck", settings, resume=True)) == state(again)


def go_on(rank, file, folder):
    return state(fit(file, folder, resume=True))


def test_another_number_of_processes_goes_on_to_the_same_model(file, tmp_path, whole):
    for size in (2, 3):
        crashed(file, tmp_path / str(size), STEPS + 2)
        assert together(size, go_on, file, tmp_path / str(size)) == [whole] * size


def crash_together(rank, file, folder):
    try:
        fit(file, folder, progress=At(STEPS + 2, crash))
    except Crash:
        return "crashed"


def test_what_several_began_one_ends(file, tmp_path, whole):
    assert together(2, crash_together, file, tmp_path) == ["crashed", "crashed"]
    assert state(fit(file, tmp_path, resume=True)) == whole


def test_resuming_where_there_is_nothing_begins(file, tmp_path, whole):
    assert state(fit(file, tmp_path / "new" / "folder", resume=True)) == whole


def test_two_checkpoints_are_kept_and_the_rows_only_until_the_end(file, tmp_path):
    crashed(file, tmp_path, 5)
    assert len(list(tmp_path.glob("*.ckpt"))) == 2 and (tmp_path / "rows").is_dir()
    fit(file, tmp_path, resume=True)
    names = sorted(path.name for path in tmp_path.iterdir() if path.name != ".lock")
    assert len(names) == 2 and all(name.endswith(".ckpt") for name in names)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(file, tmp_path, whole):
    crashed(file, tmp_path, 5)
    latest = max(tmp_path.glob("*.ckpt"))
    latest.write_bytes(latest.read_bytes()[:-7])
    with pytest.warns(UserWarning, match=latest.name):
        assert state(fit(file, tmp_path, resume=True)) == whole
    for path in tmp_path.glob("*.ckpt"):
        path.write_bytes(b"nothing")
    with pytest.warns(UserWarning, match="cannot be read"):
        assert "can be read" in refusal(fit, file, tmp_path, resume=True)


def test_a_checkpoint_is_not_taken_for_a_model(file, tmp_path):
    crashed(file, tmp_path, 2)
    with pytest.raises(InputError, match="checkpoint"):
        load(max(tmp_path.glob("*.ckpt")))


# ---------------------------------------------------------------- what is another fit's


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mu": 1e-3}, "mu"),
        ({"hidden": 3}, "hidden"),
        ({"max_iter": 4}, "max_iter"),
        ({"random_state": 1}, "1"),
    ],
)
def test_other_parameters_are_refused_by_name(file, tmp_path, change, word):
    crashed(file, tmp_path, 2)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.ckpt")}
    assert word in refusal(fit, file, tmp_path, SETTINGS | change, resume=True)
    assert before == {path: path.read_bytes() for path in tmp_path.glob("*.ckpt")}


def test_other_data_are_refused(file, tmp_path):
    crashed(file, tmp_path / "ck", 2)
    X = np.load(file)
    for name, other, word in (
        ("less", X[:-1], "rows"),
        ("wider", X[:, :5], "columns"),
        ("cell", X + 1, "data"),
    ):
        np.save(tmp_path / f"{name}.npy", other)
        assert word in refusal(fit, tmp_path / f"{name}.npy", tmp_path / "ck", resume=True)


def test_the_same_rows_elsewhere_are_the_same_data(file, tmp_path, whole):
    crashed(file, tmp_path / "ck", 2)
    (tmp_path / "copy.npy").write_bytes(file.read_bytes())
    assert state(fit(tmp_path / "copy.npy", tmp_path / "ck", resume=True)) == whole


def test_a_folder_with_a_checkpoint_is_not_overwritten(file, tmp_path):
    crashed(file, tmp_path, 2)
    assert "resume" in refusal(fit, file, tmp_path)


def test_two_fits_do_not_share_a_folder(file, tmp_path):
    within = []

    def another():
        within.append(refusal(fit, file, tmp_path, resume=True))

    fit(file, tmp_path, progress=At(3, another))
    assert "another fit is writing" in within[0]


# ---------------------------------------------------------------- no room, no permission


def test_no_permission_is_said_before_any_work(file, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert "no permission" in refusal(fit, file, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_the_folder_is_said(file, tmp_path):
    (tmp_path / "ck").write_text("mine")
    assert "cannot make the folder" in refusal(fit, file, tmp_path / "ck")
    assert (tmp_path / "ck").read_text() == "mine"


def test_a_full_disk_leaves_the_checkpoint_before(file, tmp_path, monkeypatch, whole):
    from robustae.utils import files

    def full(*_):
        raise OSError(28, "No space left on device")

    def fill():
        monkeypatch.setattr(files.os, "fsync", full)

    sentence = refusal(fit, file, tmp_path, progress=At(STEPS + 1, fill))
    assert "No space left" in sentence and ".ckpt" in sentence
    assert not list(tmp_path.glob(".robustae-*"))
    monkeypatch.undo()
    assert state(fit(file, tmp_path, resume=True)) == whole


# ---------------------------------------------------------------- stopped


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_keeps_the_fit_so_far_and_the_checkpoint(file, tmp_path, whole):
    with pytest.warns(UserWarning, match="interrupted after 3 of 8 steps of epoch 2"):
        model = fit(file, tmp_path, every=1e9, progress=At(STEPS + 2, interrupt))
    assert model.n_iter_ == 1 and np.isfinite(model.score_samples(table()[0])).all()
    assert state(model) != whole
    assert state(fit(file, tmp_path, resume=True)) == whole


def stop_first(rank, file, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        act = interrupt if rank == 0 else lambda: None
        model = fit(file, folder, every=1e9, progress=At(STEPS + 2, act))
    return model.status_, state(model)


def test_ctrl_c_in_one_process_stops_all_alike(file, tmp_path, whole):
    one, other = together(2, stop_first, file, tmp_path)
    assert one == other and "interrupted" in one[0]
    assert together(2, go_on, file, tmp_path) == [whole, whole]


# ---------------------------------------------------------------- killed


def killed_at(rank, file, folder, step):
    act = (lambda: os.kill(os.getpid(), signal.SIGKILL)) if rank == 1 else (lambda: None)
    try:
        fit(file, folder, progress=At(step, act))
    except PeerLost as error:
        return str(error)


def test_the_others_end_with_a_sentence_when_one_is_killed(file, tmp_path, whole):
    begin = time.monotonic()
    found = answers(started(3, killed_at, file, tmp_path, STEPS + 3))
    assert found[1] is None
    for good, sentence in (found[0], found[2]):
        assert good and "has ended" in sentence and "\n" not in sentence
    assert time.monotonic() - begin < 60
    assert together(2, go_on, file, tmp_path) == [whole, whole]


def silent_at(rank, file, folder, step):
    os.environ["ROBUSTAE_TIMEOUT"] = "4"
    act = (lambda: os.kill(os.getpid(), signal.SIGSTOP)) if rank == 1 else (lambda: None)
    try:
        fit(file, folder, progress=At(step, act))
    except PeerLost as error:
        return str(error)


def test_the_others_do_not_wait_for_ever_for_one_that_is_silent(file, tmp_path):
    (first, one), (second, other) = started(2, silent_at, file, tmp_path, STEPS + 3)
    try:
        assert one.poll(60)
        good, sentence = one.recv()
        assert good and "cannot be reached" in sentence
    finally:
        second.kill()
        other.close()


def fit_and_save(rank, file, folder, out):
    fit(file, folder, resume=True, every=0.02).save(out)


def check_whole(folder, out):
    """Nothing that has a name is half written."""
    for path in folder.glob("*.ckpt"):
        artifact.read(path)
    if out.exists():
        load(out)


def test_kills_at_random_moments_lead_to_the_same_model(file, tmp_path, whole):
    folder, out = tmp_path / "ck", tmp_path / "m.rae"
    begin = time.monotonic()
    together(1, fit_and_save, file, tmp_path / "calm", tmp_path / "calm.rae")
    span = time.monotonic() - begin
    rng = np.random.default_rng(3)
    for _ in range(6):
        ((child, receiver),) = started(1, fit_and_save, file, folder, out)
        time.sleep(rng.uniform(0.3, 1) * span)
        child.kill()
        child.join()
        receiver.close()
        check_whole(folder, out)
    together(1, fit_and_save, file, folder, out)
    assert state(load(out)) == whole
    assert not list(folder.rglob(".robustae-*")) and not (folder / "rows").exists()
    found, calm = (artifact.read(path) for path in (out, tmp_path / "calm.rae"))
    assert found[1] == calm[1] and found[0].keys() == calm[0].keys()
    assert all(found[0][name].tobytes() == calm[0][name].tobytes() for name in calm[0])


ALTERED = [{"model": {"members": [], "state": 3}}, {"history": None}, {"epoch": "one"}]


@pytest.mark.parametrize("change", ALTERED)
def test_altered_checkpoints_are_one_sentence(file, tmp_path, change):
    """Whoever alters one writes its checksum, too."""
    crashed(file, tmp_path / "c", 3)
    for path in (tmp_path / "c").glob("*.ckpt"):
        arrays, described = artifact.read(path)
        artifact.write(path, arrays, {"checkpoint": described["checkpoint"] | change})
    with pytest.raises(InputError):
        fit(file, tmp_path / "c", resume=True)
