"""Run benchmarks: ``python -m benchmarks [NAME ...] [--runs N]``; each writes benchmarks/NAME.csv.

Threads are pinned to one. Figures are medians over several runs, methods in turn within each run;
real data is looked for under ROBUSTAE_DATA.
"""

import argparse
import importlib
import os
import sys

NAMES = (
    "smoke",
    "restaurant",
    "escalator",
    "table",
    "digits",
    "cells",
    "mixed",
    "false_alarms",
    "images",
    "images_memory",
    "repair",
    "tiles",
    "video",
    "tables_speed",
    "serving",
    "streaming",
    "experiments",
    "ranks",
)
PINNED = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES) + " (all if none is named)")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"{name!r} is not known: {', '.join(NAMES)}")
    if any(os.environ.get(name) != "1" for name in PINNED):
        os.execve(
            sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], {**os.environ, **PINNED}
        )
    for name in arguments.names or NAMES:
        importlib.import_module(f"benchmarks.{name}").run(arguments.runs)


if __name__ == "__main__":
    main()
