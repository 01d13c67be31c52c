"""States of a fit in a folder: whole or absent, the last two kept, and none is taken for another fit's."""

import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robustae.fit import artifact
from robustae.utils.checks import InputError
from robustae.utils.files import locked
from robustae.utils.temporaries import clear_left

__all__ = ["Checkpoints", "stable_text"]

KEPT = 2
NAME = re.compile(r"epoch(\d{6})-step(\d{9})\.ckpt")
LEFT = re.compile(r"epoch\d{6}-step\d+")  # how names of those that are not whole begin

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one fit.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    """

    folder: Path

    @contextmanager
    def held(self, resume: bool) -> Iterator[None]:
        """Hold the folder for one fit: made, and cleared of what was left half.

        Raises
        ------
        InputError
            If the folder cannot be made or written to, another fit holds it, or it has the checkpoint of a
            fit that is not to be resumed.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {str(self.folder)!r}: {error.strerror}.") from error
        if not os.access(self.folder, os.W_OK):
            raise InputError(f"checkpoint: no permission to write to {str(self.folder)!r}.")
        with _alone(self.folder):
            clear_left(self.folder, LEFT)
            if self._found() and not resume:
                raise InputError(
                    f"{str(self.folder)!r} holds the checkpoint of a fit: go on with it (resume=True, "
                    "--resume), or name another folder."
                )
            yield

    def _found(self) -> list[Path]:
        """Checkpoints, the latest first."""
        return sorted((path for path in self.folder.iterdir() if NAME.fullmatch(path.name)), reverse=True)

    def write(self, arrays: Arrays, description: dict[str, Any]) -> None:
        """Write one, then let go of all but the last two.

        Raises
        ------
        InputError
            If there is no room or no permission; earlier ones stay.
        """
        name = f"epoch{description['epoch']:06d}-step{description['step']:09d}.ckpt"
        artifact.write(self.folder / name, arrays, {"checkpoint": description})
        for path in self._found()[KEPT:]:
            path.unlink(missing_ok=True)

    def latest(self, about: dict[str, Any]) -> tuple[Arrays, dict[str, Any]] | None:
        """Return the latest one that can be read, or None where there is none.

        Parameters
        ----------
        about : dict
            What the fit is of: data and parameters, by name.

        Raises
        ------
        InputError
            If it is of other data or parameters, or none can be read.
        """
        found = self._read(self._found())
        if found is None:
            return None
        arrays, description = found
        _same(description["about"], json.loads(json.dumps(about)), self.folder)
        return arrays, description

    def _read(self, paths: Iterable[Path]) -> tuple[Arrays, dict[str, Any]] | None:
        damaged = None
        for path in paths:
            try:
                return _checked(*artifact.read(path))
            except InputError as error:
                damaged = error
                warnings.warn(f"{path.name} cannot be read; the one before it is tried.", stacklevel=2)
        if damaged is not None:
            raise InputError(f"no checkpoint in {str(self.folder)!r} can be read: {damaged}")
        return None


def _checked(arrays: Arrays, description: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    found = description.get("checkpoint")
    if not isinstance(found, dict) or not isinstance(found.get("about"), dict):
        raise InputError("it is the model of a fit that ended, or says nothing of its fit.")
    return arrays, found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse a second fit there."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, wait=False))
        except TimeoutError as error:
            raise InputError(
                f"another fit is writing to {str(folder)!r}: wait for it, or name another folder."
            ) from error
        yield


def _same(then: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    for name in {**then, **now}:
        if then.get(name) != now.get(name):
            raise InputError(
                f"the checkpoint in {str(folder)!r} is of another fit: {name} was "
                f"{_short(then.get(name))}, and is {_short(now.get(name))} now; name another folder, or take "
                "back the change."
            )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def stable_text(value: Any) -> str:
    """Return a parameter as text that is the same in every process: no addresses."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.random.RandomState):
        return "a RandomState"
    text = repr(value)
    return getattr(value, "__qualname__", type(value).__qualname__) if " at 0x" in text else text
