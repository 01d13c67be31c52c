"""Refusals: one clear sentence that names the argument, what came, and what would do."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

__all__ = ["InputError", "NotFound", "known_names", "need", "one_of", "path_of", "suggestion"]


SHOWN = 120  # characters of a value in a sentence; a longer name is like none


class InputError(ValueError):
    """Input that cannot be used; the message is one sentence meant for the user."""


class NotFound(InputError, FileNotFoundError):
    """A file that is not there."""

    __str__ = ValueError.__str__


def path_of(name: Any, argument: str) -> Path:
    """Return a path that is given; an empty name, which would be the folder one is in, is refused."""
    if name == "":
        raise InputError(f"{argument}='' names no place; '.' is the folder one is in.")
    return Path(name).expanduser()


def suggestion(name: str, options: Iterable[str]) -> str:
    """Return `` did you mean 'lam'?`` for a near miss, else the list of what would do."""
    options = [str(option) for option in options]
    near = get_close_matches(name, options, n=1, cutoff=0.5) if len(name) <= SHOWN else []
    if near:
        return f"did you mean {near[0]!r}?"
    return "use one of " + ", ".join(_shown(option) for option in options) + "."


def _shown(value: Any) -> str:
    """A value as it stands in a sentence, whatever its length."""
    text = repr(value[: SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN + 2 else f"{text[:SHOWN]}..."


def one_of(argument: str, value: Any, options: Iterable[str]) -> str:
    """Return `value` if it is one of `options`; else refuse it with what would do."""
    options = list(options)
    if isinstance(value, str) and value in options:
        return value
    raise InputError(f"{argument}={_shown(value)} is not known: {suggestion(str(value), options)}")


def known_names(kind: str, names: Iterable[str], options: Iterable[str]) -> None:
    """Refuse the first of `names` that is not among `options`."""
    options = list(options)
    for name in names:
        if name not in options:
            raise InputError(f"{kind} {_shown(name)} is not known: {suggestion(name, options)}")


def need(extra: str, module: str, purpose: str) -> Any:
    """Import an optional module, or name the extra that brings it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(f"{purpose} needs {module}: pip install 'robustae[{extra}]'.") from error
