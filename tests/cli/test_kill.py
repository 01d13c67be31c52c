"""kill -9 at any moment: what was asked for is there whole or not at all, and the next run succeeds."""

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter

import fuzzing
import numpy as np
import pytest
from clips import pictures

from robustae import load
from robustae.data import read_table
from robustae.data.clips import open_clip
from robustae.data.writers import write_matrix
from robustae.images import load as load_images
from robustae.video.stored import load_scene

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system"),
]

MOMENTS = 2 if fuzzing.LONGER == 1 else 50
STEPS = 2 if fuzzing.LONGER == 1 else 10_000  # the last so many, just before files are opened or renamed
ROWS, FRAMES, PICTURES = 300, 12, 8
WORK = {
    "fit": "fit rows.csv --model m.rae --set max_iter=30",
    "score": "score rows.csv --model old.rae --out scores.csv",
    "score in batches": "score rows.csv rows.csv --model old.rae --out scores.parquet",
    "split": "split rows.csv --model old.rae --out parts",
    "report": "report rows.csv --model old.rae --out page.html",
    "video": "video film.npy --out film --save scene.rae",
    "images": "images pictures.npy --out found",
    "watch": "watch --model old.rae --adapt --save new.rae",
}
EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir")


@pytest.fixture(scope="module")
def server():
    """Processes that have imported everything already: a second each would be spent on that."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "robustae.estimators.autoencoder",
            "robustae.cli",
            "robustae.video",
            "robustae.images",
            "pyarrow",
            "av",
        ]
    )
    return context


@pytest.fixture(scope="module")
def place(tmp_path_factory, server):
    """Rows, a film and a model, and nothing else."""
    folder = tmp_path_factory.mktemp("kill")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(ROWS, 8))
    X[:20] += 9
    write_matrix(folder / "rows.csv", X, list("abcdefgh"))
    np.save(folder / "film.npy", pictures(FRAMES, 32, 48))
    np.save(folder / "pictures.npy", rng.random((PICTURES, 20, 20)))
    assert ended(server, folder, "fit rows.csv --model old.rae") == 0
    return folder


def work(folder, line, step, count):
    """Run a command as its own program would; die before the file event of number `step`."""
    watch_files(str(folder), step, count)
    run(folder, line)


def work_in_little_room(folder, line, room, dies):
    """Run a command, no file of which may grow beyond `room` bytes: there it dies, or the disk is full."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if dies else signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    run(folder, line)


def run(folder, line):
    os.chdir(folder)
    os.dup2(os.open("rows.csv", os.O_RDONLY), 0)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    from robustae.cli import main

    sys.argv = ["robustae", *line.split()]
    main()


def watch_files(folder, step, count):
    def watch(event, details):
        if event in EVENTS and _changes(event, details, folder):
            count.value += 1
            if count.value == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def _changes(event, details, folder):
    """Whether an event is about to change what lies in the folder."""
    reads = event == "open" and not (details[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    known = isinstance(details[0], str | bytes | os.PathLike)  # a number is of a file open already
    return not reads and known and os.path.abspath(os.fsdecode(details[0])).startswith(folder + os.sep)


def started(server, folder, line, step=0, count=None):
    count = server.RawValue("i", 0) if count is None else count
    process = server.Process(target=work, args=(folder, line, step, count))
    process.start()
    return process


def ended(server, folder, line, step=0, count=None):
    """Exit code of a command, -9 where it killed itself."""
    return code_of(started(server, folder, line, step, count), line)


def code_of(process, line):
    process.join(120)
    if process.exitcode is None:
        process.kill()
        pytest.fail(f"still running after 120 s: {line}")
    return process.exitcode


def kill_after(server, folder, line, seconds):
    process = started(server, folder, line)
    time.sleep(seconds)
    process.kill()
    process.join()


@contextlib.contextmanager
def copy_of(place):
    folder = place.with_name(f"{place.name}-{random.getrandbits(40):x}")
    shutil.copytree(place, folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


# --- what a whole output is -------------------------------------------------------------------------


def check_scores(path, rows):
    table = read_table(path)
    assert table.values.shape == (rows, 3 if "row" in table.spare else 4)
    assert np.isfinite(table.values).all()


def check_parts(folder):
    names = {f"{name}.csv" for name in ("reconstruction", "outliers", "repaired", "flags")}
    assert set(os.listdir(folder)) == names | {"explain.csv"}
    for name in names:
        assert read_table(folder / name).values.shape == (ROWS, 8)
    assert (folder / "explain.csv").read_text().endswith("\n")


def check_page(path):
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")


def check_film(folder):
    check_page(folder / "index.html")
    assert json.loads((folder / "summary.json").read_text())["frames_done"] == FRAMES
    for film in folder.glob("*.mp4"):
        assert sum(map(len, open_clip(film).batches())) == FRAMES


def check_found(folder):
    check_page(folder / "index.html")
    assert json.loads((folder / "summary.json").read_text())
    assert len((folder / "scores.csv").read_text().splitlines()) == 1 + PICTURES
    load_images(folder / "model.rae")


CHECKS = {
    "m.rae": load,
    "new.rae": load,
    "found": check_found,
    "scores.csv": lambda path: check_scores(path, ROWS),
    "scores.parquet": lambda path: check_scores(path, 2 * ROWS),
    "parts": check_parts,
    "page.html": check_page,
    "film": check_film,
    "scene.rae": load_scene,
}


def check_whole(folder, place):
    """Whatever is there is whole, the files that were there are untouched, and all else is hidden."""
    for name in os.listdir(folder):
        if name in CHECKS:
            CHECKS[name](folder / name)
        elif not name.startswith(".robustae-"):
            assert (folder / name).read_bytes() == (place / name).read_bytes()


def outputs(folder):
    return {name for name in os.listdir(folder) if name in CHECKS}


# --- the moments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORK)
def test_killed_before_a_file_is_touched(name, place, server):
    line, told, count = WORK[name], Counter(), server.RawValue("i", 0)
    with copy_of(place) as whole:
        assert ended(server, whole, line, count=count) == 0
        wanted, steps = outputs(whole), range(1, count.value + 1)
        assert wanted and len(steps) > 1
        for step in steps[-STEPS:]:
            # In turn there is nothing yet, and an output to be replaced.
            with copy_of(whole if step % 2 else place) as folder:
                assert ended(server, folder, line, step) == -signal.SIGKILL
                check_whole(folder, place)
                assert ended(server, folder, line) == 0, "the next run succeeds"
                check_whole(folder, place)
                assert outputs(folder) == wanted
                told["fine"] += 1
    fuzzing.tally(f"killed at a file: {name}", told)


def in_little_room(server, folder, name, room, dies):
    process = server.Process(target=work_in_little_room, args=(folder, WORK[name], room, dies))
    process.start()
    return code_of(process, name)


def sizes(folder):
    """Bytes of all files of the outputs, the smallest first."""
    outs = [folder / name for name in outputs(folder)]
    files = [file for out in outs for file in (out.rglob("*") if out.is_dir() else [out]) if file.is_file()]
    return sorted(file.stat().st_size for file in files)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="files cannot be limited in size on this system")
@pytest.mark.parametrize("name", WORK)
def test_killed_in_the_middle_of_a_file(name, place, server):
    told = Counter()
    with copy_of(place) as whole:
        assert ended(server, whole, WORK[name]) == 0
        wanted, largest = outputs(whole), sizes(whole)[-1]
        for room, before in ((largest // 2, place), (largest - 1, whole), (0, whole)):
            told["fine"] += 1
            with copy_of(before) as folder:
                assert in_little_room(server, folder, name, room, dies=True) == -signal.SIGXFSZ
                check_whole(folder, place)
                assert ended(server, folder, WORK[name]) == 0, "the next run succeeds"
                check_whole(folder, place)
                assert outputs(folder) == wanted
    fuzzing.tally(f"killed in a file: {name}", told)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="files cannot be limited in size on this system")
@pytest.mark.parametrize("name", WORK)
def test_a_disk_that_is_full_leaves_what_was_there(name, place, server):
    with copy_of(place) as whole:
        assert ended(server, whole, WORK[name]) == 0
        before, room = contents(whole), sizes(whole)[-1] // 2
        assert in_little_room(server, whole, name, room, dies=False) == 2
        changed = {path for path, data in contents(whole).items() if data != before.get(path)}
        assert changed <= {whole / "scene.rae"}, "of two outputs one may be there before the other is begun"
        check_whole(whole, place)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", WORK)
def test_killed_at_a_random_moment(name, place, server):
    rng, line, told = random.Random(name), WORK[name], Counter()
    with copy_of(place) as folder:
        begin = time.perf_counter()
        assert ended(server, folder, line) == 0
        seconds, wanted = time.perf_counter() - begin, outputs(folder)
        for number in range(MOMENTS):  # at first there is nothing, later an output to be replaced
            if number % 3 == 0:
                clear(folder)
            kill_after(server, folder, line, rng.uniform(0, seconds))
            check_whole(folder, place)
            told["fine"] += 1
        assert ended(server, folder, line) == 0, "the next run succeeds"
        check_whole(folder, place)
        assert outputs(folder) == wanted
    fuzzing.tally(f"killed at a random moment: {name}", told)


def clear(folder):
    for out in outputs(folder):
        shutil.rmtree(folder / out) if (folder / out).is_dir() else (folder / out).unlink()
