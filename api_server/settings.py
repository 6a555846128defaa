"""What an operator may set, and the environment variables that set it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from im2latex.errors import ConfigError

PREFIX = "IM2LATEX_"
YES = ("1", "true", "yes", "on")
NO = ("0", "false", "no", "off")


@dataclass(frozen=True)
class Settings:
    """Each field is set by an environment variable of its name: IM2LATEX_MAX_UPLOAD_BYTES=1000000."""

    bundle: str = ""
    """The model file; empty for the one that ships."""
    max_upload_bytes: int = 10 * 2**20
    """Largest picture taken, uploaded or fetched."""
    image_url: bool = True
    """Whether GET /v1/predict fetches pictures at all."""
    allow_private_addresses: bool = False
    """Whether image_url may name addresses and ports of your own network, not of the internet only."""
    connect_seconds: float = 2.0
    read_seconds: float = 5.0
    total_seconds: float = 8.0
    """Time to fetch one image_url, redirects included."""
    max_redirects: int = 3

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read IM2LATEX_* variables; raises ConfigError on a name or value that means nothing here."""
        known = {PREFIX + field.name.upper(): field for field in fields(cls)}
        given = {name: text for name, text in environment.items() if name.startswith(PREFIX)}
        unknown = sorted(given.keys() - known.keys())
        if unknown:
            raise ConfigError(f"unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        values = {known[name].name: parse(name, text, known[name].type) for name, text in given.items()}
        return cls(**values)


def parse(name: str, text: str, kind: object) -> Any:
    """Turn the text of a variable into a value of the field's type; raises ConfigError."""
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in YES + NO:
            raise ConfigError(f"{name} must be one of {', '.join(YES + NO)}")
        return text.lower() in YES
    try:
        value = int(text) if kind is int else float(text)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise ConfigError(f"{name} must be a number that is not negative")
    return value
