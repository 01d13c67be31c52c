"""Where public files lie: a folder given, ROBUSTAE_DATA, the user's cache."""

import os
from pathlib import Path

PathLike = str | os.PathLike[str]


def cache() -> Path:
    """Return the user's own folder for downloads."""
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "robustae"


def homes(data_home: PathLike | None) -> list[Path]:
    """Return the folders that are searched, in this order."""
    given = [Path(data_home).expanduser()] if data_home is not None else []
    shared = os.environ.get("ROBUSTAE_DATA")
    return [*given, *([Path(shared)] if shared else []), cache()]


def where(data_home: PathLike | None) -> str:
    """Return these folders in words."""
    return " or ".join(repr(str(home)) for home in homes(data_home))


def find(place: str, data_home: PathLike | None) -> Path | None:
    """Return the first of these folders' files at `place`, or None."""
    return next((home / place for home in homes(data_home) if (home / place).is_file()), None)
