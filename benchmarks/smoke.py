"""A guard of speed, in a minute: ratios against scikit-learn and OpenCV in one run, beside the last ones.

Seconds differ from machine to machine, ratios much less. A ratio that is a third worse than in the last
benchmarks/smoke.csv is printed; nothing fails.
"""

import csv
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measuring import HERE, in_turn, write
from robustae import RobustAutoencoder
from robustae.datasets.synthetic import moving_scene, planted_rows

ALLOWED = 4 / 3  # of the last ratio
FILE = HERE / "smoke.csv"


def run(runs: int) -> None:
    """Measure, compare with the last run, and write benchmarks/smoke.csv."""
    before = _last()
    rows = [row for name, peers in _work().items() for row in _ratios(name, peers, runs)]
    for row in rows:
        last = before.get((row["work"], row["against"]))
        row["last_ratio"] = "" if last is None else f"{last:.3f}"
        if last is not None and float(row["ratio"]) > ALLOWED * last:
            print(
                f"SLOWER: {row['work']} takes {row['ratio']} of {row['against']}, {last:.3f} before",
                flush=True,
            )
    write("smoke", rows)


def _last() -> dict[tuple[str, str], float]:
    if not FILE.exists():
        return {}
    with open(FILE, newline="", encoding="utf-8") as file:
        return {(row["work"], row["against"]): float(row["ratio"]) for row in csv.DictReader(file)}


def _ratios(name: str, peers: dict[str, Callable[[], Any]], runs: int) -> list[dict[str, Any]]:
    """The first of the peers is ours."""
    seconds, _ = in_turn(peers, runs)
    ours, *others = seconds.values()
    return [
        {"work": name, "against": other, "ratio": f"{ours / theirs:.3f}", "seconds": f"{ours:.3f}"}
        for other, theirs in zip([*seconds][1:], others, strict=True)
    ]


def _work() -> dict[str, dict[str, Callable[[], Any]]]:
    from sklearn.ensemble import IsolationForest

    X = planted_rows(n=5000, d=20, random_state=0).X
    model = RobustAutoencoder(random_state=0).fit(X)
    forest = IsolationForest(random_state=0).fit(X)
    work: dict[str, dict[str, Callable[[], Any]]] = {
        "fit 5000 x 20": {
            "robustae": lambda: RobustAutoencoder(random_state=0).fit(X),
            "IsolationForest": lambda: IsolationForest(random_state=0).fit(X),
        },
        "score 5000 x 20": {
            "robustae": lambda: model.score_samples(X + 1e-9),
            "IsolationForest": lambda: forest.score_samples(X),
        },
    }
    return work | _films() if importlib.util.find_spec("cv2") else work


def _films() -> dict[str, dict[str, Callable[[], Any]]]:
    from robustae.video import separate

    frames = np.rint(255 * moving_scene(60, 72, 96, random_state=0).frames).astype(np.uint8)[..., None]
    return {
        "separate 60 frames 96 x 72": {
            "robustae": lambda: [batch.score for batch in separate(frames)],
            "OpenCV MOG2": lambda: _mog2(frames),
        }
    }


def _mog2(frames: np.ndarray) -> list[np.ndarray]:
    import cv2

    subtractor = cv2.createBackgroundSubtractorMOG2()
    return [subtractor.apply(frame) for frame in frames]
