"""robustae serve."""

import os
from pathlib import Path
from typing import Annotated

import typer

from robustae.cli import _options as options
from robustae.utils.checks import InputError, need

MIB = 2**20


def serve(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="The model file, written by robustae fit.", show_default=False),
    ],
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="NAME",
            help="Address to listen at; 0.0.0.0 accepts requests from other machines.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="NUMBER", min=0, max=65535, help="Port to listen at; 0 takes a free one."
        ),
    ] = 8080,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            metavar="NUMBER",
            min=1,
            help="Number of processes that score requests at the same time, at most one per core.",
        ),
    ] = 1,
    token_file: Annotated[
        Path | None,
        options.option(
            "FILE", "--token-file", help="File with the secret token that every request must carry."
        ),
    ] = None,
    max_rows: Annotated[
        int,
        typer.Option("--max-rows", metavar="NUMBER", min=1, help="Largest number of rows in one request."),
    ] = 100_000,
    max_bytes: Annotated[
        int,
        typer.Option("--max-bytes", metavar="NUMBER", min=1, help="Largest size of one request in bytes."),
    ] = 16 * MIB,
    max_seconds: Annotated[
        float,
        typer.Option(
            "--max-seconds", metavar="SECONDS", min=0.001, help="Longest time that one request may take."
        ),
    ] = 30.0,
    queue: Annotated[
        int,
        typer.Option(
            "--queue",
            metavar="NUMBER",
            min=1,
            help="Number of requests that may wait in each worker; further ones are refused.",
        ),
    ] = 64,
) -> None:
    """Answer HTTP requests with the scores of the rows they carry.

    Rows come as JSON tensors (Open Inference Protocol V2), as an Arrow stream or as CSV. Without --host, only
    programs on this machine can send requests. The token is read from --token-file, else from the environment
    variable ROBUSTAE_TOKEN.
    """
    need("serve", "fastapi", "robustae serve")
    from robustae.deploy.serve import Limits
    from robustae.deploy.serve import serve as run

    limits = Limits(max_rows, max_bytes, max_seconds, queue)
    run(model, host, port, workers, _token(token_file), limits, lambda text: typer.echo(text, err=True))


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
