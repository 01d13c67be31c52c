"""SECURITY.md names a test for each of its lines, and says the limits that are in force."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
LINES = [line for line in TEXT.splitlines() if line.startswith("|") and not re.match(r"\| (:--|what)", line)]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip())
def test_each_line_names_tests_that_are_there(line):
    names = re.findall(r"`([\w/]+\.py)`", line.rpartition("|")[0].rpartition("|")[2])
    assert names, "it names none"
    for name in names:
        assert "def test_" in (ROOT / "tests" / name).read_text("utf-8")


def test_the_limits_are_those_in_force():
    pytest.importorskip("fastapi", reason="needs the extra serve")
    from robustae.deploy.serve import Limits, arrow, guard
    from robustae.fit import artifact

    limits = Limits()
    for number in (limits.rows, limits.columns, arrow.MESSAGES, artifact.MOST_PARTS, artifact.MOST_ARRAYS):
        assert f"{number:,}".replace(",", " ") in TEXT
    said = (
        f"{limits.bytes // 2**20} MiB", f"{limits.queue} in each worker", f"{limits.seconds:.0f} s each",
        f"{limits.connections} in each worker", f"within {limits.header_seconds:.0f} s",
        f"{artifact.LONGEST_HEADER // 2**20} MiB", f"{artifact.MOST_MEMBERS} members",
        f"{guard.LONGEST} characters",
    )  # fmt: skip
    assert [words for words in said if words not in TEXT] == []
