"""What is not whole yet has a name of its own; what killed processes left is cleared away, nothing else."""

import multiprocessing
import os
import time

import pytest

from robustae.utils import temporaries
from robustae.utils.checks import InputError
from robustae.utils.files import replacing, replacing_folder, write_text

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="other systems cannot be asked whether a process lives"
)


def gone():
    """The number of a process that has ended."""
    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()
    process.join()
    return process.pid


def left_of(target, pid, seconds=0, host=None):
    """A file left of a target by a process, unchanged for so many seconds."""
    left = target.with_name(f".robustae-{target.name[:20]}-{host or temporaries._host()}-{pid}-89abcdef.tmp")
    left.write_text("half")
    os.utime(left, (time.time() - seconds,) * 2)
    return left


def test_what_a_killed_process_left_goes_with_the_next_run(tmp_path):
    target = tmp_path / ("a long name " * 10)
    left = left_of(target, gone(), 100)
    write_text(target, "whole")
    assert os.listdir(tmp_path) == [target.name] and not left.exists()


@pytest.mark.parametrize(
    "why", ["alive", "just changed", "another machine's", "another target's", "no name of ours"]
)
def test_what_may_still_be_written_stays(why, tmp_path):
    target = tmp_path / "scores.csv"
    left = {
        "alive": lambda: left_of(target, os.getppid(), 100),
        "just changed": lambda: left_of(target, gone()),
        "another machine's": lambda: left_of(target, gone(), 100, "01234567"),
        "another target's": lambda: left_of(tmp_path / "scores.csv.parquet", gone(), 100),
        "no name of ours": lambda: tmp_path / ".robustae-mine.tmp",
    }[why]()
    left.touch()
    os.utime(left, (time.time() - (why != "just changed") * 100,) * 2)
    write_text(target, "whole")
    assert left.exists() and target.read_text() == "whole"


def test_the_old_folder_of_a_run_killed_between_two_renamings_is_not_cleared_away(tmp_path, monkeypatch):
    for text in ("old", "new"):
        if text == "new":
            monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # as where it is killed just before
        with replacing_folder(tmp_path / "parts", ["a"]) as folder:
            (folder / "a").write_text(text)
    monkeypatch.undo()
    write_text(tmp_path / "parts2", "")
    with replacing_folder(tmp_path / "parts", ["a"]) as folder:
        (folder / "a").write_text("newest")
    kept = [path for path in tmp_path.iterdir() if path.name.endswith(".old")]
    assert [(path / "a").read_text() for path in kept] == ["old"]


@pytest.mark.parametrize(
    "error", [OSError("the line is dead"), FileNotFoundError(2, "gone", "their.csv"), TimeoutError()]
)
def test_an_error_of_those_who_bring_the_rows_is_not_one_of_writing(error, tmp_path):
    with pytest.raises(type(error)) as caught, replacing(tmp_path / "x"):
        raise error
    assert caught.value is error
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), OSError("8 requested and 0 written")]
)
def test_an_error_of_writing_is_one_sentence(error, tmp_path):
    with pytest.raises(InputError, match="cannot write"), replacing(tmp_path / "x"):
        raise error
