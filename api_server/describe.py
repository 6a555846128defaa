"""What the OpenAPI document says beyond the types: bodies, examples, and the problem behind each status."""

import json
from http import HTTPStatus
from typing import Any

from api_server.schemas import BatchRequest, ImageRequest, Options

JSON = "application/json"
PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}
MEANINGS = {
    401: ("unauthorized", "Send a key: Authorization: Bearer KEY, or X-API-Key: KEY."),
    408: ("request_timeout", "The body took longer than 20 seconds."),
    413: ("upload_too_large", "The picture is larger than 10 MB."),
    415: ("unsupported_media_type", "Send application/json or multipart/form-data."),
    422: ("unreadable_image", "not a picture: wanted one of PNG, JPEG, WEBP, GIF, BMP, TIFF"),
    429: ("rate_limited", "More than 60 per 1 minute."),
    503: ("busy", "The server has as many pictures as it can bear; try again."),
    504: ("deadline_exceeded", "The picture was not read within 30 seconds."),
}
"""A code and a sentence that each status may carry."""

READING: dict[str, Any] = {
    "pred": "x^{2}",
    "confidence": 0.97,
    "tokens": [{"token": token, "confidence": 0.97} for token in ["x", "^", "{", "2", "}"]],
    "alternatives": [{"pred": "x^{z}", "confidence": 0.41}],
    "formats": {"mathml": "<math><msup><mi>x</mi><mn>2</mn></msup></math>"},
    "attention": {
        "width": 60,
        "height": 40,
        "boxes": [[8, 14, 22, 28], [24, 6, 31, 15], [24, 6, 31, 15], [24, 6, 31, 15], [30, 7, 36, 15]],
    },
    "model": "default",
    "seconds": 0.03,
}

EVENTS = f"""event: token
data: {json.dumps(READING["tokens"][0])}

event: answer
data: {json.dumps(READING)}

"""

EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["token", "answer", "problem"]},
        "data": {"type": "string", "contentMediaType": JSON},
    },
}
"""One of the events, as those who read the document take it: a stream has the schema of each."""


def problem(status: int) -> dict[str, Any]:
    """One error, with an example."""
    code, detail = MEANINGS[status]
    title = HTTPStatus(status).phrase
    example = {"type": f"urn:im2latex:{code}", "title": title, "status": status, "detail": detail, "code": code}
    content = {"application/problem+json": {"schema": PROBLEM, "example": example}}
    answer: dict[str, Any] = {"description": detail, "content": content}
    if status in (429, 503):
        seconds = {"schema": {"type": "string"}, "description": "Seconds to wait."}
        answer["headers"] = {"Retry-After": seconds}
    return answer


def answers(example: object, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a route: one that works, and the problems it may have."""
    works = {"content": {JSON: {"example": example}}}
    return {200: works, **{status: problem(status) for status in statuses}}


def body(kind: type[Options], **other: object) -> dict[str, Any]:
    """A request body, which the route itself receives."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": kind.model_json_schema()}, **other}}}


def form() -> dict[str, Any]:
    """The fields of a multipart form with one picture."""
    properties = {"file": {"type": "string", "format": "binary"}, **Options.model_json_schema()["properties"]}
    return {"schema": {"type": "object", "required": ["file"], "properties": properties}}


GET = answers(READING, 401, 422, 429, 503, 504)
POST = answers(READING, 401, 408, 413, 415, 422, 429, 503, 504)
POST_BATCH = answers({"answers": [READING]}, 401, 408, 413, 415, 422, 429, 503, 504)
POST_STREAM = POST | {
    200: {
        "description": "Events: a token each, then the answer as POST /v1/predict gives it, or a problem.",
        "content": {"text/event-stream": {"schema": EVENT, "example": EVENTS}},
    }
}
METRICS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
UPLOAD = body(ImageRequest, **{"multipart/form-data": form()})
BATCH = body(BatchRequest)
