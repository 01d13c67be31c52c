"""robustae serve."""

import os
from pathlib import Path
from typing import Annotated

import typer

from robustae.cli import options
from robustae.utils.checks import InputError, need

__all__ = ["COMMANDS"]

MIB = 2**20


def serve(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Written by fit.", show_default=False)],
    host: Annotated[
        str, typer.Option("--host", metavar="NAME", help="Where to listen; 0.0.0.0 is everywhere.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="NUMBER", min=0, max=65535, help="0 takes a free one.")
    ] = 8080,
    workers: Annotated[
        int, typer.Option("--workers", metavar="NUMBER", min=1, help="Processes, one for each core.")
    ] = 1,
    token_file: Annotated[
        Path | None,
        options.option("FILE", "--token-file", help="Holds the token that requests must bring."),
    ] = None,
    max_rows: Annotated[
        int, typer.Option("--max-rows", metavar="NUMBER", min=1, help="Rows in a request.")
    ] = 100_000,
    max_bytes: Annotated[
        int, typer.Option("--max-bytes", metavar="NUMBER", min=1, help="Size of a request.")
    ] = 16 * MIB,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", metavar="SECONDS", min=0.001, help="Until the answer.")
    ] = 30.0,
    queue: Annotated[
        int, typer.Option("--queue", metavar="NUMBER", min=1, help="Requests in hand, of each worker.")
    ] = 64,
) -> None:
    """Serve a model over HTTP: rows in, scores out.

    Open Inference Protocol V2 (JSON tensors), Arrow streams and CSV. Only this machine is listened to unless
    --host says otherwise. A token is taken from --token-file, else from the variable ROBUSTAE_TOKEN.
    """
    need("serve", "fastapi", "robustae serve")
    from robustae.deploy.serve import Limits
    from robustae.deploy.serve import serve as run

    limits = Limits(max_rows, max_bytes, max_seconds, queue)
    run(model, host, port, workers, _token(token_file), limits, lambda said: typer.echo(said, err=True))


def _token(file: Path | None) -> str | None:
    """Read the token; one that is empty would let everybody in."""
    if file is None:
        return os.environ.get("ROBUSTAE_TOKEN") or None
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--token-file {str(file)!r} cannot be read: {error}.") from None
    if not token or not token.isascii() or not token.isprintable():
        raise InputError(f"--token-file {str(file)!r} must hold one line of letters, digits and signs.")
    return token


COMMANDS = (serve,)
