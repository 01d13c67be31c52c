"""Names of what is not whole yet, and what is done about those that killed processes have left."""

import os
import platform
import re
import secrets
import shutil
import time
import zlib
from pathlib import Path

__all__ = ["beside", "clear_left"]

KEPT = 20  # characters of the name of what is written: it may itself be as long as a name can be
NAME = re.compile(r"\.robustae-(.*)-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp", re.DOTALL)
IDLE = 60  # seconds without a change after which the file of a process that is gone is left behind


def beside(target: Path) -> Path:
    """Return a hidden name in the same folder; what killed processes left of this target is cleared away."""
    clear_left(target.parent, re.compile(re.escape(target.name[:KEPT])), dead=True)
    name = f".robustae-{target.name[:KEPT]}-{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    return target.with_name(name)


def clear_left(folder: Path, targets: re.Pattern[str], dead: bool = False) -> None:
    """Clear away what was left half of some targets; other commands may be writing others to the folder.

    Parameters
    ----------
    folder : Path
    targets : pattern
        Of the first characters of their names.
    dead : bool
        Whether only what no living process of this machine can be writing; else the caller holds a lock.
    """
    for left in folder.glob(".robustae-*.tmp"):
        found = NAME.fullmatch(left.name)
        if (
            found
            and targets.fullmatch(found[1])
            and not (dead and _may_be_alive(left, found[2], int(found[3])))
        ):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _may_be_alive(left: Path, host: str, pid: int) -> bool:
    if host != _host() or os.name != "posix":  # elsewhere asking after a process would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return time.time() - _last_change(left) < IDLE
    except (OSError, OverflowError):
        pass
    return True


def _last_change(left: Path) -> float:
    try:
        inside = left.rglob("*") if left.is_dir() else ()
        return max(path.stat().st_mtime for path in (left, *inside))
    except OSError:  # it has just been renamed or removed
        return time.time()
