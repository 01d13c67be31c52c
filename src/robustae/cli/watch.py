"""robustae watch."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from robustae.cli import _options as options
from robustae.cli import _running as running
from robustae.cli._running import INTERRUPTED
from robustae.utils.checks import InputError, one_of
from robustae.utils.signals import ENDING, handled


def watch(
    model: options.Model,
    format_: Annotated[
        str | None,
        options.option(
            "KIND", "--format", help="Format of the input: csv or jsonl; without it the first line decides."
        ),
    ] = None,
    to: Annotated[
        str | None,
        options.option(
            "KIND", "--to", help="Format of the output: csv or jsonl; without it that of the input."
        ),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line of CSV has the names of the columns; without it that line decides.",
            show_default=False,
        ),
    ] = None,
    label: options.Label = None,
    drop: options.Drop = None,
    cells: Annotated[
        int,
        typer.Option(
            "--cells",
            metavar="NUMBER",
            min=0,
            help="How many of the most deviating cells are written for each row.",
        ),
    ] = 3,
    cut: Annotated[
        float,
        typer.Option(
            "--cut",
            metavar="DEVIATIONS",
            min=0,
            help="Write only cells that are further than this from what is expected, in noise deviations.",
        ),
    ] = 3.0,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            help="Longest time that a row waits until others are scored together with it.",
        ),
    ] = 0.05,
    rows: Annotated[
        int,
        typer.Option(
            "--rows", metavar="NUMBER", min=1, help="Largest number of rows that are scored together."
        ),
    ] = 256,
    longest: Annotated[
        int, typer.Option("--max-line", metavar="BYTES", min=1, help="Longest line that is accepted.")
    ] = 2**20,
    encoding: Annotated[
        str | None,
        options.option("NAME", "--encoding", help="Encoding of the input, such as cp1252 or utf-16."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first line that cannot be read.")
    ] = False,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Update the model with every batch of rows.")
    ] = False,
    forget: Annotated[
        float,
        typer.Option(
            "--forget",
            metavar="SHARE",
            min=0,
            max=1,
            help="With --adapt: weight of each new batch against all rows before, from 0 to 1.",
        ),
    ] = 0.1,
    save: Annotated[
        Path | None,
        options.option("FILE", "--save", help="With --adapt: file to write the updated model to at the end."),
    ] = None,
) -> None:
    """Score the rows that arrive at standard input, and write one line for each.

    The input is CSV with a header, or JSON lines. A line that cannot be read is skipped, with a message on
    standard error. Rows are counted from 0, skipped ones included.

    For instance: tail -f sensors.csv | robustae watch --model sensors.rae --to jsonl
    """
    if sys.stdin is None or sys.stdout is None:
        raise InputError(
            "standard input or output is closed: rows are read from one, scores go to the other."
        )
    skipped = (*([] if label is None else [label]), *(drop or []))
    how = _how(format_, to, cells, cut, strict, forget if adapt else None, header, skipped)
    if save is not None:
        if not adapt:
            raise InputError("--save keeps what --adapt has learnt: give both.")
        running.place_for(save, model)
    from robustae.deploy.watch import Feed, Tally
    from robustae.deploy.watch import watch as run

    estimator, tally = running.loaded(model), Tally()
    feed = Feed(sys.stdin.buffer, rows, wait, longest, encoding)
    with _stopping(feed) as stopped:
        try:
            learnt = run(estimator, feed, sys.stdout, how, lambda text: typer.echo(text, err=True), tally)
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
