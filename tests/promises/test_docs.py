"""README and docs say what the package does: examples run, names and commands exist, links lead somewhere."""

import ast
import doctest
import re
import sys
from importlib import import_module
from pathlib import Path
from types import GenericAlias

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md"), *(DOCS / "guide").glob("*.md")])
EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))
REFERENCE = {*re.findall(r"^ {3}([a-zA-Z][\w.]*)$", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE)}
PARTLY = {
    "data",
    "data.column_kinds",
    "data.columns",
    "fit.mixed",
    "utils.checks",
}  # beside what users need they hold what the package needs


def fenced(page, language):
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands():
    """(page, command words) of every `robustae` call shown in a console block."""
    for page in PAGES:
        for line in "".join(fenced(page, "console")).replace("\\\n", " ").splitlines():
            if line.startswith("$ robustae "):
                yield pytest.param(line.split("#")[0].split()[2:], id=f"{page.stem}: {line[2:60]}")


@pytest.mark.parametrize("page", [p for p in PAGES if fenced(p, "python")], ids=lambda p: p.stem)
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": page.stem}
    for block in fenced(page, "python"):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("words", list(commands()))
def test_commands_and_their_options_exist(words):
    from typer.main import get_command

    from robustae.cli import app

    command = get_command(app)
    while getattr(command, "commands", None) and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    asked = {word.split("=")[0] for word in words if word.startswith("-")}
    assert not getattr(command, "commands", None) or words[0].startswith("-")
    assert asked <= known


# The reference ------------------------------------------------------------------------------------


def public_modules():
    """Those that the reference has names of; "" is the top."""
    return sorted({name.rpartition(".")[0] for name in REFERENCE})


def in_reference(module, name):
    """Whether a name has an entry, under its module or at the top."""
    return name.startswith("__") or f"{module}.{name}".lstrip(".") in REFERENCE or name in REFERENCE


@pytest.mark.parametrize("module", [m for m in public_modules() if m not in PARTLY])
def test_reference_lists_every_public_name(module):
    home = import_module(f"robustae.{module}".rstrip("."))
    names = [name for name in home.__all__ if not isinstance(getattr(home, name), GenericAlias)]
    assert names and [name for name in names if not in_reference(module, name)] == []


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_what_the_reference_lists_is_public(name):
    module, _, last = name.rpartition(".")
    assert last in import_module(f"robustae.{module}".rstrip(".")).__all__


def imported(source):
    """(module, name) of what a piece of code imports from the package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "robustae":
            yield from (((node.module or "").partition(".")[2], alias.name) for alias in node.names)


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=lambda p: p.stem)
def test_reference_lists_what_the_pages_use(page):
    code = page.read_text("utf-8") if page.suffix == ".py" else "\n".join(fenced(page, "python"))
    assert [(m, name) for m, name in imported(code) if not in_reference(m, name)] == []


# Doctests and examples ----------------------------------------------------------------------------


def with_doctests():
    """Modules whose docstrings show what comes out."""
    source = ROOT / "src"
    for path in sorted((source / "robustae").rglob("*.py")):
        if ">>> " in path.read_text("utf-8"):
            yield ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("module", list(with_doctests()))
def test_docstrings_show_what_comes_out(module):
    done = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert done.attempted and not done.failed


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_gallery_scripts_run_and_draw(path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    plots = pytest.importorskip("matplotlib.pyplot")
    plots.switch_backend("agg")
    plots.close("all")
    exec(compile(path.read_text("utf-8"), str(path), "exec"), {"__name__": "__main__"})
    drawn = plots.get_fignums()
    plots.close("all")
    assert drawn


# Links --------------------------------------------------------------------------------------------


def test_links_of_readme_and_changes_lead_to_files():
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"):
        for address in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / address).exists(), (page.name, address)


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Troubles of a little site made of pages given by name."""
    monkeypatch.syspath_prepend(str(DOCS))
    checker = import_module("_links")

    def walking(**pages):
        for name, body in pages.items():
            (tmp_path / f"{name}.html").write_text(f"<!doctype html><title>x</title>{body}")
        return list(checker.troubles(tmp_path))

    yield walking
    sys.modules.pop("_links")


def test_sound_links_are_passed(found):
    sound = '<h1 id="here">x</h1><a href="#here">1</a><a href="b.html#there%20">2</a><a href="https://x.org">3</a>'
    assert (
        found(a=sound, b='<p id="there ">x</p><a href="a.html">1</a><img src="data:image/png;base64,AA">')
        == []
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<a href="gone.html">x</a>', "gone.html is not there"),
        ('<a href="a.html#gone">x</a>', "a.html#gone has no such anchor"),
        ('<a href="#gone">x</a>', "#gone has no such anchor"),
        ('<img src="gone.png">', "gone.png is not there"),
        ('<script src="https://cdn.example.org/m.js"></script>', "m.js from outside"),
        ('<link rel="stylesheet" href="//cdn.example.org/m.css">', "m.css from outside"),
    ],
)
def test_dead_links_and_what_comes_from_outside_are_told(found, body, said):
    (told,) = found(a=body)
    assert said in told
