"""Bodies of requests, and a model that takes its time."""

import json
import threading

import numpy as np

ARROW, CSV, JSON = "application/vnd.apache.arrow.stream", "text/csv", "application/json"


def arrow_body(columns, **options):
    """Columns as an Arrow IPC stream."""
    import pyarrow as pa

    batch = pa.RecordBatch.from_pydict({name: pa.array(values) for name, values in columns.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, **options) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def csv_body(columns):
    """Columns as CSV, empty where missing."""
    rows = zip(
        *(["" if x is None or x != x else str(x) for x in values] for values in columns.values()), strict=True
    )
    return "\n".join([",".join(columns), *map(",".join, rows)]).encode()


def plain(values):
    """Numbers and texts as JSON holds them."""
    return [
        None if value is None or value != value else value for value in np.asarray(values).ravel().tolist()
    ]


def tensor(name, values, datatype="FP64"):
    """One tensor of the protocol."""
    return {"name": name, "shape": list(np.shape(values)), "datatype": datatype, "data": plain(values)}


def json_body(*tensors, **more):
    """A request of the protocol."""
    return json.dumps({"inputs": list(tensors), **more}).encode()


def read_arrow(body):
    """An answer as a dict of arrays."""
    import pyarrow as pa

    table = pa.ipc.open_stream(body).read_all()
    return {name: table[name].to_numpy() for name in table.column_names}


def read_csv(body):
    """An answer as a dict of lists of texts."""
    names, *rows = [line.split(",") for line in body.decode().splitlines()]
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def read_json(body):
    """An answer as a dict of arrays of their shapes."""
    outputs = json.loads(body)["outputs"]
    return {out["name"]: np.array(out["data"], dtype=object).reshape(out["shape"]) for out in outputs}


class Slow:
    """A model of one column that scores when it is let go."""

    plan_, n_features_in_, offset_ = None, 1, 0.0

    def __init__(self):
        self.free, self.begun = threading.Event(), threading.Semaphore(0)

    def score_samples(self, X):
        self.begun.release()
        self.free.wait(60)
        return np.asarray(X)[:, 0]
