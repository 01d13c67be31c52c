"""The program itself: its commands, and how errors are reported."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from pkgutil import iter_modules
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from robustae.cli._running import FAILED, INTERRUPTED, MISUSED
from robustae.utils.checks import InputError, known_names
from robustae.utils.signals import handled
from robustae.utils.version import __version__

__all__ = ["app", "main"]

FIRST = ("demo", "fit", "score", "split", "evaluate", "report")  # listed before the others
MAYBE_EMPTY = ("--label", "--normal", "--positive", "--drop")  # of values and columns without a name
CALLED_OFF = "Interrupted: nothing was written."


class Commands(TyperGroup):
    """Commands that suggest the nearest name, and refuse input in one sentence."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known_names("command", args[:1], self.list_commands(ctx))
        _check_no_empty(args)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _short_warnings(), _in_sentences():
            return super().invoke(ctx)


def _check_no_empty(args: list[str]) -> None:
    """Refuse what a variable of the shell that is not set leaves: as a path it would be this folder."""
    for before, given in pairwise(args):
        option, _, value = given.partition("=")
        if given == "" and before not in MAYBE_EMPTY or option.startswith("--") and given == f"{option}=":
            place = option or before
            raise InputError(f"the argument after {place!r} is empty: name a place ('.' is this folder).")


def _stop(message: str, code: int) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(code)


@contextmanager
def _in_sentences() -> Iterator[None]:
    """Turn refusals into a sentence and an exit code; ROBUSTAE_DEBUG=1 shows where they come from."""
    if os.environ.get("ROBUSTAE_DEBUG"):
        yield
        return
    try:
        yield
    except KeyboardInterrupt:
        raise _stop(CALLED_OFF, INTERRUPTED) from None
    except BrokenPipeError:
        raise
    except MemoryError as error:
        raise _stop(f"Error: the data do not fit into memory ({error}).", FAILED) from None
    except (ValueError, OSError) as error:
        raise _stop(f"Error: {' '.join(str(error).split())}", MISUSED) from None


@contextmanager
def _short_warnings() -> Iterator[None]:
    """Show warnings as one line without the place in the code; names are matched by us."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        typer.echo(f"Warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        warnings.filterwarnings("ignore", category=UserWarning, message="column .* count as missing")
        warnings.showwarning = show
        yield


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add_commands() -> None:
    """Add the function that each module beside this one is named after; names with _ are no commands."""
    from robustae import cli

    found = {module.name for module in iter_modules(cli.__path__) if not module.name.startswith("_")}
    for name in (*FIRST, *sorted(found - {*FIRST})):
        app.command()(getattr(import_module(f"robustae.cli.{name}"), name))


_add_commands()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"robustae {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Find anomalies in tables, images and videos; the data to learn from may contain some.

    To try it: robustae demo. With a table of your own: robustae fit data.csv --model data.rae, then
    robustae score data.csv --model data.rae.
    """


def _interrupted(*_: Any) -> None:
    # Not KeyboardInterrupt, which a fit takes as "keep what you have": a command called off writes nothing.
    typer.echo(CALLED_OFF, err=True)
    raise SystemExit(INTERRUPTED)


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 cannot be done as asked, 130 interrupted."""
    ours = [signal.SIGINT] if signal.getsignal(signal.SIGINT) is signal.default_int_handler else []
    try:
        with handled(_interrupted, *ours):
            app()
    except Exception as error:
        if os.environ.get("ROBUSTAE_DEBUG"):
            raise
        typer.echo(f"Failed: {type(error).__name__}: {error} (ROBUSTAE_DEBUG=1 shows where).", err=True)
        sys.exit(FAILED)
