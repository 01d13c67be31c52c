"""`robustae fit` in batches: files, folders, checkpoints, several processes under torchrun."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ranks import free_port
from source_fits import state, table
from test_cli import facts, refused, run

from robustae import load

QUICK = ("--predictor", "linear", "--set", "hidden=2", "--set", "batch_size=200", "--epochs", "2")


@pytest.fixture
def folder(tmp_path):
    X = table()[0]
    np.save(tmp_path / "t.npy", X)
    np.savetxt(tmp_path / "t.csv", np.column_stack([np.nan_to_num(X), np.zeros(len(X))]), "%.9g", ",",
               header="a,b,c,d,e,f,bad", comments="")  # fmt: skip
    (tmp_path / "parts").mkdir()
    for k, part in enumerate(np.array_split(X, 3)):
        np.save(tmp_path / "parts" / f"{k}.npy", part)
    return tmp_path


def test_a_folder_several_files_and_a_pattern_are_one_table(folder):
    data = (["parts"], ["parts/0.npy", "parts/1.npy", "parts/2.npy"], ["parts/*.npy"], ["t.npy", "--stream"])
    models = []
    for k, names in enumerate(data):
        told = facts(folder, "fit", *names, "--model", f"{k}.rae", *QUICK)
        assert (told["rows"], told["columns"], told["epochs"]) == (1500, 6, 2)
        models.append(state(load(folder / f"{k}.rae")))
    assert all(model == models[0] for model in models)


def test_a_label_is_left_out_and_columns_keep_their_names(folder):
    result = run(folder, "fit", "t.csv", "--stream", "--label", "bad", "--model", "m.rae", *QUICK)
    assert result.exit_code == 0, result.output
    assert "1500 rows, 6 columns" in result.output and "2 epochs" in result.output
    assert load(folder / "m.rae").feature_names_in_.tolist() == list("abcdef")
    scored = run(folder, "score", "t.csv", "--label", "bad", "--model", "m.rae")
    assert scored.exit_code == 0, scored.output


def test_what_does_not_fit_into_memory_is_read_in_batches(folder, monkeypatch):
    from robustae.cli import fit as command

    small = ("fit", "t.npy", "--model", "m.rae", "--predictor", "linear", "--set", "hidden=2")
    assert "epochs" not in facts(folder, *small)
    monkeypatch.setattr(command, "_free", lambda: 100_000)
    assert "epochs" in facts(folder, *small)


def test_a_process_that_lacks_the_file_says_so_itself(folder, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    said = refused(folder, "fit", "gone.npy", "--model", "m.rae", *QUICK)
    assert "Process 1 on" in said and "no file 'gone.npy'" in said


def test_what_a_fit_without_epochs_has_no_use_for_is_said(folder):
    said = run(folder, "fit", "t.npy", "--model", "m.rae", "--checkpoint", "ck", "--resume").stderr
    assert "Note: --checkpoint and --resume are not used" in said
    assert "not used" not in run(folder, "fit", "t.npy", "--model", "m.rae", *QUICK).stderr


def test_many_rows_in_several_files_may_hold_texts_where_they_fit_into_memory(folder, monkeypatch):
    from robustae import RobustAutoencoder
    from robustae.cli import fit as command

    rng = np.random.default_rng(0)
    (folder / "mixed").mkdir()
    for name in "ab":
        rows = [
            f"{x:.2f},{word}\n"
            for x, word in zip(rng.normal(size=10_400), rng.choice(["r", "s"], 10_400), strict=True)
        ]
        (folder / "mixed" / f"{name}.csv").write_text("x,word\n" + "".join(rows))
    fit = ("fit", "mixed", "--model", "m.rae", "--predictor", "constant")
    assert facts(folder, *fit)["kinds"] == {"number": 1, "category": 1}
    model = RobustAutoencoder(predictor="constant", random_state=0).fit(folder / "mixed")
    assert model.offset_ == pytest.approx(load(folder / "m.rae").offset_)
    monkeypatch.setattr(command, "_free", lambda: 100_000)
    assert "a part of the rows that fits into memory" in refused(folder, *fit)


def test_a_checkpoint_goes_on_only_when_asked(folder):
    fit = ("fit", "t.npy", "--model", "m.rae", *QUICK, "--checkpoint", "ck")
    first = facts(folder, *fit)
    assert "--resume" in refused(folder, *fit)
    assert facts(folder, *fit, "--resume")["objective"] == first["objective"]
    assert "mu was 0.0001" in refused(folder, *fit, "--resume", "--set", "mu=0.1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("t.npy", "--resume"), "--checkpoint"),
        (("parts", "nothing.npy"), "nothing.npy"),
        (("t.npy", "t.csv"), "column"),
        (("t.npy", "--stream", "--set", "n_estimators=2"), "n_estimators"),
        (("t.npy", "--checkpoint", "t.csv"), "t.csv"),
    ],
)
def test_what_cannot_be_fitted_is_said(folder, arguments, words):
    assert words in refused(folder, "fit", *arguments, "--model", "m.rae")


def test_the_model_does_not_replace_the_data(folder):
    assert "replace the data" in refused(folder, "fit", "parts/0.npy", "t.npy", "--model", "t.npy")


# ---------------------------------------------------------------- processes


def launched(folder, size, *arguments, **more):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", size]
    command += ["--master-port", free_port(), "-m", "robustae", *arguments]
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


@pytest.mark.slow
@pytest.mark.processes
def test_under_torchrun_only_the_first_process_prints_and_the_model_is_the_same(folder):
    fit = ("fit", "t.npy", *QUICK, "--stream", "--json", "--model")
    out, err = launched(folder, 2, *fit, "two.rae").communicate(timeout=120)
    told = json.loads(out)  # one object: two would not be JSON
    assert told["rows"] == 1500 and "Traceback" not in err and "Warning" not in err
    facts(folder, *fit[:-2], "--model", "one.rae")
    assert state(load(folder / "one.rae")) == state(load(folder / "two.rae"))


@pytest.mark.slow
@pytest.mark.processes
def test_under_torchrun_a_refusal_is_one_sentence(folder):
    process = launched(folder, 2, "fit", "t.npy", "--model", "m.rae", "--set", "solver=lbfgs")
    _, err = process.communicate(timeout=120)
    ours = [line for line in err.splitlines() if line.startswith("Error:")]
    assert process.returncode != 0 and len(ours) == 1 and "lbfgs" in ours[0]
    assert 'File "' not in err.split("torch.distributed.elastic")[0].split("Traceback")[0]
    assert not (folder / "m.rae").exists()


def children_of(process):
    """Processes that a launcher started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.05)


LONG = (*QUICK[:-1], "3000", "--checkpoint", "ck")


@pytest.mark.slow
@pytest.mark.processes
def test_the_peer_of_a_killed_process_ends_with_one_sentence(folder):
    process = launched(folder, 2, "fit", "t.npy", "--model", "m.rae", *LONG)
    wait_for(lambda: list(folder.glob("ck/epoch00001*.ckpt")))
    os.kill(children_of(process)[-1], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    ours = err.split("Traceback")[0]  # the launcher's own comes last
    assert "has ended or cannot be reached" in ours and "src/robustae/" not in err
    assert not (folder / "m.rae").exists()


@pytest.mark.slow
@pytest.mark.processes
def test_ctrl_c_on_the_launcher_keeps_the_model_so_far(folder):
    process = launched(folder, 2, "fit", "t.npy", "--model", "m.rae", *LONG)
    wait_for(lambda: list(folder.glob("ck/epoch00001*.ckpt")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "interrupted after" in out and "src/robustae/" not in err
    assert np.isfinite(load(folder / "m.rae").score_samples(table()[0])).all()


@pytest.mark.slow
@pytest.mark.processes
def test_ctrl_c_on_one_process_keeps_the_model_so_far(folder):
    words = [sys.executable, "-m", "robustae", "fit", "t.npy", "--model", "m.rae", *LONG]
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(folder.glob("ck/epoch00001*.ckpt")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted after" in out and "Traceback" not in err
    assert load(folder / "m.rae").status_.startswith("interrupted")
