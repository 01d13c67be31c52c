"""Spoilt files and what may come of them: mutations with a seed, and one sentence as the only complaint."""

import io
import json
import multiprocessing
import os
import random
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robustae.utils.checks import InputError

LONGER = int(os.environ.get("ROBUSTAE_SOAK", "1"))  # times as many trials as in the short form
LEDGER = os.environ.get("ROBUSTAE_SOAK_LEDGER")  # where the long form keeps its counts
NUMBERS = [0, -1, 1, 3, 1.5, 10**6, 2**31, 2**63, 2**200, 1e308, -1e308, 1e-300, float("nan"), float("inf")]
TEXTS = ["", "auto", "nan", "os", "../../etc/passwd", "__import__('os').system('true')", "\0", "é" * 5000]
OBJECTS = [
    {"object": "os.system", "with": {"command": "true"}},
    {"object": "Adam", "with": {}},
    {"object": "Budget", "with": {"max_iter": 1}},
    {"object": "Trimmed", "with": {"inner": {"object": "Trimmed", "with": {}}}},
    {"object": "Groups", "with": {"index": "abc"}},
    {"object": "L1", "with": {"unknown": 1}},
    {"object": [1], "with": {}},
]
OTHERS = [None, True, [], {}, [1, 2], [[]], {"float": "x"}, {"float": "nan"}, {"float": None}]
TUPLES = [{"tuple": value} for value in ([], 5, [1e9, 10**9], [10**7, 10**7], [-1], [0])]
WRONG = [*NUMBERS, *TEXTS, *OBJECTS, *OTHERS, *TUPLES]
DTYPES = ("f2", "f4", "f8", "i4", "i8", "u1", "?")


def one_sentence(error: BaseException) -> str:
    """Return the message of a refusal, checked to be one line that ends like a sentence."""
    said = str(error)
    assert said.strip() and len(said.splitlines()) == 1, said
    assert said.endswith((".", "?")) and "Traceback" not in said, said
    return said


def outcome(work: Callable[[], Any]) -> str:
    """Return "fine", or the sentence of the refusal; anything else comes through."""
    try:
        work()
    except InputError as error:
        return one_sentence(error)
    return "fine"


def tally(check: str, told: Counter, seconds: float = 0.0, mib: float = 0.0) -> None:
    """Keep what became of the trials of a check, where the long form asks for it."""
    if LEDGER:
        counts: dict[str, Any] = {"check": check, "trials": told.total(), "fine": told["fine"]}
        counts |= {"seconds": seconds, "mib": mib} if mib else {}
        with open(LEDGER, "a", encoding="utf-8") as file:
            file.write(json.dumps(counts) + "\n")


def child(work: Callable[..., None], *arguments: Any) -> Any:
    """Run ``work(sender, *arguments)`` in a process of its own, and return what it sent.

    What is written in C may end it, and what watches or limits a process stays with that one. It is no fork
    of this one, whose decoders have threads: those may hold locks that nobody in the fork would give back.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        pytest.skip("needs a process forked from a server")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "robustae.data.clips", "robustae.estimators.autoencoder"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, *arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        pytest.fail(f"the process ended with exit code {process.exitcode}")
    finally:
        process.join()


def little_memory(spare: int) -> None:
    """Let this process have only so many more bytes."""
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + spare, resource.RLIM_INFINITY))


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def finite(result: Any) -> bool:
    """Whether all numbers in an array, or a tuple of them, are finite."""
    if isinstance(result, tuple):
        return all(map(finite, result))
    return not isinstance(result, np.ndarray) or result.dtype.kind == "O" or bool(np.isfinite(result).all())


# --- bytes ------------------------------------------------------------------------------------------


def bytes_of(data: bytes, rng: random.Random) -> bytes:
    """Spoil a file as disks, transfers and editors do."""
    place, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 8, 100, len(data) // 3 + 1))
    piece = data[place : place + length]
    return rng.choice(_BYTES)(data, place, piece, rng)


def _flipped(data: bytes, place: int, piece: bytes, rng: random.Random) -> bytes:
    spoilt = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 4, 50))):
        spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def _overwritten(data: bytes, place: int, piece: bytes, rng: random.Random) -> bytes:
    filler = rng.choice((b"\0", b"\xff", b"\x80", bytes([rng.randrange(256)])))
    return data[:place] + filler * len(piece) + data[place + len(piece) :]


_BYTES: list[Callable[[bytes, int, bytes, random.Random], bytes]] = [
    _flipped,
    _flipped,
    _overwritten,
    lambda data, place, piece, rng: data[:place],
    lambda data, place, piece, rng: data[place:],
    lambda data, place, piece, rng: data[:place] + data[place + len(piece) :],
    lambda data, place, piece, rng: data[:place] + piece + data[place:],
    lambda data, place, piece, rng: data[:place] + rng.randbytes(len(piece)) + data[place:],
    lambda data, place, piece, rng: rng.randbytes(len(data)),
    lambda data, place, piece, rng: data + piece,
]


# --- descriptions -----------------------------------------------------------------------------------


def json_of(document: Any, rng: random.Random) -> Any:
    """Return a copy with one or two entries changed, renamed or gone."""
    document = json.loads(json.dumps(document))
    for _ in range(rng.choice((1, 1, 1, 2))):
        holder, key = rng.choice(list(_entries(document)) or [([None], 0)])
        _spoil(holder, key, rng)
    return document


def _entries(value: Any) -> Iterator[tuple[Any, Any]]:
    """All entries, of long lists the first few."""
    keys = list(value) if isinstance(value, dict) else range(min(len(value), 4))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _entries(value[key])


def _spoil(holder: Any, key: Any, rng: random.Random) -> None:
    how = rng.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    elif how == 2:
        holder[key] = _nearby(holder[key], rng)
    else:
        holder[key] = json.loads(json.dumps(rng.choice(WRONG)))


def _nearby(value: Any, rng: random.Random) -> Any:
    if isinstance(value, list):
        return rng.choice((value + value, value[:-1], value[::-1], [value]))
    if isinstance(value, str):
        place = rng.randrange(len(value) + 1)
        return value[:place] + chr(rng.randrange(32, 300)) + value[place + 1 :]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return rng.choice((-value, value + 1, value - 1, value * 10, value * 1e9, 0))
    return [value]


# --- arrays -----------------------------------------------------------------------------------------


def arrays_of(arrays: dict[str, np.ndarray], rng: random.Random) -> dict[str, np.ndarray]:
    """Return the arrays with one of them gone, renamed, of another shape or type, or with wrong numbers."""
    name = rng.choice(sorted(arrays))
    others = {key: values for key, values in arrays.items() if key != name}
    how = rng.randrange(8)
    if how == 0:
        return others
    if how == 1:
        return others | {name + "x": arrays[name]}
    if how == 2:
        return arrays | {name: arrays[rng.choice(sorted(arrays))]}
    return others | {name: np.ascontiguousarray(rng.choice(_ARRAYS)(arrays[name], rng))}


def _with_wrong_cell(values: np.ndarray, rng: random.Random) -> np.ndarray:
    if not values.size:
        return values
    spoilt, raw = values.copy(), bytearray(values.tobytes())
    if values.dtype.kind == "f" and rng.random() < 0.5:
        largest, least = np.finfo(values.dtype).max, np.finfo(values.dtype).smallest_subnormal
        wrong = (np.nan, np.inf, -np.inf, largest, -largest, largest**0.7, least, 0, -1)
        spoilt.reshape(-1)[rng.randrange(values.size)] = rng.choice(wrong)
        return spoilt
    raw[rng.randrange(len(raw))] ^= 1 if values.dtype.kind == "b" else 1 << rng.randrange(8)
    return np.frombuffer(bytes(raw), values.dtype).reshape(values.shape)


_ARRAYS: list[Callable[[np.ndarray, random.Random], np.ndarray]] = [
    _with_wrong_cell,
    _with_wrong_cell,
    _with_wrong_cell,
    lambda values, rng: values.reshape(-1),
    lambda values, rng: values.T,
    lambda values, rng: values[None],
    lambda values, rng: np.concatenate([values.reshape(-1)] * 2),
    lambda values, rng: values[:0] if values.ndim else values[None],
    lambda values, rng: values[:-1] if values.ndim else values[None],
    lambda values, rng: np.full_like(values, rng.choice((0, 1))),
    lambda values, rng: np.nan_to_num(values).astype(rng.choice(DTYPES)),
]
