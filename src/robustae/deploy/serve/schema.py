"""What OpenAPI says of bodies and answers."""

from typing import Any

from robustae.deploy.serve.answers import OUTPUTS
from robustae.deploy.serve.bodies import ARROW, BYTES, CSV, JSON
from robustae.deploy.serve.tensors import DATATYPES, LONGEST_SIDE, MOST_SIDES

__all__ = ["answers", "infer_answers", "infer_body", "text_answers"]

DESCRIPTIONS = {
    200: "Done.",
    400: "The request cannot be used: the sentence says why.",
    401: "The token is missing or wrong.",
    404: "There is no such model.",
    408: "The body came too slowly.",
    413: "Too many bytes or rows.",
    415: "A kind of body that is not read.",
    429: "Too many requests in hand.",
    503: "Not begun in time.",
    504: "Scoring took too long.",
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
TEXT: dict[str, Any] = {"type": "string"}
BINARY = TEXT | {"format": "binary"}
SIDE = {"type": "integer", "minimum": 0, "maximum": LONGEST_SIDE}
SHAPE = {"type": "array", "minItems": 1, "maxItems": MOST_SIDES, "items": SIDE}
DATATYPE = {"type": "string", "enum": list(DATATYPES)}
TENSOR: dict[str, Any] = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {"name": TEXT, "shape": SHAPE, "datatype": DATATYPE, "data": {"type": "array"}},
}
REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": TEXT,
        "inputs": {"type": "array", "minItems": 1, "items": TENSOR},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string", "enum": list(OUTPUTS)}},
            },
        },
    },
}
RESPONSE: dict[str, Any] = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {"model_name": TEXT, "id": TEXT, "outputs": {"type": "array", "items": TENSOR}},
}
KINDS: dict[str, dict[str, Any]] = {
    "Server": {"required": ["name", "version", "extensions"]},
    "Live": {"required": ["live"]},
    "Ready": {"required": ["ready"]},
    "Model": {"required": ["name", "platform", "inputs", "outputs"]},
}


def _answer(status: int, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": DESCRIPTIONS[status],
        "content": {kind: {"schema": of} for kind, of in content.items()},
    }


def answers(kind: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route by status."""
    right = {"type": "object"} | KINDS[kind]
    statuses = statuses or (200, 401)
    return {status: _answer(status, {JSON: right if status == 200 else ERROR}) for status in statuses}


def infer_answers() -> dict[int | str, dict[str, Any]]:
    """Return the answers about rows."""
    right = {
        JSON: RESPONSE,
        BYTES: TEXT | {"format": "binary"},
        ARROW: TEXT | {"format": "binary"},
        CSV: TEXT,
    }
    return {status: _answer(status, right if status == 200 else {JSON: ERROR}) for status in DESCRIPTIONS}


def infer_body() -> dict[str, Any]:
    """Return the bodies that are read."""
    kinds = {JSON: REQUEST, BYTES: BINARY, ARROW: BINARY, CSV: TEXT}
    content = {kind: {"schema": of} for kind, of in kinds.items()}
    return {"requestBody": {"required": True, "content": content}}


def text_answers() -> dict[int | str, dict[str, Any]]:
    """Return the answers of the counts."""
    return {200: _answer(200, {"text/plain": TEXT}), 401: _answer(401, {JSON: ERROR})}
