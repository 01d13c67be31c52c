"""The lessons as notebooks: written whole, never over a learner's work, and running from top to bottom."""

import json
import time

import pytest
from typer.testing import CliRunner

from robustae.cli import app
from robustae.tutorial import write_lessons
from robustae.tutorial.lessons import LESSONS, SOLUTION, notebook
from robustae.utils.checks import InputError

jupytext = pytest.importorskip("jupytext", reason="notebooks are written by jupytext")

EXERCISES = {"feedback", "threshold"}


def cells(text, kind="code"):
    return [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == kind]


def exercises(text):
    return [cell for cell in cells(text) if "exercise" in cell["metadata"].get("tags", ())]


# Writing ------------------------------------------------------------------------------------------


def test_five_notebooks_are_written(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    paths = write_lessons(tmp_path / "lessons")
    assert [path.stem for path in paths] == list(LESSONS) and len(paths) == 5
    for path in paths:
        nbformat.validate(nbformat.read(path, as_version=4))


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_has_an_exercise_with_its_solution_folded_below(name):
    blank, solved = exercises(notebook(name)), exercises(notebook(name, solutions=True))
    folded = [cell for cell in cells(notebook(name), "markdown") if SOLUTION.search("".join(cell["source"]))]
    assert len(blank) == len(solved) == len(folded) > 0
    for before, after, below in zip(blank, solved, folded, strict=True):
        assert "..." in "".join(before["source"]) and "..." not in "".join(after["source"])
        assert "".join(after["source"]) in "".join(below["source"]) and "<details>" in "".join(
            below["source"]
        )


def test_writing_again_changes_nothing_and_replaces_what_nobody_worked_in(tmp_path):
    first = {path: path.read_bytes() for path in write_lessons(tmp_path / "new")}
    write_lessons(tmp_path / "new")
    assert all(path.read_bytes() == before for path, before in first.items())
    write_lessons(tmp_path / "new", solutions=True)
    assert all(path.read_bytes() != before for path, before in first.items())


def test_a_learners_work_and_other_files_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    path = write_lessons(tmp_path)[1]
    assert (tmp_path / "notes.txt").read_text() == "mine"
    path.write_text(path.read_text().replace("    ...", "    return r"))
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(InputError, match="has been worked in, .*: name a new folder"):
        write_lessons(tmp_path, solutions=True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_where_nothing_can_be_written_it_is_said(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "no" / "such", tmp_path / "file"):
        with pytest.raises(InputError, match="cannot write"):
            write_lessons(place)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_without_jupytext_the_extra_is_named(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(InputError, match=r"pip install 'robustae\[tutorial\]'"):
        write_lessons(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_from_the_command_line(tmp_path):
    done = CliRunner().invoke(
        app, ["tutorial", str(tmp_path / "a"), "--page", str(tmp_path / "p.html"), "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told["notebooks"]) == 5 and told["page"] == str(tmp_path / "p.html")
    assert (tmp_path / "p.html").stat().st_size > 10_000
    nothing = CliRunner().invoke(app, ["tutorial"])
    assert nothing.exit_code == 2 and "name a folder" in nothing.stderr
    wrong = CliRunner().invoke(app, ["tutorial", "--page", str(tmp_path / "p.txt")])
    assert wrong.exit_code == 2 and ".html" in wrong.stderr


# Running ------------------------------------------------------------------------------------------


@pytest.fixture
def away(tmp_path, monkeypatch):
    """No public data: the restaurant is the composed scene."""
    monkeypatch.delenv("ROBUSTAE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def executed(path):
    """Outputs of all cells; an exception in a cell is one here."""
    client, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    book = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    client.NotebookClient(book, timeout=120, kernel_name="python3", resources=resources).execute()
    return [output for cell in book.cells for output in cell.get("outputs", [])]


@pytest.mark.slow
def test_solved_lessons_run_and_show_pictures(tmp_path, away):
    start = time.monotonic()
    for path in write_lessons(tmp_path / "solved", solutions=True, quick=True):
        outputs = executed(path)
        assert any("image/png" in output.get("data", {}) for output in outputs), path.stem
        message = " ".join(output.get("text", "") or str(output.get("data", {})) for output in outputs)
        assert "still blank" not in message.lower() and "not yet" not in message.lower(), message
    assert time.monotonic() - start < 90


def as_a_learner_would(name, message):
    """Run the cells of a blank lesson in turn; returns the names they leave."""
    names = {"__name__": name}
    for cell in cells(notebook(name, quick=True)):
        lines = [line for line in cell["source"] if not line.startswith("%")]
        exec(compile("".join(lines), name, "exec"), names)
    return names, message.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_blank_lessons_say_so_and_run_on(name, away, capsys):
    import matplotlib

    matplotlib.use("agg")
    names, message = as_a_learner_would(name, capsys)
    checks = [names[each] for each in EXERCISES & names.keys()]
    assert all(check.verdict == "still blank" for check in checks)
    assert checks or "Still blank" in message
