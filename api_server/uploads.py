"""The bytes of a picture out of a request body: JSON with base64 or a data URL, or a multipart form."""

import base64
import binascii
import re
from dataclasses import dataclass

from fastapi import Request
from pydantic import ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File, FormParser, parse_options_header

from api_server.problems import Problem
from api_server.schemas import ImageRequest

WRAPPING = 64 * 1024
"""Bytes that JSON or a form may add around the picture."""
DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(;[\w.+-]+=[^;,]*)*;base64,", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Body:
    """A request body as it came, not yet understood."""

    content_type: str
    boundary: bytes
    content: bytes


def too_large(limit: int) -> Problem:
    """The answer to a picture above the limit."""
    return Problem(413, "upload_too_large", f"The picture is larger than {limit} bytes.")


async def read_body(request: Request) -> Body:
    """Read the body, counting while it comes; raises a Problem once it is too large or of no known type."""
    limit = request.app.state.settings.max_upload_bytes
    content_type, options = parse_options_header(request.headers.get("content-type"))
    kind = content_type.decode("latin-1").lower()
    if kind not in ("application/json", "multipart/form-data"):
        raise Problem(415, "unsupported_media_type", "Send application/json or multipart/form-data.")
    most = WRAPPING + (limit if kind == "multipart/form-data" else -(-limit * 4 // 3))
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most:
        raise too_large(limit)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most:
            raise too_large(limit)
    return Body(kind, options.get(b"boundary", b""), bytes(content))


def picture_bytes(body: Body, limit: int) -> bytes:
    """Take the picture out of a body; raises a Problem that says what is wrong, never what was sent."""
    data = from_form(body) if body.content_type == "multipart/form-data" else from_json(body.content)
    if not data:
        raise Problem(422, "invalid_request", "The picture is empty.")
    if len(data) > limit:
        raise too_large(limit)
    return data


def from_json(content: bytes) -> bytes:
    """Decode {"image": base64 or data URL}."""
    try:
        text = ImageRequest.model_validate_json(content).image
    except ValidationError:
        detail = 'The body must be JSON: {"image": base64 or data URL}.'
        raise Problem(422, "invalid_request", detail) from None
    match = DATA_URL.match(text)
    try:
        return base64.b64decode("".join(text[match.end() if match else 0 :].split()), validate=True)
    except (binascii.Error, ValueError):
        raise Problem(422, "invalid_base64", "image is neither base64 nor a data URL with base64.") from None


def from_form(body: Body) -> bytes:
    """Find the field `file` of a multipart form."""
    found: list[bytes] = []

    def keep(file: File) -> None:
        file.file_object.seek(0)
        if file.field_name == b"file":
            found.append(file.file_object.read())
        file.close()

    try:
        config = {"MAX_MEMORY_FILE_SIZE": len(body.content) + 1, "MAX_FIELDS": 100}
        parser = FormParser(body.content_type, lambda _: None, keep, boundary=body.boundary, config=config)
        parser.write(body.content)
        parser.finalize()
    except FormParserError:
        raise Problem(422, "invalid_request", "The body is not a multipart form.") from None
    if len(found) != 1:
        raise Problem(422, "invalid_request", f"The form must have one field `file`, found {len(found)}.")
    return found[0]
