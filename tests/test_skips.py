"""On a machine that has a part, a test skipped for lack of it fails: nothing is skipped unnoticed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import MUST, must_not_be_skipped

SKIPPING = """
import pytest
def test_at_once():
    pytest.skip("needs Chromium to open the page")
@pytest.mark.skipif(True, reason="needs curl")
def test_marked():
    pass
def test_imported():
    pytest.importorskip("no_such_module", reason="needs ray")
def test_other():
    pytest.skip("needs public data")
"""


COLLECTED = 'import pytest\npytest.importorskip("no_such_module", reason="needs mlflow")\n'


def run(text, must, tmp_path):
    """Run tests as they are run here, where some parts must be there."""
    hooks = (Path(__file__).parent / "conftest.py").read_text().partition("@pytest.fixture")[0]
    (tmp_path / "conftest.py").write_text(hooks)
    (tmp_path / "test_some.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environment = os.environ | {MUST: must}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)


@pytest.mark.parametrize(
    ("must", "failed"), [("", 0), ("Chromium", 1), ("chromium ray", 2), ("curl ray Chromium Java", 3)]
)
def test_what_must_be_there_is_not_skipped(must, failed, tmp_path):
    done = run(SKIPPING, must, tmp_path)
    assert done.returncode == (1 if failed else 0), done.stdout
    assert f"{4 - failed} skipped" in done.stdout
    assert done.stdout.count(f"is there by {MUST}") >= failed


def test_a_module_that_cannot_be_collected_counts_too(tmp_path):
    assert run(COLLECTED, "mlflow", tmp_path).returncode not in (0, 5)
    assert run(COLLECTED, "ray", tmp_path).returncode == 5


def test_parts_are_whole_words():
    assert must_not_be_skipped("needs array support", ["ray"]) is None
    assert must_not_be_skipped("could not import 'pyarrow': No module", ["pyarrow"]) == "pyarrow"
