"""robustae datasets: which data sets are known, and where they are."""

from pathlib import Path
from typing import Annotated, Any

from robustae.cli import _options as options
from robustae.cli import _running as running
from robustae.utils.checks import InputError


def datasets(
    data_home: Annotated[
        Path | None,
        options.option("DIR", "--data-home", help="Folder that is searched before the usual places."),
    ] = None,
    json: options.Json = False,
) -> None:
    """List the data sets that can be loaded by name, and where each one is on this machine."""
    from robustae.datasets import listing

    if data_home is not None and not data_home.is_dir():
        raise InputError(f"--data-home {str(data_home)!r} is not a folder.")
    entries = listing(data_home)
    running.show({"datasets": entries}, json, _lines(entries))


def _lines(entries: list[dict[str, Any]]) -> list[str]:
    rows = [(entry["name"], entry["call"]) for entry in entries]
    width, call = (max(len(row[j]) for row in rows) for j in (0, 1))
    return [f"{e['name']:<{width}}  {e['call']:<{call}}  {_where(e)}" for e in entries]


def _where(entry: dict[str, Any]) -> str:
    if entry["found"]:
        return entry["path"] or "part of the installed packages"
    return f"not on this machine: {entry['advice']}"
