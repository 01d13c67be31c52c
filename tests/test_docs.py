"""README and docs say what the package does: examples run, names and commands exist."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md"), *(DOCS / "guide").glob("*.md")])


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


@pytest.mark.parametrize(
    "module",
    ["", ".penalties", ".metrics", ".datasets", ".tutorial", ".solvers", ".video", ".sources.frames"],
)
def test_reference_lists_every_public_name(module):
    listed = (DOCS / "api.md").read_text("utf-8")
    for name in import_module(f"robustae{module}").__all__:
        qualified = f"{module}.{name}".lstrip(".")
        assert name.startswith("__") or re.search(rf"^\s+{re.escape(qualified)}$", listed, re.MULTILINE), (
            qualified
        )
