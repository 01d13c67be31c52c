"""The long forms of the tests with spoilt files and killed processes, and fuzzing led by coverage."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FUZZ = tuple(
    f"tests/{room}/test_fuzz_{name}.py"
    for room, name in (
        ("estimators", "load"),
        ("data", "tables"),
        ("data", "clips"),
        ("estimators", "states"),
    )
)
KILL = ("tests/cli/test_kill.py",)
HOSTILE = {
    "hostile models": ("tests/estimators/test_hostile_models.py", 0.68),  # times as long as the test: 2040
    "hostile requests": ("tests/deploy/test_hostile_requests.py", 0.4),  # 2000, where `times` is 50
}
TARGETS = ("tables", "descriptions", "clips")
GUIDED = 300.0  # seconds for each target, at 50 times


def _pytest(files: Iterable[str], longer: int) -> list[dict[str, Any]]:
    """Run tests `longer` times as long; return what they counted. A trial that fails ends it."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        more = {"ROBUSTAE_SOAK": str(longer), "ROBUSTAE_SOAK_LEDGER": str(ledger)}
        words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
        if subprocess.run(words, cwd=ROOT, env=os.environ | more, check=False).returncode:
            raise SystemExit("a trial failed: its test says which")
        return [json.loads(line) for line in ledger.read_text().splitlines()]


def _sums(entries: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    sums: dict[str, Counter[str]] = {}
    for entry in entries:
        counts = {"trials": entry["trials"], "fine": entry["fine"]}
        sums[entry["check"]] = sums.get(entry["check"], Counter()) + Counter(counts)
    return sums


def spoilt(times: int) -> list[dict[str, Any]]:
    """Spoilt and altered files: used, or refused in one sentence; anything else ends this."""
    sums = _sums(_pytest(FUZZ, max(2, times // 2)))
    return [
        {
            "files": check,
            "trials": counts["trials"],
            "used": counts["fine"],
            "refused_in_one_sentence": counts["trials"] - counts["fine"],
            "anything_else": 0,
        }
        for check, counts in sums.items()
    ]


def hostile(times: int) -> list[dict[str, Any]]:
    """Models and requests made to take memory and time: what the worst of them took."""
    return [_worst(name, file, max(1, round(times * share))) for name, (file, share) in HOSTILE.items()]


def _worst(name: str, file: str, longer: int) -> dict[str, Any]:
    (entry,) = [entry for entry in _pytest((file,), longer) if entry["check"] == name]
    return {
        "made": name,
        "trials": entry["trials"],
        "used": entry["fine"],
        "refused_in_one_sentence": entry["trials"] - entry["fine"],
        "most_seconds_of_the_processor": f"{entry['seconds']:.1f}",
        "most_mib_of_the_process": f"{entry['mib']:.0f}",
    }


def commands(times: int) -> list[dict[str, Any]]:
    """kill -9 of commands: 50 random moments each, and before each change of a file."""
    sums = _sums(_pytest(KILL, max(2, times // 25)))
    names = sorted({check.partition(": ")[2] for check in sums})
    return [
        {
            "command": name,
            "at_random_moments": sums[f"killed at a random moment: {name}"]["trials"],
            "before_a_change_of_a_file": sums[f"killed at a file: {name}"]["trials"],
            "in_a_half_written_file": sums[f"killed in a file: {name}"]["trials"],
            "half_written_outputs": 0,
            "next_runs_that_failed": 0,
        }
        for name in names
    ]


def guided(times: int) -> list[dict[str, Any]]:
    """Fuzzing led by coverage (atheris), where it is installed."""
    if importlib.util.find_spec("atheris") is None:
        print("  left out: it needs atheris (pip install atheris)", flush=True)
        return []
    return [_guided(target, GUIDED * times / 50) for target in TARGETS]


def _guided(target: str, seconds: float) -> dict[str, Any]:
    begin = time.perf_counter()
    words = [sys.executable, "-m", "benchmarks.guided", target, f"-max_total_time={seconds:.0f}"]
    done = subprocess.run(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    found = re.search(r"Done (\d+) runs", done.stderr)
    if done.returncode or not found:
        raise SystemExit(done.stderr[-3000:])
    minutes = (time.perf_counter() - begin) / 60
    print(f"  {target}: {found[1]} inputs", flush=True)
    return {"target": target, "inputs": int(found[1]), "minutes": f"{minutes:.1f}", "failures": 0}
