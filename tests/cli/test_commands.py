"""Commands are found from the listing of their package, and their help can be read alone."""

from importlib import import_module
from pkgutil import iter_modules

import pytest
import typer

from robustae import cli

COMMANDS = typer.main.get_command(cli.app).commands
PARTS = [(name, part) for name, command in COMMANDS.items() for part in command.params]


def test_each_module_is_a_command_of_its_name():
    modules = {module.name for module in iter_modules(cli.__path__) if not module.name.startswith("_")}
    assert set(COMMANDS) == modules
    for name, command in COMMANDS.items():
        assert command.callback.__name__ == name
        assert command.callback.__module__ == import_module(f"robustae.cli.{name}").__name__


@pytest.mark.parametrize(("name", "part"), PARTS, ids=lambda part: getattr(part, "name", part))
def test_help_is_a_sentence_of_its_own(name, part):
    words = (part.help or "").split()
    assert len(words) >= 3, f"{name} {part.name}: {part.help!r}"
    assert part.help[0].isupper() and part.help.endswith(".")


def test_commands_explain_themselves_in_their_first_line():
    for name, command in COMMANDS.items():
        first = command.help.strip().split("\n\n")[0]
        assert first.endswith(".") and len(first.split()) >= 5, name
