"""Errors as RFC 9457 problem details, each with a stable code; never a word of what the client sent."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from api_server.logs import ID_HEADER, request_id
from api_server.schemas import ProblemDetails
from im2latex.errors import ImageError

NAMES = {499: "Client Closed Request"}
"""Statuses that only a log sees, since nobody is there to be answered."""


class Problem(Exception):  # noqa: N818  (it is the name of the answer, too)
    """An answer that is an error: HTTP status, a code that never changes, a sentence for a person."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}

    def document(self) -> ProblemDetails:
        """The body of the answer."""
        title = NAMES.get(self.status) or HTTPStatus(self.status).phrase
        return ProblemDetails(
            type=f"urn:im2latex:{self.code}", title=title, status=self.status, detail=self.detail, code=self.code
        )

    def response(self) -> JSONResponse:
        """An application/problem+json answer."""
        body = self.document().model_dump()
        return JSONResponse(body, self.status, self.headers, media_type="application/problem+json")


def in_words(size: int) -> str:
    """A number of bytes as a person says it: MB where it is one or more, rounded down."""
    for unit, name in ((2**20, "MB"), (2**10, "kB")):
        if size >= unit:
            return f"{int(10 * size / unit) / 10:g} {name}"
    return f"{size} bytes"


def busy(detail: str) -> Problem:
    """The answer to more work than the server takes on: 503, come back in a second."""
    return Problem(503, "busy", detail, {"Retry-After": "1"})


def unreadable(error: ImageError) -> Problem:
    """The answer to bytes that are no picture, or a picture that shows nothing: the library's own sentence."""
    return Problem(422, "unreadable_image", str(error))


def invalid(error: RequestValidationError | ValidationError) -> Problem:
    """The answer to parameters that mean nothing here: their names and what is wrong, but not their values."""
    wrong = [f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors()]
    return Problem(422, "invalid_request", "; ".join(wrong))


def client_left() -> Problem:
    """The end of a request whose client has closed the connection; nobody reads it but the counters."""
    return Problem(499, "client_left", "The client has left.")


def late(seconds: float) -> Problem:
    """The answer to a picture that waited, or was read, too long."""
    return Problem(504, "deadline_exceeded", f"The picture was not read within {seconds:g} seconds.")


async def on_problem(request: Request, problem: Problem) -> JSONResponse:
    """Answer a refusal of ours."""
    request.app.state.service.metrics.rejects.labels(problem.code).inc()
    return problem.response()


async def on_image_error(request: Request, error: ImageError) -> JSONResponse:
    """Answer for a picture that cannot be read."""
    return await on_problem(request, unreadable(error))


async def on_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer for parameters that are missing or out of range."""
    return await on_problem(request, invalid(error))


async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
    """Answer unknown paths and methods in the same form as all else."""
    status = HTTPStatus(error.status_code)
    code = status.name.lower()
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:  # Starlette names the methods of one route, and a path may have two
        described = map(str.upper, request.app.openapi()["paths"].get(request.url.path, {}))
        headers["Allow"] = ", ".join(sorted({*headers.pop("Allow", "").split(", "), *described} - {""}))
    return Problem(status, code, status.description or code, headers).response()


async def on_surprise(request: Request, error: Exception) -> JSONResponse:
    """Answer for a fault of the server; the cause goes to the log only."""
    detail = "The server failed; its log says why."
    return Problem(500, "internal_error", detail, {ID_HEADER: request_id.get()}).response()


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(Problem, on_problem)  # type: ignore[arg-type]
    app.add_exception_handler(ImageError, on_image_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, on_invalid_request)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, on_http_error)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, on_surprise)
