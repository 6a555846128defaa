"""Errors as RFC 9457 problem details, each with a stable code; never a word of what the client sent."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from im2latex.errors import ImageError

logger = logging.getLogger("api_server")


class Problem(Exception):  # noqa: N818  (it is the name of the answer, too)
    """An answer that is an error: HTTP status, a code that never changes, a sentence for a person."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


def respond(status: int, code: str, detail: str) -> JSONResponse:
    """Build an application/problem+json answer."""
    body = {
        "type": f"urn:im2latex:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return JSONResponse(body, status, media_type="application/problem+json")


def on_problem(request: Request, problem: Problem) -> JSONResponse:
    """Answer a refusal of ours."""
    return respond(problem.status, problem.code, problem.detail)


def on_image_error(request: Request, error: ImageError) -> JSONResponse:
    """Answer for bytes that are no picture, or a picture that shows nothing: the library's own sentence."""
    return respond(422, "unreadable_image", str(error))


def on_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
    """Name the parameters that are wrong and how, but not their values."""
    wrong = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    return respond(422, "invalid_request", "; ".join(wrong))


def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
    """Answer unknown paths and methods in the same form as all else."""
    code = HTTPStatus(error.status_code).name.lower()
    answer = respond(error.status_code, code, HTTPStatus(error.status_code).description or code)
    answer.headers.update(error.headers or {})
    return answer


def on_surprise(request: Request, error: Exception) -> JSONResponse:
    """Answer for a fault of the server; the cause goes to the log only."""
    return respond(500, "internal_error", "The server failed; its log says why.")


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(Problem, on_problem)  # type: ignore[arg-type]
    app.add_exception_handler(ImageError, on_image_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, on_invalid_request)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, on_http_error)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, on_surprise)
