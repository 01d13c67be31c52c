"""The application: the routes of the Open Inference Protocol, version 2, around one model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from robustae.deploy.records import RowReader
from robustae.deploy.serve import schema
from robustae.deploy.serve.bodies import kind_of, work_on
from robustae.deploy.serve.guard import Guard, error_response
from robustae.deploy.serve.limits import Limits, Refused
from robustae.deploy.serve.metrics import Metrics
from robustae.deploy.serve.protocol import VERSION, model_metadata
from robustae.deploy.serve.queue import RequestQueue
from robustae.utils.checks import InputError
from robustae.utils.version import __version__

if TYPE_CHECKING:
    from robustae.estimators.autoencoder import RobustAutoencoder


__all__ = ["create_app"]

Name = Annotated[str, Path(description="Name of the model.")]
Version = Annotated[str, Path(description="Of the model: there is one, 1.")]
Outputs = Annotated[list[str] | None, Query(description="For Arrow and CSV; may be repeated.")]
PIECE = 2**18  # bytes of an answer sent at a time
EXTENSIONS = ["binary_tensor_data", "arrow", "csv"]
NOT_OFFERED = {
    "/v2/models/{name}/config": "model_configuration",
    "/v2/models/{name}/versions/{version}/config": "model_configuration",
    "/v2/models/{name}/stats": "statistics",
    "/v2/models/{name}/versions/{version}/stats": "statistics",
    "/v2/models/{name}/generate": "generate",
    "/v2/models/{name}/generate_stream": "generate",
    "/v2/models/stats": "statistics",
    "/v2/repository/{rest:path}": "model_repository",
    "/v2/systemsharedmemory/{rest:path}": "system_shared_memory",
    "/v2/cudasharedmemory/{rest:path}": "cuda_shared_memory",
    "/v2/trace/{rest:path}": "trace",
    "/v2/logging": "logging",
}


class _Answer(Response):
    """Sent piece by piece: the request is under way until the last one is taken."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = memoryview(self.body)
        for start in range(0, len(body), PIECE):
            piece = bytes(body[start : start + PIECE])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class _Service:
    """One model, and those who ask about it."""

    def __init__(self, model: "RobustAutoencoder", name: str, limits: Limits):
        self.row_reader, self.name, self.limits = RowReader.of(model), name, limits
        self.queue, self.metrics = RequestQueue(limits), Metrics()

    def check(self, name: str, version: str = VERSION) -> None:
        """Refuse another model's name, or another version."""
        if name != self.name:
            raise Refused(404, f"there is no model {name[:80]!r}: this one is called {self.name!r}.")
        if version != VERSION:
            raise Refused(404, f"there is no version {version[:80]!r} of the model: it has {VERSION!r}.")

    async def infer(self, request: Request, outputs: list[str]) -> Response:
        """Answer about the rows of a request."""
        kind = kind_of(request.headers)
        answered = await self.queue.handle(
            request, work_on(kind, self.row_reader, self.name, self.limits, outputs)
        )
        self.metrics.rows.inc(answered.rows)
        self.metrics.anomalies.inc(answered.anomalies)
        return _Answer(answered.body, media_type=answered.type, headers=answered.headers)


def create_app(
    model: "RobustAutoencoder", name: str = "model", limits: Limits | None = None, token: str | None = None
) -> FastAPI:
    """Return the application that serves a fitted model.

    Parameters
    ----------
    model : RobustAutoencoder
        Fitted; it is not changed.
    name : str
        Of the model, in addresses.
    limits : Limits, optional
    token : str, optional
        Which every request but those about health must bring: ``Authorization: Bearer TOKEN``.

    Raises
    ------
    InputError
        If the extra `serve` is missing.
    """
    service = _Service(model, name, limits or Limits())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.queue.close()

    app = FastAPI(
        title=f"robustae: {name}", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.state.queue = service.queue
    app.add_middleware(Guard, metrics=service.metrics, token=token)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    _add_health(app)
    _add_model(app, service)
    _add_work(app, service)
    _add_not_offered(app)
    return app


def _refused(_: Request, error: Any) -> Response:
    return error_response(error.status, error.sentence, error.headers)


def _misused(_: Request, error: Any) -> Response:
    return error_response(400, " ".join(str(error).split()))


def _elsewhere(_: Request, error: Any) -> Response:
    return error_response(error.status_code, f"{error.detail}.".lower(), error.headers)


def _invalid(_: Request, error: Any) -> Response:
    first = error.errors()[0]
    return error_response(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}.".lower())


def _failed(_: Request, error: Any) -> Response:
    return error_response(500, "the server failed: its log says more.")


_HANDLERS: dict[Any, Any] = {
    Refused: _refused,
    InputError: _misused,
    ValueError: _misused,  # from scikit-learn
    HTTPException: _elsewhere,
    RequestValidationError: _invalid,
    Exception: _failed,
}


def _add_health(app: FastAPI) -> None:
    @app.get("/v2", responses=schema.answers("Server"))
    async def server() -> dict[str, Any]:
        """Name, version and extensions of the server."""
        return {"name": "robustae", "version": __version__, "extensions": EXTENSIONS}

    @app.get("/v2/health/live", responses=schema.answers("Live", 200))
    async def live() -> dict[str, bool]:
        """Whether the server lives."""
        return {"live": True}

    @app.get("/v2/health/ready", responses=schema.answers("Ready", 200))
    async def ready() -> dict[str, bool]:
        """Whether the server can score."""
        return {"ready": True}


def _add_model(app: FastAPI, service: _Service) -> None:
    metadata = model_metadata(service.row_reader, service.name)
    about_it, is_ready = schema.answers("Model", 200, 401, 404), schema.answers("Ready", 200, 401, 404)

    @app.get("/v2/models/{name}", responses=about_it)
    async def about(name: Name) -> dict[str, Any]:
        """What the model takes and gives."""
        service.check(name)
        return metadata

    @app.get("/v2/models/{name}/versions/{version}", responses=about_it)
    async def about_version(name: Name, version: Version) -> dict[str, Any]:
        """What this version of the model takes and gives."""
        service.check(name, version)
        return metadata

    @app.get("/v2/models/{name}/ready", responses=is_ready)
    async def ready(name: Name) -> dict[str, Any]:
        """Whether the model can score."""
        service.check(name)
        return {"name": name, "ready": True}

    @app.get("/v2/models/{name}/versions/{version}/ready", responses=is_ready)
    async def ready_version(name: Name, version: Version) -> dict[str, Any]:
        """Whether this version of the model can score."""
        service.check(name, version)
        return {"name": name, "ready": True}


def _add_work(app: FastAPI, service: _Service) -> None:
    both: dict[str, Any] = {"responses": schema.infer_answers(), "openapi_extra": schema.infer_body()}

    @app.post("/v2/models/{name}/infer", **both)
    async def infer(name: Name, request: Request, outputs: Outputs = None) -> Response:
        """Score rows: tensors as JSON or bytes, an Arrow stream, or CSV; the answer is of the same kind."""
        service.check(name)
        return await service.infer(request, outputs or [])

    @app.post("/v2/models/{name}/versions/{version}/infer", **both)
    async def infer_version(
        name: Name, version: Version, request: Request, outputs: Outputs = None
    ) -> Response:
        """Score rows by this version of the model."""
        service.check(name, version)
        return await service.infer(request, outputs or [])

    @app.get("/metrics", responses=schema.text_answers())
    async def metrics() -> Response:
        """Counts for Prometheus."""
        text, kind = service.metrics.exposition()
        return Response(text, media_type=kind)


def _add_not_offered(app: FastAPI) -> None:
    """Answer what other servers of the protocol offer beside it in the protocol's own form."""
    for path, extension in NOT_OFFERED.items():
        app.add_route(path, _refusal(extension), methods=["GET", "POST"], include_in_schema=False)


def _refusal(extension: str) -> Any:
    sentence = f"the extension {extension} is not offered: this server has {', '.join(EXTENSIONS)}."

    async def refuse(_: Request) -> Response:
        return error_response(501, sentence)

    return refuse
