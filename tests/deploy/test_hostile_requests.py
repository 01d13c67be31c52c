"""A request made to take memory or time is answered, or refused, within bounds."""

import os
import random
import time
from collections import Counter

import fuzzing
import hostile
import numpy as np
import pytest
from serving import ARROW, JSON
from test_serve_fuzz import MIXED, TestClient, X, create_app

from robustae import RobustAutoencoder
from robustae.data import MixedTable

SECONDS, MIB = 5, 700  # of the processor, and beside what the process holds: a server is at about 300
REQUESTS = 100 * fuzzing.LONGER
needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="needs /proc")


def served():
    """A model of numbers and one of a mixed table, as they are served where nothing is set."""
    for rows in (X, MixedTable(MIXED)):
        model = RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(rows)
        yield TestClient(create_app(model, "m"), raise_server_exceptions=False)


def ask_them(sender):
    """Send hostile requests one after the other, and measure each."""
    clients, rng, told = list(served()), random.Random(0), []
    for number in range(REQUESTS):
        attack, body, headers = hostile.request(rng)
        client = clients[number % 2]
        begin = time.process_time()
        answer, _, peak = hostile.measured(
            lambda: client.post("/v2/models/m/infer", content=body, headers=headers)  # noqa: B023
        )
        took = time.process_time() - begin
        said = "fine" if answer.status_code == 200 else f"{answer.status_code} {answer.json()['error'][:60]}"
        told.append((attack, said, took, peak))
    sender.send(told)


@needs_proc
def test_no_request_takes_more_than_it_may():
    told = fuzzing.child(ask_them)
    assert {attack for attack, *_ in told} == {attack.__name__.strip("_") for attack in hostile.REQUESTS}
    assert not [trial for trial in told if trial[2] > SECONDS or trial[3] > MIB]
    assert not [trial for trial in told if not trial[1].startswith(("fine", "4"))]
    counts = Counter(said for _, said, *_ in told)
    assert counts["fine"] and len(counts) > 8, "some do no harm, others are refused for several reasons"
    fuzzing.tally("hostile requests", counts, max(t[2] for t in told), max(t[3] for t in told))


@pytest.fixture(scope="module")
def clients():
    return list(served())


def refused(clients, body, kind, most=1.0):
    begin = time.process_time()
    answers = [
        client.post("/v2/models/m/infer", content=body, headers={"content-type": kind}) for client in clients
    ]
    assert time.process_time() - begin < most
    for answer in answers:
        assert answer.status_code in (400, 413), answer.text
    return answers[0].json()["error"]


@pytest.mark.parametrize("side", [b"99999999999999999", b"0", b"1", b"9" * 4000])
def test_a_shape_of_many_sides_is_not_multiplied_out(side, clients):
    sides = b",".join([b"1", *[side] * (2 * hostile.MIB // len(side))])
    body = b'{"inputs":[{"name":"X","shape":[%s],"datatype":"FP64","data":[1]}]}' % sides
    refused(clients, body, JSON)


@pytest.mark.parametrize("changes", [(), ("version",), ("version", "compression")])
def test_a_stream_compressed_by_any_version_is_refused(changes, clients):
    pa = pytest.importorskip("pyarrow")
    zeros = pa.record_batch([pa.array(np.zeros(10**5))] * 3, names=list("abc"))
    body = bytearray(hostile._stream([zeros], compression="zstd"))
    assert len(body) < 20_000
    for change in changes:
        hostile._patch(body, change)
    said = refused(clients, bytes(body), ARROW)
    assert "compressed" in said or "V5" in said


@pytest.mark.parametrize("length", [9_999, 200_000])
def test_texts_count_as_often_as_they_are_pointed_to(length, clients):
    pa = pytest.importorskip("pyarrow")
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(50_000, np.int8)), pa.array(["x" * length]))
    numbers = pa.array(np.zeros(50_000))
    body = hostile._stream([pa.record_batch([numbers, column, numbers], names=list("abc"))])
    assert "texts" in refused(clients[1:], body, ARROW)
