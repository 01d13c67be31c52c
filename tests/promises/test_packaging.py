"""What is shipped: complete, small, quick to import, and usable where nothing but its dependencies is."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "sklearn", "scipy", "pandas", "polars", "pyarrow", "matplotlib", "av"}


def run(*command, **environment):
    """Standard output of a command that must succeed, run away from the source tree's root."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=ROOT / "tests",
        env=os.environ | {name: str(value) for name, value in environment.items()},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def package_files():
    """Files of the package as they lie in the source tree, relative to src."""
    found = (ROOT / "src").rglob("*")
    return {str(p.relative_to(ROOT / "src")) for p in found if p.is_file() and "__pycache__" not in p.parts}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(wheel, sdist); the wheel is built from the sdist, so the sdist can build."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licences = [name for name in wheel.namelist() if "/licenses/" in name]
    assert names == package_files()
    assert "robustae/py.typed" in names
    assert sorted(Path(name).name for name in licences) == ["LICENSE", "NOTICE"]


@pytest.mark.slow
def test_sdist_holds_the_sources_without_tests(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
    assert {f"src/{name}" for name in package_files()} <= names
    assert {"LICENSE", "NOTICE", "README.md", "CITATION.cff", "pyproject.toml"} <= names
    assert not any(name.startswith(("tests/", "docs/", "benchmarks/", "out/")) for name in names)


@pytest.mark.slow
def test_archives_are_small(built):
    assert max(archive.stat().st_size for archive in built) < 4e6


@pytest.mark.slow
def test_metadata(built):
    with zipfile.ZipFile(built[0]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("METADATA"))
        metadata = wheel.read(name).decode()
    assert "License-Expression: BSD-3-Clause" in metadata
    assert "Requires-Python: >=3.11" in metadata


@pytest.mark.slow
def test_installed_wheel_works(built, tmp_path):
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        tmp_path,
        built[0],
    )
    where = run(sys.executable, "-c", "import robustae; print(robustae.__file__)", PYTHONPATH=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path)
    for command in ([sys.executable, "-m", "robustae"], [tmp_path / "bin" / "robustae"]):
        assert "fit" in run(*command, "--help", PYTHONPATH=tmp_path)
    scores = """if True:
        import numpy as np
        from robustae import RobustAutoencoder
        X = np.random.default_rng(0).normal(size=(60, 4))
        X[7] += 30
        print(RobustAutoencoder(predictor="linear", hidden=1).fit(X).score_samples(X).argmin())
    """
    assert run(sys.executable, "-c", scores, PYTHONPATH=tmp_path).strip() == "7"


def cpu_seconds(*command):
    """Processor time of a command, which other work on the machine does not lengthen."""
    before = os.times()
    run(*command)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.mark.parametrize("command", [["-c", "import robustae"], ["-m", "robustae", "--help"]])
def test_starts_in_a_blink(command):
    assert min(cpu_seconds(sys.executable, *command) for _ in range(5)) < 0.3


@pytest.mark.parametrize("start", ["import robustae", "from robustae.cli import main; main()"])
def test_nothing_heavy_is_imported_before_it_is_needed(start):
    code = f"import atexit, sys; atexit.register(lambda: print('LOADED', *sys.modules)); {start}"
    loaded = run(sys.executable, "-c", code, "--help").rpartition("LOADED")[2].split()
    assert "robustae" in loaded
    assert HEAVY.isdisjoint(loaded)
