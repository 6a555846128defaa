"""The JSON that goes in and comes out."""

from pydantic import BaseModel, ConfigDict, Field


class ImageRequest(BaseModel):
    """A picture inside JSON."""

    image: str = Field(
        min_length=1,
        description="A picture (PNG, JPEG, WEBP, GIF, BMP or TIFF): base64, or a data URL with base64.",
        examples=["data:image/png;base64,iVBORw0KGgo..."],
    )


class Token(BaseModel):
    """One LaTeX token and how sure the model is of it."""

    token: str = Field(examples=["\\frac"])
    confidence: float = Field(ge=0, le=1, description="Probability the model gave this token, 0 to 1.")


class Reading(BaseModel):
    """What a picture says."""

    model_config = ConfigDict(protected_namespaces=())

    pred: str = Field(description="LaTeX as a person writes it.", examples=["\\frac{a}{b}"])
    confidence: float = Field(ge=0, le=1, description="Geometric mean of the tokens' probabilities, 0 to 1.")
    tokens: list[Token] = Field(description="The canonical tokens, in order.")
    model: str = Field(description="Name of the model that read the picture.")
    seconds: float = Field(ge=0, description="Time the model took, in seconds.")


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 writes it."""

    type: str = Field(examples=["urn:im2latex:unreadable_image"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["the picture is blank"])
    code: str = Field(description="Stable name of the error.", examples=["unreadable_image"])


class Health(BaseModel):
    """Whether the server lives, or is ready."""

    status: str = Field(examples=["ok"])
