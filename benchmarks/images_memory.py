"""Peak memory and processor time of ``robustae images`` by the number of images, each run in a process."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import peak_of_process, write

COUNTS = (1000, 2000, 5000)
SIDE = 256  # pixels
ODD = 50  # one image in so many has a bar across
FEATURES = ("efficientnet", "patches")


def run(runs: int) -> None:
    """Write images_memory.csv: JPEGs drawn anew, one run each (`runs` is not used)."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for before, count in zip((0, *COUNTS), COUNTS, strict=False):
            _draw(Path(place) / "images", range(before, count))
            for features in FEATURES:
                rows.append(_measured(Path(place), count, features))
                print(rows[-1], flush=True)
                write("images_memory", rows)


def _draw(folder: Path, numbers: range) -> None:
    from PIL import Image

    folder.mkdir(exist_ok=True)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    for number in numbers:
        rng = np.random.default_rng(number)
        away = np.hypot(y + rng.normal(0, 2), x + rng.normal(0, 2))
        ring = np.clip(np.abs(away - SIDE * 0.3) - 12, 0, 1)
        if number % ODD == 0:
            ring[np.abs(y + rng.normal(0, 20)) < 5] = 0
        pixels = 60 + 120 * ring[:, :, None] * np.array([1, 0.9, 0.8]) + rng.normal(0, 6, (SIDE, SIDE, 1))
        Image.fromarray(np.uint8(np.clip(pixels, 0, 255))).save(folder / f"{number:05d}.jpg", quality=90)


def _measured(place: Path, count: int, features: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.images_memory", "images", place / "images"]
    found = subprocess.run(
        [*command, "--out", place / "out", "--features", features], check=True, capture_output=True, text=True
    )
    seconds, mib = map(float, found.stderr.splitlines()[-1].split())
    return {
        "features": features,
        "images": count,
        "seconds": f"{seconds:.0f}",
        "seconds per 1000": f"{1000 * seconds / count:.1f}",
        "peak_MiB": f"{mib:.0f}",
    }


def _child() -> None:
    """Run the command, then write its processor seconds and peak memory as the last line."""
    from robustae.cli import main

    try:
        main()
    finally:
        print(f"\n{time.process_time():.1f} {peak_of_process():.0f}", file=sys.stderr)


if __name__ == "__main__":
    _child()
