"""A file whose name is not UTF-8 is a file like others."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX systems only"),
]
COMMANDS = {
    "fit": ["fit", "{data}", "--model", "{data}.rae"],
    "report": ["report", "{data}", "--out", "page.html"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_it(name, tmp_path):
    data = os.fsdecode(os.fsencode(tmp_path) + b"/rows-\xff\xe9.csv")
    rng = np.random.default_rng(0)
    lines = ["a,b,y", *(f"{a:.3f},{b:.3f},{int(k < 3)}" for k, (a, b) in enumerate(rng.normal(size=(60, 2))))]
    with open(data, "w") as file:
        file.write("\n".join(lines))
    words = [word.format(data=data) for word in COMMANDS[name]]
    done = subprocess.run([sys.executable, "-m", "robustae", *words], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
