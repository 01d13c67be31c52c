"""Whatever is sent to the server, the answer is one of those it promises, and never a failure of its own."""

import json

import numpy as np
import pytest
import serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import ARROW, CSV, JSON, arrow_body, csv_body, json_body, tensor

from robustae import RobustAutoencoder
from robustae.data import MixedTable

pytest.importorskip("fastapi", reason="needs the extra serve")
pytest.importorskip("prometheus_client", reason="needs the extra serve")
pytest.importorskip("pyarrow", reason="needs the extra serve")
pytest.importorskip("httpx", reason="needs httpx")
from fastapi.testclient import TestClient

from robustae.deploy.serve import Limits, create_app
from robustae.deploy.serve.tensors import DATATYPES

X = np.random.default_rng(1).normal(size=(60, 3))
COLUMNS = dict(zip("abc", X[:6].T, strict=True))
MIXED = {"a": X[:, 0], "b": np.array(["x", "y", "z"] * 20, dtype=object), "c": X[:, 1] > 0}
SOUND = {
    ARROW: [arrow_body(COLUMNS), arrow_body({name: values[:6] for name, values in MIXED.items()})],
    CSV: [csv_body(COLUMNS), csv_body({name: values[:6] for name, values in MIXED.items()})],
    JSON: [json_body(tensor("X", X[:6]))],
}
BRIEF = settings(max_examples=150, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def clients():
    """The same limits around a model of numbers and one of a mixed table."""
    made = []
    for rows in (X, MixedTable(MIXED)):
        model = RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(rows)
        made.append(TestClient(create_app(model, "m", Limits(rows=50, bytes=20_000))))
    return made


def check(clients, body, kind):
    """A score for each row, or a sentence with a status that says whose fault it is."""
    for client in clients:
        answer = client.post("/v2/models/m/infer", content=body, headers={"content-type": kind})
        if answer.status_code == 200:
            assert answer.headers["content-type"].startswith(kind)
            read = {ARROW: serving.read_arrow, CSV: serving.read_csv, JSON: serving.read_json}[kind]
            assert len(read(answer.content)["score"])
            continue
        assert answer.status_code in (400, 413, 415), (answer.status_code, answer.text)
        (said,) = answer.json().values()
        assert said and "\n" not in said and "Traceback" not in said
        assert client.app.state.queue.in_hand == 0


@BRIEF
@given(body=st.binary(max_size=400), kind=st.sampled_from([ARROW, CSV, JSON]))
def test_any_bytes(clients, body, kind):
    check(clients, body, kind)


@settings(BRIEF, max_examples=400)
@given(
    kind=st.sampled_from([ARROW, CSV, JSON]),
    which=st.integers(0, 1),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6
    ),
    cut=st.one_of(st.none(), st.floats(0, 1)),
)
def test_sound_bodies_with_some_bytes_changed_or_cut(clients, kind, which, changes, cut):
    body = bytearray(SOUND[kind][which % len(SOUND[kind])])
    for place, value in changes:
        body[int(place * len(body))] = value
    check(clients, bytes(body if cut is None else body[: int(cut * len(body))]), kind)


cells = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
trees = st.recursive(
    cells, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(st.sampled_from(["X", "a", "b", "c"]), trees),
        "datatype": st.one_of(st.sampled_from([*DATATYPES]), trees),
        "shape": st.one_of(st.lists(st.integers(-1, 4), max_size=3), st.just([2**70, 3]), trees),
        "data": st.one_of(st.lists(cells, max_size=8), trees),
        "parameters": trees,
    },
)
requests = st.fixed_dictionaries(
    {"inputs": st.one_of(st.lists(tensors, max_size=4), trees)},
    optional={"outputs": st.one_of(st.lists(st.fixed_dictionaries({"name": trees})), trees), "id": trees},
)


@settings(BRIEF, max_examples=400)
@given(request=requests)
def test_requests_that_look_like_the_protocol(clients, request):
    check(clients, json.dumps(request).encode(), JSON)


lines = st.lists(
    st.lists(st.one_of(st.text(max_size=6), st.floats().map(str)), min_size=1, max_size=5), max_size=6
)


@BRIEF
@given(rows=lines, delimiter=st.sampled_from(",;\t"), named=st.booleans())
def test_texts_that_look_like_csv(clients, rows, delimiter, named):
    text = "\n".join(delimiter.join(row) for row in [["a", "b", "c"]] * named + rows)
    check(clients, text.encode("utf-8", "surrogatepass"), CSV)


numbers = st.one_of(st.none(), st.floats(width=64), st.integers(-(2**31), 2**31).map(float))


@BRIEF
@given(rows=st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=8))
def test_numbers_score_alike_in_every_form(clients, rows):
    columns = {
        name: np.array(values, dtype=float)
        for name, values in zip("abc", zip(*rows, strict=True), strict=True)
    }
    bodies = {ARROW: arrow_body(columns), CSV: csv_body(columns)}
    bodies[JSON] = json_body(tensor("X", np.column_stack(list(columns.values()))))
    answers = {
        kind: clients[0].post("/v2/models/m/infer", content=body, headers={"content-type": kind})
        for kind, body in bodies.items()
    }
    assert len({answer.status_code for answer in answers.values()}) == 1, [a.text for a in answers.values()]
    if answers[JSON].status_code == 200:
        scores = [serving.read_arrow(answers[ARROW].content)["score"].tolist()]
        scores += [
            [float(cell) for cell in read["score"]]
            for read in (serving.read_csv(answers[CSV].content), serving.read_json(answers[JSON].content))
        ]
        assert scores[0] == scores[1] == scores[2]


@pytest.mark.slow
def test_the_server_keeps_to_its_openapi(clients):
    schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
    from schemathesis import checks

    schema = schemathesis.openapi.from_asgi("/openapi.json", clients[0].app)
    wanted = [
        checks.not_a_server_error,
        schemathesis.specs.openapi.checks.status_code_conformance,
        schemathesis.specs.openapi.checks.content_type_conformance,
        schemathesis.specs.openapi.checks.response_schema_conformance,
    ]
    asked = set()
    for operation in schema.get_all_operations():
        run(operation.ok(), wanted, asked)
    assert {("POST /v2/models/{name}/infer", status) for status in (400, 404)} <= asked


def run(operation, wanted, asked):
    """Try one operation."""

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(), own_name=st.booleans())
    def kept(case, own_name):
        if case.path_parameters and own_name:
            case.path_parameters["name"] = "m"
        answer = case.call()
        asked.add((operation.label, answer.status_code))
        case.validate_response(answer, checks=wanted)

    kept()
