"""Clients that people have: each gets from a running server what the model gives in memory."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from test_serve_process import X, saved, served  # noqa: F401

from robustae import load

pytestmark = [pytest.mark.slow, pytest.mark.engines]
ROWS = np.random.default_rng(7).normal(size=(25, 3))
KINDS = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64, "INT32": np.int32, "INT8": np.int8}


@pytest.fixture(scope="module")
def model(saved):  # noqa: F811
    return load(saved)


@pytest.fixture(scope="module")
def address(saved):  # noqa: F811
    with served(saved) as (address, _):
        yield address


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A model of a mixed table, its rows, and where it is served."""
    from robustae import RobustAutoencoder
    from robustae.data import MixedTable

    path = tmp_path_factory.mktemp("mixed") / "sensors.rae"
    kinds = np.array(["red", "blue", "grün"] * 20, dtype=object)
    rows = MixedTable({"a": X[:, 0], "b": X[:, 1], "kind": kinds})
    model = RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(rows)
    model.save(path)
    with served(path) as (address, _):
        yield model, rows, address


# --- the client of the protocol ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def triton():
    return pytest.importorskip("tritonclient.http", reason="needs tritonclient")


def asked(triton, address, inputs, outputs=None, **options):
    with triton.InferenceServerClient(address.removeprefix("http://")) as client:
        return client.infer("sensors", inputs, outputs=outputs, **options)


def tensor(triton, name, values, datatype, binary=True):
    made = triton.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_tritonclient_sends_numbers_of_every_kind(kind, binary, triton, address, model):
    rows = (10 * ROWS).astype(KINDS[kind])
    found = asked(triton, address, [tensor(triton, "X", rows, kind, binary)])
    expected = model.score_samples(rows.astype(float))
    np.testing.assert_array_equal(found.as_numpy("score"), expected)
    np.testing.assert_array_equal(found.as_numpy("anomaly"), expected < model.offset_)


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient_names_outputs_ids_and_versions(binary, triton, address, model):
    names = ("reconstruction", "score", "outliers")
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    rows = [tensor(triton, "X", ROWS, "FP64")]
    found = asked(triton, address, rows, outputs, request_id="r1", model_version="1")
    answer = found.get_response()
    assert answer["id"] == "r1" and answer["model_name"] == "sensors" and answer["model_version"] == "1"
    assert [output["name"] for output in answer["outputs"]] == list(names)
    assert all(("data" in output) != binary for output in answer["outputs"])
    reconstruction, outliers = model.split(ROWS)
    np.testing.assert_array_equal(found.as_numpy("reconstruction"), reconstruction)
    np.testing.assert_array_equal(found.as_numpy("outliers"), outliers)
    np.testing.assert_array_equal(found.as_numpy("score"), model.score_samples(ROWS))


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient_sends_a_mixed_table_column_by_column(binary, triton, mixed):
    model, rows, address = mixed
    columns = [tensor(triton, name, rows.columns[name], "FP64", binary) for name in "ab"]
    columns.append(tensor(triton, "kind", rows.columns["kind"], "BYTES", binary))
    found = asked(triton, address, columns)
    np.testing.assert_array_equal(found.as_numpy("score"), model.score_samples(rows))
    some = [triton.InferRequestedOutput("reconstruction", binary_data=binary)]
    texts = asked(triton, address, columns, some).as_numpy("reconstruction.kind")
    expected = model.reconstruct(rows).columns["kind"]
    assert [t.decode() if isinstance(t, bytes) else t for t in texts.tolist()] == expected.tolist()


def test_tritonclient_reads_health_and_metadata(triton, address):
    with triton.InferenceServerClient(address.removeprefix("http://")) as client:
        assert client.is_server_live() and client.is_server_ready()
        assert client.is_model_ready("sensors") and client.is_model_ready("sensors", "1")
        assert not client.is_model_ready("others") and not client.is_model_ready("sensors", "2")
        assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
        about = client.get_model_metadata("sensors", "1")
        assert about == client.get_model_metadata("sensors")
        assert about["versions"] == ["1"] and about["inputs"][0]["name"] == "X"


NOT_OFFERED = {
    "get_model_config": ("sensors",),
    "get_model_repository_index": (),
    "get_inference_statistics": ("sensors",),
    "get_trace_settings": (),
    "get_log_settings": (),
    "get_system_shared_memory_status": (),
    "get_cuda_shared_memory_status": (),
    "load_model": ("sensors",),
    "unload_model": ("sensors",),
}


@pytest.mark.parametrize("name", NOT_OFFERED)
def test_what_is_not_offered_is_said_to_tritonclient(name, triton, address):
    from tritonclient.utils import InferenceServerException

    refused = pytest.raises(InferenceServerException, match="not offered")
    with triton.InferenceServerClient(address.removeprefix("http://")) as client, refused:
        getattr(client, name)(*NOT_OFFERED[name])


def test_a_bad_request_is_a_sentence_to_tritonclient(triton, address):
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match="rows of 3 numbers"):
        asked(triton, address, [tensor(triton, "X", ROWS[:, :2], "FP64")])
    with pytest.raises(InferenceServerException, match="no version '2'"):
        asked(triton, address, [tensor(triton, "X", ROWS, "FP64")], model_version="2")
    one = triton.InferRequestedOutput("score", class_count=3)
    with pytest.raises(InferenceServerException, match="classification"):
        asked(triton, address, [tensor(triton, "X", ROWS, "FP64")], [one])


# --- one line each ----------------------------------------------------------------------------------


def body():
    return {"inputs": [{"name": "X", "shape": [25, 3], "datatype": "FP64", "data": ROWS.ravel().tolist()}]}


def scores_of(answer):
    return next(output["data"] for output in answer["outputs"] if output["name"] == "score")


@pytest.mark.parametrize("path", ["/v2/models/sensors/infer", "/v2/models/sensors/versions/1/infer"])
def test_httpx(path, address, model):
    httpx = pytest.importorskip("httpx", reason="needs httpx")
    answer = httpx.post(address + path, json=body(), timeout=30).raise_for_status().json()
    assert scores_of(answer) == model.score_samples(ROWS).tolist()
    bare = httpx.post(address + path, content=json.dumps(body()), timeout=30)
    assert "content-type" not in bare.request.headers
    assert scores_of(bare.json()) == model.score_samples(ROWS).tolist()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl(address, model, tmp_path):
    def curl(*words):
        done = subprocess.run(["curl", "-sS", *words], capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    place = f"{address}/v2/models/sensors/infer"
    (tmp_path / "rows.csv").write_text("\n".join(",".join(map(repr, row)) for row in ROWS.tolist()))
    lines = curl(place, "-H", "Content-Type: text/csv", "--data-binary", f"@{tmp_path / 'rows.csv'}").split()
    expected = model.score_samples(ROWS).tolist()
    assert [float(line.split(",")[0]) for line in lines[1:]] == expected
    for kind in ("Content-Type: application/json", "Content-Type:"):
        assert scores_of(json.loads(curl(place, "-H", kind, "-d", json.dumps(body())))) == expected


# --- MLflow serves the flavour ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["numbers", "mixed"])
def invocations(request, tmp_path_factory):
    """A model, its rows as a frame, and the address of MLflow's own server of it."""
    pytest.importorskip("mlflow", reason="needs mlflow")
    pd = pytest.importorskip("pandas", reason="needs mlflow")
    from robustae import RobustAutoencoder
    from robustae.deploy.mlflow import save_model

    rows = pd.DataFrame(X, columns=["a", "b", "c"])
    if request.param == "mixed":
        rows = rows.assign(kind=["x", "y", "z"] * 20)
    model = RobustAutoencoder(predictor="linear", hidden=1, random_state=0).fit(rows)
    folder = tmp_path_factory.mktemp("flavour") / "m"
    save_model(model, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["models", "serve", "-m", str(folder), "--env-manager", "local", "--port", str(port)]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    environment |= {"PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]}
    log = open(folder.parent / "log", "w")  # noqa: SIM115
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        env=environment, stdout=log, stderr=log, cwd=folder.parent, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", process, folder.parent / "log")
        yield model, rows, f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)  # the server is a child of the command
        process.wait(60)
        log.close()


def wait_for(address, process, log):
    import urllib.request

    for _ in range(300):
        try:
            return urllib.request.urlopen(address, timeout=5).read()
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.4)
    pytest.fail(log.read_text())


def test_mlflow_scoring_client(invocations):
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    model, rows, address = invocations
    port = int(address.rpartition(":")[2])
    found = ScoringServerClient("127.0.0.1", port).invoke(rows[:20]).get_predictions()
    np.testing.assert_allclose(found["score"], model.score_samples(rows[:20]), rtol=1e-12)
    np.testing.assert_array_equal(found["anomaly"], model.predict(rows[:20]) == -1)
