"""A served model answers as it does at home, refuses in one sentence, and takes on no more than it may."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import serving
from serving import ARROW, CSV, JSON, arrow_body, csv_body, json_body, tensor

from robustae import RobustAutoencoder
from robustae.data import MixedTable
from robustae.utils.checks import InputError

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("prometheus_client", reason="needs the extra serve")
pytest.importorskip("httpx", reason="needs httpx")
pa = pytest.importorskip("pyarrow", reason="needs the extra serve")
from fastapi.testclient import TestClient  # noqa: E402

from robustae.deploy.serve import Limits, create_app  # noqa: E402

NAMES = ["a", "b", "c", "d"]
rng = np.random.default_rng(3)
X = rng.normal(size=(80, 1)) * [1.0, 2.0, -1.0, 0.5] + 0.2 * rng.normal(size=(80, 4))
X[5] += [8, -8, 8, 8]
NEW = X[:12].copy()
NEW[2, 1] = np.nan
ROWS = dict(zip(NAMES, NEW.T, strict=True))
KINDS = np.array(["north", "south", "west", "north"] * 20, dtype=object)
MIXED = {"size": X[:, 0], "kind": KINDS, "open": X[:, 1] > 0}


def fitted(X):
    return RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(X)


@pytest.fixture(scope="module")
def model():
    return fitted(X)


@pytest.fixture(scope="module")
def named():
    pd = pytest.importorskip("pandas", reason="needs the extra dataframes")
    return fitted(pd.DataFrame(X, columns=NAMES))


@pytest.fixture(scope="module")
def mixed():
    return fitted(MixedTable(MIXED))


@pytest.fixture(scope="module")
def client(model):
    with TestClient(create_app(model, "sensors")) as client:
        yield client


def infer(client, body, kind, **params):
    return client.post(
        "/v2/models/sensors/infer", content=body, headers={"content-type": kind}, params=params
    )


def sentence(answer, status):
    """The sentence of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON
    (said,) = answer.json().values()
    assert list(answer.json()) == ["error"]
    assert said.strip() and "\n" not in said and "Traceback" not in said
    return said


def check_scores(found, model, rows):
    expected = model.score_samples(rows)
    np.testing.assert_array_equal(np.asarray(found["score"], dtype=float), expected)
    told = [str(flag).lower() == "true" for flag in found["anomaly"]]
    assert told == (expected < model.offset_).tolist()


# ---------------------------------------------------------------- the protocol


def test_health_and_metadata(client):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/sensors/ready").json() == {"name": "sensors", "ready": True}
    assert {"name", "version", "extensions"} <= set(client.get("/v2").json())
    about = client.get("/v2/models/sensors").json()
    assert about["inputs"] == [{"name": "X", "datatype": "FP64", "shape": [-1, 4]}]
    assert [out["name"] for out in about["outputs"]] == ["score", "anomaly", "reconstruction", "outliers"]


def test_tensors_of_rows(client, model):
    answer = infer(client, json_body(tensor("X", NEW), id="7"), JSON)
    assert answer.json()["model_name"] == "sensors" and answer.json()["id"] == "7"
    assert [out["datatype"] for out in answer.json()["outputs"]] == ["FP64", "BOOL"]
    check_scores(serving.read_json(answer.content), model, NEW)


def test_nested_data_and_other_numbers(client, model):
    whole = np.rint(NEW[:2] * 3)
    for datatype in ("FP64", "FP32", "INT32", "INT8"):
        one = tensor("X", whole, datatype) | {"data": whole.astype(int).tolist()}
        check_scores(serving.read_json(infer(client, json_body(one), JSON).content), model, whole)
    single = NEW[:3].astype(np.float32)
    single[2, 1] = 0.5
    found = serving.read_json(infer(client, json_body(tensor("X", single, "FP32")), JSON).content)
    check_scores(found, model, single)


def test_one_tensor_for_each_column(named):
    with TestClient(create_app(named, "sensors")) as client:
        columns = [tensor(name, ROWS[name]) for name in ("d", "c", "b", "a")]
        found = serving.read_json(infer(client, json_body(*columns), JSON).content)
        check_scores(found, named, NEW)
        assert "'a'" in sentence(infer(client, json_body(*columns[:3]), JSON), 400)


@pytest.mark.parametrize("kind", [ARROW, CSV])
def test_tables_by_name_in_any_order_beside_other_columns(kind, named):
    rows = {"when": ["monday"] * len(NEW)} | {name: ROWS[name] for name in "cadb"}
    body, read = (arrow_body, serving.read_arrow) if kind == ARROW else (csv_body, serving.read_csv)
    with TestClient(create_app(named, "sensors")) as client:
        answer = infer(client, body(rows), kind)
        assert answer.headers["content-type"].startswith(kind)
        check_scores(read(answer.content), named, NEW)


def test_csv_without_names(client, model):
    lines = csv_body(ROWS).split(b"\n", 1)[1]
    check_scores(serving.read_csv(infer(client, lines, CSV).content), model, NEW)
    check_scores(serving.read_csv(infer(client, lines.replace(b",", b";"), CSV).content), model, NEW)
    as_spreadsheets_do = lines.replace(b",", b";").replace(b".", b",")
    check_scores(serving.read_csv(infer(client, as_spreadsheets_do, CSV).content), model, NEW)


def test_arrow_of_several_batches_and_other_types(client, model):
    whole = np.rint(NEW)
    whole[2, 1] = 0
    columns = [
        pa.array(column.astype(kind)) for column, kind in zip(whole.T, ("i1", "u1", "i8", "f4"), strict=True)
    ]
    whole[:, 1] = columns[1].to_numpy()
    batch = pa.RecordBatch.from_arrays(columns, names=NAMES)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        for start in range(0, 12, 5):
            writer.write_batch(batch.slice(start, 5))
    check_scores(serving.read_arrow(infer(client, sink.getvalue().to_pybytes(), ARROW).content), model, whole)


def test_parts_of_the_rows_where_asked_for(client, model):
    outputs = [{"name": "reconstruction"}, {"name": "outliers"}]
    found = serving.read_json(infer(client, json_body(tensor("X", NEW), outputs=outputs), JSON).content)
    assert list(found) == ["reconstruction", "outliers"]
    for name, expected in zip(found, model.split(NEW), strict=True):
        np.testing.assert_array_equal(found[name].astype(float), expected)
    flat = infer(client, arrow_body(ROWS), ARROW, outputs=["score", "reconstruction"])
    found = serving.read_arrow(flat.content)
    assert list(found) == ["score", *(f"reconstruction.{j}" for j in range(4))]
    np.testing.assert_array_equal(np.column_stack(list(found.values())[1:]), model.reconstruct(NEW))


def test_a_mixed_table_in_every_form(mixed):
    rows = {name: values[:20] for name, values in MIXED.items()}
    table = MixedTable(rows)
    columns = [
        tensor("size", rows["size"]),
        tensor("kind", rows["kind"], "BYTES"),
        tensor("open", rows["open"], "BOOL"),
    ]
    with TestClient(create_app(mixed, "sensors")) as client:
        about = client.get("/v2/models/sensors").json()
        assert [entry["datatype"] for entry in about["inputs"]] == ["FP64", "BYTES", "BYTES"]
        check_scores(serving.read_json(infer(client, json_body(*columns), JSON).content), mixed, table)
        check_scores(serving.read_arrow(infer(client, arrow_body(rows), ARROW).content), mixed, table)
        check_scores(serving.read_csv(infer(client, csv_body(rows), CSV).content), mixed, table)
        for kind, body in ((ARROW, arrow_body(rows)), (CSV, csv_body(rows))):
            found = infer(client, body, kind, outputs=["reconstruction", "outliers"]).content
            found = serving.read_arrow(found) if kind == ARROW else serving.read_csv(found)
            assert list(found)[:3] == ["reconstruction.size", "reconstruction.kind", "reconstruction.open"]
            assert list(found["reconstruction.kind"]) == list(mixed.reconstruct(table).columns["kind"])


def test_the_model_is_left_as_it_was(named):
    before = named.score_samples(X)
    with TestClient(create_app(named, "sensors")) as client:
        infer(client, csv_body(ROWS), CSV, outputs=["outliers"])
    np.testing.assert_array_equal(named.score_samples(X), before)
    assert list(named.feature_names_in_) == NAMES


# ---------------------------------------------------------------- refusals

SOUND = json.loads(json_body(tensor("X", NEW[:1])))
TENSOR = SOUND["inputs"][0]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"inputs": [' + b"1" * 5000 + b"]}", ""),
        (b"[]", "object"),
        (b"{}", "inputs"),
        (json.dumps({"inputs": []}), "inputs"),
        (json.dumps({"inputs": [1]}), "object"),
        (json.dumps({"inputs": [TENSOR | {"datatype": "FP63"}]}), "FP64"),
        (json.dumps({"inputs": [TENSOR | {"shape": [1, 3]}]}), "shape"),
        (json.dumps({"inputs": [TENSOR | {"shape": [-1, 4]}]}), "shape"),
        (json.dumps({"inputs": [TENSOR | {"shape": [2, 2]}]}), "4 numbers"),
        (json.dumps({"inputs": [TENSOR | {"shape": [0, 4], "data": []}]}), "no rows"),
        (json.dumps({"inputs": [TENSOR | {"data": ["x", 1, 2, 3]}]}), "FP64"),
        (json.dumps({"inputs": [TENSOR | {"data": [None] * 4}]}), "observed"),
        (json.dumps({"inputs": [TENSOR | {"data": [[1, 2], [3]]}]}), "FP64"),
        (json.dumps({"inputs": [TENSOR | {"data": [1e400, 1, 2, 3]}]}), "infinity"),
        (json.dumps({"inputs": [TENSOR | {"data": [1e200, 1, 2, 3]}]}), "unit"),
        (json.dumps({"inputs": [TENSOR | {"datatype": "INT8", "data": [1.5, 1, 2, 3]}]}), "INT8"),
        (json.dumps({"inputs": [TENSOR | {"datatype": "INT8", "data": [300, 1, 2, 3]}]}), "INT8"),
        (json.dumps({"inputs": [TENSOR | {"datatype": "BYTES", "data": ["a"] * 4}]}), "numbers"),
        (json.dumps(SOUND | {"outputs": [{"name": "scores"}]}), "did you mean 'score'?"),
        (json.dumps(SOUND | {"id": 7}), "id"),
    ],
)
def test_a_bad_request_of_tensors_is_refused_in_a_sentence(client, body, word):
    assert word in sentence(infer(client, body, JSON), 400)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"a,b,c,d\n", "no rows"),
        (b"1,2,3\n", "4 columns"),
        (b"1,2,3,4\n1,2\n", "line 1 has 4"),
        (b"1,2,3,x\n4,5,6,7\n", "'x'"),
        (b"1,2,3,inf\n", "infinity"),
        (b",,,\n", "observed"),
        (b"\xff\xfe1,2,3,4", "UTF-8"),
        (b"1,2,3,4\n" + b"9" * 200_000 + b",1,1,1", "CSV"),
    ],
)
def test_bad_csv_is_refused_in_a_sentence(client, body, word):
    assert word in sentence(infer(client, body, CSV), 400)


def test_bad_streams_are_refused_in_a_sentence(client):
    sound = arrow_body(ROWS)
    for body in (b"", b"x" * 100, sound[:200], sound[: len(sound) // 2], csv_body(ROWS)):
        assert "Arrow" in sentence(infer(client, body, ARROW), 400)
    assert "no rows" in sentence(
        infer(client, arrow_body({name: ROWS[name][:0] for name in NAMES}), ARROW), 400
    )
    texts = arrow_body(ROWS | {"d": ["x"] * 12})
    assert "'d'" in sentence(infer(client, texts, ARROW), 400)
    assert "4 columns" in sentence(infer(client, arrow_body({"a": ROWS["a"]}), ARROW), 400)


def test_a_compressed_stream_is_refused_before_it_is_unpacked(client):
    zeros = {name: np.zeros(50_000) for name in NAMES}
    for codec in ("zstd", "lz4"):
        body = arrow_body(zeros, options=pa.ipc.IpcWriteOptions(compression=codec))
        assert len(body) < 50_000
        assert "compressed" in sentence(infer(client, body, ARROW), 400)
    texts = pa.array(["x" * 5000] * 3).dictionary_encode()
    body = arrow_body(
        zeros | {"d": texts.take(pa.array([0] * 50_000))}, options=pa.ipc.IpcWriteOptions(compression="zstd")
    )
    assert "compressed" in sentence(infer(client, body, ARROW), 400)


def test_a_long_text_cannot_be_pointed_to_by_many_rows(mixed):
    long = pa.array(["x" * 2**20]).dictionary_encode().take(pa.array([0] * 20))
    rows = {name: values[:20] for name, values in MIXED.items()} | {"kind": long}
    with TestClient(create_app(mixed, "sensors")) as client:
        assert "texts" in sentence(infer(client, arrow_body(rows), ARROW), 413)


def test_offsets_that_lead_outside_are_found(mixed):
    rows = {name: values[:20] for name, values in MIXED.items()}
    body = arrow_body(rows)
    offsets = pa.array(rows["kind"].tolist()).buffers()[1].to_pybytes()[:84]
    assert body.count(offsets) == 1
    wild = body.replace(offsets, offsets[:40] + (2**30).to_bytes(4, "little") + offsets[44:])
    with TestClient(create_app(mixed, "sensors")) as client:
        assert "Arrow" in sentence(infer(client, wild, ARROW), 400)


@pytest.mark.parametrize(
    ("parameter", "encoding"),
    [
        ("charset=UTF-8", "utf-8"),
        ('charset="utf-16"', "utf-16"),
        ("header=present; Charset=utf-16le", "utf-16-le"),
        ("charset=windows-1252", "cp1252"),
        ("charset=iso-8859-15", "iso8859-15"),
        ("header=present", "utf-8"),
    ],
)
def test_rows_in_the_encoding_that_is_named(parameter, encoding):
    size, ort = X[:, 0], np.array([("Köln", "Zürich")[i % 2] for i in range(len(X))], dtype=object)
    model = fitted(MixedTable({"größe": size, "ort": ort}))
    text = "größe,ort\n1.5,Köln\n-2.5,Zürich\n"
    with TestClient(create_app(model, "sensors")) as client:
        plain = infer(client, text.encode(), CSV)
        found = infer(client, text.encode(encoding), f"{CSV}; {parameter}")
    assert plain.status_code == found.status_code == 200 and plain.content == found.content


@pytest.mark.parametrize("charset", ["utf-7", "punycode", "zip", "", "x" * 500])
def test_other_encodings_are_refused(client, charset):
    assert "charset" in sentence(infer(client, b"1,2,3,4", f"{CSV}; charset={charset}"), 415)


def test_a_body_in_another_encoding_than_named(client):
    assert "utf-16" in sentence(infer(client, b"1,2,3,4\n1", f"{CSV}; charset=utf-16"), 400)
    assert "charset=" in sentence(infer(client, b"1,2,3,\xff", CSV), 400)


def test_other_kinds_and_places(client):
    assert "text/csv" in sentence(infer(client, b"1,2,3,4", "text/plain"), 415)
    page = {"origin": "https://example.org"}  # of a page in a browser, which needs no leave without a type
    assert "text/csv" in sentence(client.post("/v2/models/sensors/infer", content=b"1", headers=page), 415)
    gzipped = {"content-type": CSV, "content-encoding": "gzip"}
    assert "compressed" in sentence(
        client.post("/v2/models/sensors/infer", content=b"1", headers=gzipped), 415
    )
    assert "sensors" in sentence(client.get("/v2/models/sensor"), 404)
    sentence(client.get("/v1"), 404)
    sentence(client.get("/docs"), 404)
    sentence(client.get("/v2/models/sensors/infer"), 405)
    assert "did you mean" in sentence(infer(client, csv_body(ROWS), CSV, outputs="anomly"), 400)


# ---------------------------------------------------------------- limits


def test_too_many_rows_in_any_form(model):
    with TestClient(create_app(model, "sensors", Limits(rows=11))) as client:
        for kind, body in (
            (JSON, json_body(tensor("X", NEW))),
            (CSV, csv_body(ROWS)),
            (ARROW, arrow_body(ROWS)),
        ):
            assert "12 rows" in sentence(infer(client, body, kind), 413)
        assert infer(client, json_body(tensor("X", NEW[:11])), JSON).status_code == 200


def test_too_many_bytes_told_or_not(model):
    with TestClient(create_app(model, "sensors", Limits(bytes=1000))) as client:
        assert "1000 bytes" in sentence(infer(client, b"1,2,3,4\n" * 200, CSV), 413)
        assert "1000 bytes" in sentence(infer(client, iter([b"1,2,3,4\n"] * 200), CSV), 413)
        assert infer(client, b"1,2,3,4\n" * 100, CSV).status_code == 200


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"seconds": -1}, {"queue": 0}])
def test_limits_are_above_zero(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Limits(**wrong)


def posted(client, pool):
    return pool.submit(infer, client, b"1\n", CSV)


def test_those_beyond_the_queue_are_sent_away_and_the_others_answered():
    slow = serving.Slow()
    with TestClient(create_app(slow, "sensors", Limits(queue=3))) as client, ThreadPoolExecutor(3) as pool:
        taken = [posted(client, pool) for _ in range(3)]
        assert slow.begun.acquire(timeout=10)
        while client.app.state.queue.in_hand < 3:
            pass
        refused = infer(client, b"1\n", CSV)
        assert "retry" in sentence(refused, 429)
        assert int(refused.headers["retry-after"]) >= 1
        slow.free.set()
        assert [answer.result().status_code for answer in taken] == [200] * 3
        assert infer(client, b"1\n", CSV).status_code == 200


def test_waiting_and_scoring_end_with_the_time_limit():
    slow = serving.Slow()
    with (
        TestClient(create_app(slow, "sensors", Limits(seconds=0.3))) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        first = posted(client, pool)
        assert slow.begun.acquire(timeout=10)
        second = posted(client, pool)
        assert "0.3 s" in sentence(first.result(), 504)
        waited = second.result()
        assert "retry" in sentence(waited, 503)
        assert int(waited.headers["retry-after"]) >= 1
        assert client.app.state.queue.in_hand == 1, "a thread that still scores holds its place"
        slow.free.set()
        while client.app.state.queue.in_hand:
            pass
        assert infer(client, b"1\n", CSV).status_code == 200


def test_long_work_is_given_up_between_two_blocks(model, monkeypatch):
    from robustae.deploy.serve import answers

    monkeypatch.setattr(answers, "CELLS", 4)
    with TestClient(create_app(model, "sensors", Limits(seconds=0.2))) as client:
        sentence(infer(client, b"1,2,3,4\n" * 20_000, CSV), 504)
        while client.app.state.queue.in_hand:
            pass
        assert infer(client, b"1,2,3,4\n", CSV).status_code == 200


def test_a_body_that_never_ends_is_given_up(model):
    app = create_app(model, "sensors", Limits(seconds=0.2))
    sent = []

    async def receive():
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"1", "more_body": True}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", CSV.encode())]
    scope = {"type": "http", "method": "POST", "path": "/v2/models/sensors/infer", "headers": headers}
    scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": ""}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert app.state.queue.in_hand == 0


def test_health_is_answered_while_a_model_scores():
    slow = serving.Slow()
    with TestClient(create_app(slow, "sensors")) as client, ThreadPoolExecutor(1) as pool:
        answer = posted(client, pool)
        assert slow.begun.acquire(timeout=10)
        assert client.get("/v2/health/live").status_code == 200
        slow.free.set()
        assert answer.result().status_code == 200


# ---------------------------------------------------------------- token, counts, manners


def test_a_token_opens_all_but_health(model):
    with TestClient(create_app(model, "sensors", token="s3cret")) as client:
        paths = ["/v2", "/v2/models/sensors", "/metrics", "/openapi.json", "/nowhere"]
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "s3cret"}):
            for path in paths:
                refused = client.get(path, headers=headers)
                assert "token" in sentence(refused, 401)
                assert refused.headers["www-authenticate"] == "Bearer"
        assert client.get("/v2/health/live").status_code == 200
        right = {"authorization": "Bearer s3cret"}
        assert [client.get(path, headers=right).status_code for path in paths] == [200] * 4 + [404]


def test_counts(client):
    def value(line):
        text = client.get("/metrics").text
        return sum(float(row.rpartition(" ")[2]) for row in text.splitlines() if row.startswith(line))

    answered = 'robustae_requests_total{route="/v2/models/{name}/infer",status="200"}'
    names = [answered, "robustae_rows_total", "robustae_anomalies_total", "robustae_request_seconds_count"]
    before = [value(name) for name in names]
    found = serving.read_csv(infer(client, csv_body(ROWS), CSV).content)
    after = [value(name) for name in names]
    grown = [b - a for a, b in zip(before, after, strict=True)]
    assert grown[:3] == [1, 12, found["anomaly"].count("True")]
    assert grown[3] >= 1
    assert value("robustae_requests_in_hand") == 1, "the one that asks"


def test_a_failure_of_ours_is_no_traceback():
    class Broken(serving.Slow):
        def score_samples(self, X):
            raise RuntimeError("a secret")

    with TestClient(create_app(Broken(), "sensors"), raise_server_exceptions=False) as client:
        assert "secret" not in sentence(infer(client, b"1\n", CSV), 500)
        assert client.app.state.queue.in_hand == 0


def test_threads_and_seeds_are_left_alone(model):
    import torch

    torch.set_num_threads(2)
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    try:
        with TestClient(create_app(model, "sensors")) as client:
            infer(client, csv_body(ROWS), CSV)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.random.get_rng_state(), before[1])


def test_clients_at_a_time_get_their_own_rows(client, model):
    expected = model.score_samples(X)
    barrier = threading.Barrier(8)

    def ask(k):
        barrier.wait()
        return serving.read_csv(infer(client, ",".join(map(repr, X[k].tolist())).encode(), CSV).content)[
            "score"
        ]

    with ThreadPoolExecutor(8) as pool:
        found = [float(score[0]) for score in pool.map(ask, range(8))]
    np.testing.assert_allclose(found, expected[:8], rtol=1e-9)
