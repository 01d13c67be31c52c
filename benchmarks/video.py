"""Separating films: seconds to fit, milliseconds a frame by size, memory by length; beside IALM and MOG2.

The film is the restaurant, 200 frames of 160 x 120 as three equal channels; 640 x 480 and 1080p are the same
picture enlarged. Times are those of the processor, on one thread, medians of rounds in which all take turns.
The memory is that of 200 and of 20 000 frames, read from H.264 files.
"""

import math
import tempfile
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import in_turn, peak_mib, threads, write
from robustae.baselines import pursue
from robustae.datasets import fetch_restaurant
from robustae.video import separate

LENGTHS = (200, 20_000)
SIZES = {"160 x 120": (200, 1, 1), "640 x 480": (60, 4, 4), "1920 x 1080": (24, 9, 12)}  # frames, factors
FIT, PASS, IALM = "separate: fit", "separate: pass", "RPCA by IALM"
MOG2, MEDIAN = "OpenCV's MOG2", "median and blur"


def film() -> np.ndarray:
    """Shape (200, 120, 160, 3), uint8."""
    return np.repeat(fetch_restaurant().X.reshape(200, 120, 160, 1), 3, axis=-1)


def enlarged(size: str) -> np.ndarray:
    """Shape (n, height, width, 3), uint8."""
    count, down, across = SIZES[size]
    return film()[:count].repeat(down, axis=1).repeat(across, axis=2)


def passed(found: Any) -> int:
    """Go through all batches, keep none; how many frames they had."""
    return sum(len(batch.mask) for batch in found)


def ialm(frames: np.ndarray) -> Any:
    X = frames[..., 0].reshape(len(frames), -1) / 255.0
    return pursue(X, 1 / math.sqrt(max(X.shape)))


def mog2(frames: np.ndarray) -> None:
    cv2 = import_module("cv2")
    cv2.setNumThreads(1)
    model = cv2.createBackgroundSubtractorMOG2()
    for frame in frames:
        model.apply(frame)


def clip(folder: Path, frames: np.ndarray, length: int) -> Path:
    """A film of so many frames, repeated from those given."""
    import av

    path = folder / f"{length}.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "16"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for at in range(length):
            picture = av.VideoFrame.from_ndarray(frames[at % len(frames)], format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return path


def speed(runs: int) -> list[dict[str, Any]]:
    frames = film()
    work = {
        FIT: partial(separate, frames),
        PASS: partial(passed, separate(frames)),
        IALM: partial(ialm, frames),
    }
    with threads(1):
        seconds, _ = in_turn(work, runs, time.process_time)
    each = [_row(IALM, 1000 * seconds[IALM] / len(frames), "ms a frame")]
    return [_row(FIT, seconds[FIT], "s for 200 frames"), *each, *_ratios(seconds)]


def _ratios(seconds: dict[str, float]) -> list[dict[str, Any]]:
    values = {
        "IALM / separate, fit and pass": seconds[IALM] / (seconds[FIT] + seconds[PASS]),
        "IALM / separate, pass": seconds[IALM] / seconds[PASS],
    }
    return [_row(quantity, value, "times") for quantity, value in values.items()]


def median_and_blur(frames: np.ndarray) -> None:
    """What a few lines with OpenCV do: difference from the median picture, blurred, cut."""
    cv2 = import_module("cv2")
    background = np.median(frames[::4], axis=0).astype(np.float32)
    for frame in frames:
        difference = np.abs(frame.astype(np.float32) - background).max(-1)
        _ = cv2.GaussianBlur(difference, (7, 7), 1.5) > 20


def passes(runs: int) -> list[dict[str, Any]]:
    """Milliseconds a frame by size."""
    return [row for size in SIZES for row in _passes(size, runs)]


def _passes(size: str, runs: int) -> list[dict[str, Any]]:
    frames = enlarged(size)
    work = {
        PASS: partial(passed, separate(frames)),
        MOG2: partial(mog2, frames),
        MEDIAN: partial(median_and_blur, frames),
    }
    with threads(1):
        seconds, _ = in_turn(work, runs, time.process_time)
    rows = [_row(f"{name}, {size}", 1000 * seconds[name] / len(frames), "ms a frame") for name in work]
    return [*rows, _row(f"{PASS} / MOG2, {size}", seconds[PASS] / seconds[MOG2], "times")]


def memory() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        paths = {length: clip(Path(folder), film(), length) for length in LENGTHS}
        found = {
            n: peak_mib(partial(str, path), lambda path: passed(separate(path))) for n, path in paths.items()
        }
    return [_row(f"separate: peak memory, {n} frames", found[n], "MiB") for n in LENGTHS]


def _row(quantity: str, value: float, unit: str) -> dict[str, Any]:
    return {"quantity": quantity, "value": f"{value:.3g}", "unit": unit}


def run(runs: int) -> None:
    """Write video.csv."""
    write("video", [*memory(), *speed(runs), *passes(runs)])
