"""Fuzzing led by coverage: ``python -m benchmarks.guided TARGET [options of libFuzzer]``; needs atheris.

The tests with spoilt files draw from what people thought of. Here an input is kept where it reaches new code.
"""

import json
import random
import sys
import tempfile
import warnings
from pathlib import Path

import atheris  # pyright: ignore[reportMissingImports]
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "data")]
with atheris.instrument_imports(include=["robustae"]):
    import fuzzing  # pyright: ignore[reportMissingImports]
    from test_fuzz_tables import outcomes, seeds  # pyright: ignore[reportMissingImports]

    from robustae import RobustAutoencoder, load
    from robustae.data.clips import open_clip
    from robustae.fit import artifact

PLACE = Path(tempfile.mkdtemp())
X = np.random.default_rng(0).normal(size=(40, 4))
MODEL = PLACE / "whole"
LONGEST = 20_000  # bytes


def tables(data: bytes) -> None:
    """Delimited text, read whole and in batches."""
    (PLACE / "t.csv").write_bytes(data)
    outcomes(PLACE / "t.csv")


def clips(data: bytes) -> None:
    """Stacks of frames."""
    (PLACE / "t.npy").write_bytes(data)
    fuzzing.outcome(lambda: list(open_clip(PLACE / "t.npy").batches()))


def descriptions(data: bytes) -> None:
    """What a model says of itself, with a checksum that agrees."""
    try:
        description = json.loads(data)
    except (ValueError, RecursionError):
        return
    artifact.write(PLACE / "m", artifact.read(MODEL)[0], description)
    fuzzing.outcome(lambda: load(PLACE / "m").score_samples(X))


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """Change entries of a description: bytes changed at random are hardly ever JSON."""
    try:
        description = json.loads(data)
    except ValueError:
        return data
    return json.dumps(fuzzing.json_of(description, random.Random(seed))).encode()[:most]


def corpus(target: str) -> Path:
    """Inputs to begin with."""
    folder = PLACE / target
    folder.mkdir()
    begin = {name: data for name, data in seeds().items() if name.endswith(".csv")}
    if target == "clips":
        begin = {name: data for name, data in seeds().items() if name.endswith(".npy")}
    if target == "descriptions":
        begin = {"m": json.dumps(artifact.read(MODEL)[1]).encode()}
    for name, data in begin.items():
        (folder / name).write_bytes(data)
    return folder


def main() -> None:
    warnings.simplefilter("ignore")
    RobustAutoencoder(max_iter=2, random_state=0).fit(X).save(MODEL)
    target, options = sys.argv[1], sys.argv[2:]
    words = [sys.argv[0], str(corpus(target)), f"-max_len={LONGEST}", *options]
    how = {"custom_mutator": mutated} if target == "descriptions" else {}
    atheris.Setup(words, globals()[target], **how)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
