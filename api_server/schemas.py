"""The JSON that goes in and comes out."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationInfo

from im2latex.latex.mathml import Format

PICTURE = "data:image/png;base64,iVBORw0KGgo..."


def split_commas(value: object) -> object:
    """Let a query or form say formats=latex,mathml as well as formats=latex&formats=mathml."""
    if not isinstance(value, list):
        return value
    return [piece for part in value for piece in (part.split(",") if isinstance(part, str) else [part])]


def read_switch(value: object, info: ValidationInfo) -> object:
    """Let a query or form, which knows only text, say true and false, as JSON does."""
    if info.mode == "json" or not isinstance(value, str):
        return value
    return {"true": True, "false": False}.get(value.lower(), value)


class Options(BaseModel):
    """How a picture is read, and what the answer holds."""

    beam: int = Field(1, ge=1, le=10, description="Width of the beam search: 1 is quickest.")
    alternatives: int = Field(
        0, ge=0, le=10, description="Other readings wanted, best first; a beam holds at most beam - 1."
    )
    formats: Annotated[list[Format], BeforeValidator(split_commas)] = Field(
        [], max_length=10, description="Further forms of `pred`, wanted in the field `formats`."
    )
    attention: Annotated[bool, Strict(), BeforeValidator(read_switch)] = Field(
        False, description="Whether to tell where the model looked for each token."
    )


class UrlRequest(Options):
    """A picture on the public internet."""

    image_url: str = Field(min_length=1, description="An http or https address of a picture.")


class ImageRequest(Options):
    """A picture inside JSON."""

    image: str = Field(
        min_length=1,
        description="A picture (PNG, JPEG, WEBP, GIF, BMP or TIFF): base64, or a data URL with base64.",
        examples=[PICTURE],
    )


class BatchRequest(Options):
    """Some pictures inside JSON."""

    images: list[str] = Field(
        min_length=1, description="Pictures as in /v1/predict: base64, or data URLs.", examples=[[PICTURE, PICTURE]]
    )


class Token(BaseModel):
    """One LaTeX token and how sure the model is of it."""

    token: str = Field(examples=["\\frac"])
    confidence: float = Field(
        ge=0,
        le=1,
        description="Probability that this token is right, given those before it; of a model that is not calibrated, "
        "the probability it gave the token.",
    )


class Alternative(BaseModel):
    """Another reading of the same picture."""

    pred: str = Field(description="LaTeX as a person writes it.", examples=["\\frac{a}{6}"])
    confidence: float = Field(ge=0, le=1)


class Attention(BaseModel):
    """Where the model looked for each token, in pixels of the picture, turned upright as its EXIF data says."""

    width: int = Field(description="Of the picture.", examples=[240])
    height: int = Field(description="Of the picture.", examples=[60])
    boxes: list[Annotated[list[float], Field(min_length=4, max_length=4)]] = Field(
        description="For each of `tokens`, in order: left, top, right and bottom, from the picture's left and top.",
        examples=[[[20.0, 22.0, 31.0, 34.0]]],
    )


class Reading(BaseModel):
    """What a picture says."""

    model_config = ConfigDict(protected_namespaces=())

    pred: str = Field(description="LaTeX as a person writes it.", examples=["\\frac{a}{b}"])
    confidence: float = Field(
        ge=0,
        le=1,
        description="Probability that the formula is exactly right, spacing aside; of a model that is not calibrated, "
        "the product of the probabilities it gave the tokens and the end.",
    )
    tokens: list[Token] = Field(description="The canonical tokens, in order.")
    alternatives: list[Alternative] = Field([], description="Other readings, best first; as many as asked for.")
    formats: dict[Format, str | None] = Field(
        {}, description="`pred` in the formats asked for; null where it cannot be written in one.", examples=[{}]
    )
    likeness: float | None = Field(
        None, ge=0, le=1, description="How much `pred`, rendered, looks like the picture; null where nobody looked."
    )
    attention: Attention | None = Field(None, description="Where the model looked; null unless asked for.")
    model: str = Field(description="Name of the model that read the picture.", examples=["default"])
    seconds: float = Field(ge=0, description="Time the model took, in seconds; shared by a batch.")


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 writes it."""

    type: str = Field(examples=["urn:im2latex:unreadable_image"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["the picture is blank"])
    code: str = Field(description="Stable name of the error.", examples=["unreadable_image"])


class BatchReading(BaseModel):
    """An answer or a problem for each picture, in the order they were sent."""

    answers: list[Reading | ProblemDetails]


class Health(BaseModel):
    """Whether the server lives, or is ready."""

    status: str = Field(examples=["ok"])
