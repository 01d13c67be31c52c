"""Models and requests made to take memory and time: generated with a seed, and what they took."""

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from robustae.fit import artifact

SIDES = [0, 1, 2, 3, 7, 16, 10**3, 10**5, 7 * 10**8, 5 * 10**8, 10**12, 2**63, 10**30, -1, -(10**9)]
ATOMS = [b"[]", b"{}", b'{"":0}', b"0", b'"ab"', b"[[0]]", b"1.5", b'{"a":[]}', b"null", b"1e9"]
MIB = 2**20


def peak_mib() -> float:
    """Most memory that this process had since the last `forget_peak`, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what the work returns, its seconds, and the peak memory of this process meanwhile in MiB."""
    forget_peak()
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin, peak_mib()


def sides(rng: random.Random, most: int = 6) -> list[Any]:
    """Numbers that stand for sizes."""
    return [rng.choice(SIDES) for _ in range(rng.randrange(most))]


# --- models -----------------------------------------------------------------------------------------

Parts = tuple[dict[str, np.ndarray], dict[str, Any]]


def model(
    arrays: dict[str, np.ndarray], description: dict[str, Any], rng: random.Random
) -> tuple[str, Parts]:
    """Return the name of an attack, and the parts of a model that makes it."""
    attack = rng.choice(MODELS)
    parts = attack(dict(arrays), json.loads(json.dumps(description)), rng)
    return attack.__name__.strip("_"), parts


def _widths(arrays: Any, description: Any, rng: random.Random) -> Parts:
    state = description["state"]
    many = rng.choice((1, 2, 3, 6, 1000, 100_000))
    widths = [rng.choice(SIDES) for _ in range(rng.randrange(many))]
    state["hidden_"] = rng.choice((rng.choice(SIDES), {"tuple": widths}))
    state["predictor_name_"] = rng.choice(predictors())
    if rng.random() < 0.3:
        state["image_shape_"] = {"tuple": sides(rng)}
    return arrays, description


def predictors() -> list[str]:
    from robustae import predictors as room

    return list(getattr(room, "PREDICTORS", None) or room.NAMES)


def _no_columns(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """Arrays of another number of columns, none among them, and sizes that do not show in products."""
    d = rng.choice((0, 0, 1, 3, 10**5))
    by_column = ("location", "scale", "noise", "fill", "lam", "widening")
    for name in list(arrays):
        if name.rpartition(".")[2] in by_column:
            arrays[name] = np.ones(d)
        elif name.startswith("member0.predictor"):
            sizes = [rng.choice((0, 1, d, 10**4)) for _ in arrays[name].shape]
            arrays[name] = np.ones(sizes if np.prod(sizes, dtype=float) < 1e6 else (d,))
    description["state"] |= {"hidden_": {"tuple": sides(rng)}, "n_features_in_": d}
    return arrays, description


def _plan(arrays: Any, description: Any, rng: random.Random) -> Parts:
    column = {
        "name": "a" * rng.choice((1, 10**6)),
        "kind": rng.choice(("category", "boolean", "number", "text", "date", "other")),
        "why": rng.choice(("", "", "x")),
        "levels": [rng.choice(("x", "y", 1, 1.5, True, None, [], {}))] * rng.choice((0, 1, 2, 10**5)),
        "shares": [rng.choice((0.5, 1e308, "x"))] * rng.choice((0, 1, 2, 10**5)),
        "own": rng.choice(SIDES),
        "form": rng.choice(("", "0", "9", "300000000", "9" * 4000, "date", "datetime", "-1", "²")),
        "trust": rng.choice((0.9, 1e308, "x")),
    }
    copies = [column | {"name": f"{column['name']}{k}"} for k in range(rng.choice((1, 2, 12)))]
    old = json.loads(description["state"].get("plan") or "[]")
    description["state"]["plan"] = json.dumps(copies + old[len(copies) :])
    return arrays, description


def _nested(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """Objects inside objects."""
    penalty: Any = {"object": "L1", "with": {}}
    for _ in range(rng.choice((1, 2, 5, 30, 200))):
        share = rng.choice((0.1, 0.5, 7, "x"))
        penalty = {"object": "Trimmed", "with": {"share": share, "inner": penalty, "cutoff": None}}
    for member in description["members"]:
        member["penalty"] = penalty
    return arrays, description


def _penalties(arrays: Any, description: Any, rng: random.Random) -> Parts:
    index = [rng.choice(SIDES) for _ in range(rng.choice((8, 8, 10**5)))]
    shape = {"tuple": sides(rng)}
    penalty = rng.choice(
        (
            {"object": "Groups", "with": {"index": index}},
            {"object": "SourceColumns", "with": {"index": [10**9 + k for k in range(8)]}},
            {"object": "Channels", "with": {"n": rng.choice(SIDES)}},
            {"object": "Patches",
             "with": {"height": rng.choice(SIDES), "width": rng.choice(SIDES), "image_shape": shape}},
            {"object": "Patches", "with": {"height": 1, "width": 1, "image_shape": {"tuple": [8, 1, 10**9]}}},
        )
    )  # fmt: skip
    description["members"][0]["penalty"] = penalty
    return arrays, description


def _members(arrays: Any, description: Any, rng: random.Random) -> Parts:
    count = rng.choice((2, 50, 199, 201, 4000, 30_000))
    one = {name.partition(".")[2]: values for name, values in arrays.items() if name.startswith("member0.")}
    brought = rng.choice((0, 1, min(count, 4000)))
    others = {name: values for name, values in arrays.items() if not name.startswith("member")}
    copies = {f"member{k}.{name}": values for k in range(brought) for name, values in one.items()}
    return others | copies, description | {"members": description["members"][:1] * count}


def _long_state(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """A description that is much longer than its arrays."""
    size, atom = (
        rng.choice((10, 10**5, 4 * 10**6)),
        rng.choice((0, 1.5, "ab", None, [], {}, [[]], {"float": "inf"})),
    )
    key = rng.choice(sorted(description["state"]))
    description["state"][key] = rng.choice(
        ([atom] * size, {"tuple": [atom] * size}, "a" * size, {"a" * size: atom})
    )
    return arrays, description


def _many_arrays(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """Names of nothing."""
    prefix = rng.choice(("x", "member0.x", "member0.predictor.x", "member0.distance.x"))
    return arrays | {f"{prefix}{k}": np.zeros(0) for k in range(rng.choice((10, 2000, 30_000)))}, description


def _numbers(arrays: Any, description: Any, rng: random.Random) -> Parts:
    """Numbers at the edge of what can be computed with."""
    name = rng.choice([name for name, values in arrays.items() if values.dtype.kind == "f"])
    signs = np.where(np.arange(arrays[name].size) % 2, 1.0, -1.0).reshape(arrays[name].shape)
    size = rng.choice((1e60, 1e149, 1e-149, 1e200, 1e308, 5e-324))
    arrays[name] = (signs if rng.random() < 0.7 else abs(signs)) * size
    return arrays, description


MODELS = (
    _widths, _widths, _no_columns, _plan, _nested, _penalties, _members, _long_state, _many_arrays, _numbers,
)  # fmt: skip


def header(rng: random.Random, most: int = 60 * MIB) -> bytes:
    """A file of a header and nothing else, of many small things."""
    atom, size = rng.choice(ATOMS), rng.choice((10**4, 10**6, 10**7, most))
    filled = b"[" + b",".join([atom] * (size // (len(atom) + 1))) + b"]"
    version = artifact.FORMAT
    text = rng.choice((
        b'{"__metadata__":{"robustae":"%d","description":"{}","sha256":""},"x":%s}' % (version, filled),
        b'{"__metadata__":{"robustae":"%d","description":"%s","sha256":""}}'
        % (version, filled.replace(b'"', b'\\"')),
        filled,
        b'{"x":' * min(size, 10**6),
        b'"' + b"\\u20ac" * (size // 6) + b'"',
    ))  # fmt: skip
    return len(text).to_bytes(8, "little") + text + bytes(rng.choice((0, 64)))


def headers(rng: random.Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield header(rng)
