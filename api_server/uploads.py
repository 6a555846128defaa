"""The pictures and options out of a request body: JSON with base64 or data URLs, or a multipart form."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser

from api_server.problems import Problem, in_words, invalid
from api_server.schemas import BatchRequest, ImageRequest, Options

DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(;[\w.+-]+=[^;,]*)*;base64,", re.ASCII | re.IGNORECASE)
JSON = "application/json"
FORM = "multipart/form-data"
MAX_PARTS = 100
"""Parts of a form; the parser itself counts none."""

Wanted = TypeVar("Wanted", bound=BaseModel)


@dataclass(frozen=True)
class Body:
    """A request body as it came, not yet understood."""

    content_type: str
    boundary: bytes
    content: bytes


def too_large(limit: int) -> Problem:
    """The answer to a picture above the limit."""
    return Problem(413, "upload_too_large", f"The picture is larger than {in_words(limit)}.")


def parse_upload(body: Body, limit: int) -> tuple[Options, bytes]:
    """Take options and picture out of a body; raises a Problem that says what is wrong, never what was sent."""
    if body.content_type == FORM:
        fields, data = from_form(body)
        return understand(Options, fields), whole(data, limit)
    request = understand(ImageRequest, body.content)
    return request, decode_picture(request.image, limit)


def parse_batch(body: Body, most: int) -> BatchRequest:
    """Take options and pictures, not yet decoded, out of a body."""
    request = understand(BatchRequest, body.content)
    if len(request.images) > most:
        raise Problem(422, "invalid_request", f"images: at most {most} in one request, found {len(request.images)}")
    return request


def understand(kind: type[Wanted], content: bytes | Mapping[str, object]) -> Wanted:
    """Check JSON, or the fields of a form, against what is wanted."""
    try:
        if isinstance(content, bytes):
            return kind.model_validate_json(content, strict=True)
        return kind.model_validate(content)
    except ValidationError as error:
        raise invalid(error) from None


def decode_picture(text: str, limit: int) -> bytes:
    """Decode base64 or a data URL."""
    match = DATA_URL.match(text)
    try:
        data = base64.b64decode("".join(text[match.end() if match else 0 :].split()), validate=True)
    except (binascii.Error, ValueError):
        raise Problem(422, "invalid_base64", "image is neither base64 nor a data URL with base64.") from None
    return whole(data, limit)


def whole(data: bytes, limit: int) -> bytes:
    """The picture itself, unless it is empty or above the limit."""
    if not data:
        raise Problem(422, "invalid_request", "The picture is empty.")
    if len(data) > limit:
        raise too_large(limit)
    return data


class Form:
    """The pictures and options of a multipart form; raises a Problem at the first part that is one too many."""

    def __init__(self) -> None:
        self.parts = 0
        self.pictures: list[bytes] = []
        self.options: dict[str, object] = {}
        self.formats: list[str] = []

    def take_file(self, file: File) -> None:
        """Take a part that names a file."""
        self.count()
        file.file_object.seek(0)
        if file.field_name == b"file":
            self.pictures.append(file.file_object.read())
        file.close()

    def take_field(self, field: Field) -> None:
        """Take a part without a file's name: an option, or a picture sent in this way."""
        self.count()
        name, text = ((part or b"").decode("utf-8", "replace") for part in (field.field_name, field.value))
        if name == "file":
            self.pictures.append(field.value or b"")
        elif name == "formats":
            self.formats.append(text)
        elif name in Options.model_fields:
            self.options[name] = text

    def count(self) -> None:
        """One part more."""
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise Problem(422, "invalid_request", f"The form has more than {MAX_PARTS} parts.")


def from_form(body: Body) -> tuple[dict[str, object], bytes]:
    """The options and the field `file` of a multipart form."""
    form = Form()
    try:
        config = {"MAX_MEMORY_FILE_SIZE": len(body.content) + 1}
        parser = FormParser(body.content_type, form.take_field, form.take_file, boundary=body.boundary, config=config)
        parser.write(body.content)
        parser.finalize()
    except FormParserError:
        raise Problem(422, "invalid_request", "The body is not a multipart form.") from None
    if len(form.pictures) != 1:
        raise Problem(422, "invalid_request", f"The form must have one field `file`, found {len(form.pictures)}.")
    return form.options | ({"formats": form.formats} if form.formats else {}), form.pictures[0]
