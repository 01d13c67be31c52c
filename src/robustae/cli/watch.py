"""robustae watch."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import options, running
from robustae.cli.exits import INTERRUPTED
from robustae.utils.checks import InputError, one_of
from robustae.utils.signals import ENDING, handled

__all__ = ["COMMANDS"]


def watch(
    model: options.Model,
    format_: Annotated[
        str | None, options.option("KIND", "--format", help="csv or jsonl; else told by the first line.")
    ] = None,
    to: Annotated[
        str | None, options.option("KIND", "--to", help="What is written: csv or jsonl; else as it is read.")
    ] = None,
    cells: Annotated[
        int, typer.Option("--cells", metavar="NUMBER", min=0, help="Worst cells told of each row.")
    ] = 3,
    cut: Annotated[
        float, typer.Option("--cut", metavar="DEVIATIONS", min=0, help="A cell further off is told.")
    ] = 3.0,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="That a row waits for others.")
    ] = 0.05,
    rows: Annotated[int, typer.Option("--rows", metavar="NUMBER", min=1, help="Rows scored together.")] = 256,
    longest: Annotated[int, typer.Option("--max-line", metavar="BYTES", min=1, help="Of a line.")] = 2**20,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a bad line.")] = False,
    adapt: Annotated[bool, typer.Option("--adapt", help="Go on learning from what comes.")] = False,
    forget: Annotated[
        float,
        typer.Option("--forget", metavar="SHARE", min=0, max=1, help="With --adapt: how fast the old fades."),
    ] = 0.1,
    save: Annotated[
        Path | None, options.option("FILE", "--save", help="With --adapt: keep the model at the end.")
    ] = None,
) -> None:
    """Score rows from standard input as they come, one line out for each.

    CSV with a line of names, or JSON lines. A bad line is left out, with a sentence on standard error. Rows
    are counted from 0, bad ones too.

    For instance: tail -f sensors.csv | robustae watch --model sensors.rae --to jsonl
    """
    how = _how(format_, to, cells, cut, strict, forget if adapt else None)
    if save is not None:
        if not adapt:
            raise InputError("--save keeps what --adapt has learnt: give both.")
        running.place_for(save, model)
    from robustae.deploy.watch import Feed, Tally
    from robustae.deploy.watch import watch as run

    estimator, tally = running.loaded(model), Tally()
    feed = Feed(sys.stdin.buffer, rows, wait, longest)
    with _stopping(feed) as stopped:
        try:
            learnt = run(estimator, feed, sys.stdout, how, lambda said: typer.echo(said, err=True), tally)
        finally:
            typer.echo(tally.sentence(), err=True)
            _let_go_of_output()
    if save is not None:
        learnt.save(save)
    if stopped:
        raise typer.Exit(INTERRUPTED)


def _how(format_: str | None, to: str | None, *others: Any) -> Any:
    from robustae.deploy.watch import Watch
    from robustae.deploy.watch.lines import FORMATS

    for name, value in (("--format", format_), ("--to", to)):
        if value is not None:
            one_of(name, value, FORMATS)
    return Watch(format_, to, *others)


@contextmanager
def _stopping(feed: Any) -> Iterator[list[int]]:
    """Let Ctrl-C and SIGTERM end the feed; yield the signals that came."""
    came: list[int] = []

    def stop(number: int, _: Any) -> None:
        came.append(number)
        feed.stop()

    with handled(stop, *ENDING):
        yield came


def _let_go_of_output() -> None:
    """Where nobody reads any more, the interpreter must not complain at its end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


COMMANDS = (watch,)
