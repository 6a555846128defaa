"""What an operator may set, and the environment variables that set it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from im2latex.errors import ConfigError

PREFIX = "IM2LATEX_"
YES = ("1", "true", "yes", "on")
NO = ("0", "false", "no", "off")
HOSTS = PREFIX + "IMAGE_URL_HOSTS"


def setting(default: Any, meaning: str) -> Any:
    """A field with the sentence that `im2latex serve --help` shows."""
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """Each field is set by an environment variable of its name: IM2LATEX_MAX_UPLOAD_BYTES=1000000."""

    bundle: str = setting("", "the model: a file, or handwriting; empty for print")
    threads: int = setting(0, "threads of the model, each reads a batch; 0 for one on each core this process may use")

    check: bool = setting(False, "whether of several readings the one is taken that, rendered, looks like the picture")

    max_upload_bytes: int = setting(10 * 2**20, "largest picture taken, uploaded or fetched")
    max_images: int = setting(16, "pictures in one request to /v1/predict/batch")
    max_pixels: int = setting(25_000_000, "largest picture, in pixels; more is refused before it is decoded")
    max_side: int = setting(10_000, "longest side of a picture, in pixels")

    max_queue: int = setting(32, "pictures at work or waiting; a request beyond that is answered 503")
    max_body_bytes: int = setting(256 * 2**20, "bytes of all bodies being received; beyond that 503")
    max_connections: int = setting(1000, "open connections; a request beyond that is answered 503")
    batch_seconds: float = setting(0.004, "how long a picture waits for others of its size")
    header_seconds: float = setting(10.0, "time for the head of a request; then its connection is closed")
    body_seconds: float = setting(20.0, "time for the body of a request; then 408")
    deadline_seconds: float = setting(30.0, "time for an answer from the end of the body; then 504")
    drain_seconds: float = setting(1.0, "after SIGTERM, time that /readyz says no before the door is closed")

    image_url: bool = setting(True, "whether GET /v1/predict fetches pictures at all")
    image_url_hosts: tuple[str, ...] = setting((), "hosts that may be asked, .example.org for all below; empty: any")
    image_url_ports: tuple[int, ...] = setting((80, 443), "ports that may be asked")
    allow_private_addresses: bool = setting(False, "whether image_url may lead into your own network, on any port")
    connect_seconds: float = setting(2.0, "time to connect to the server of an image_url")
    read_seconds: float = setting(5.0, "longest silence of that server")
    total_seconds: float = setting(8.0, "time to fetch one image_url, redirects included")
    max_redirects: int = setting(3, "redirects followed, each checked like the first address")
    max_fetches: int = setting(16, "pictures fetched at a time; a request beyond that is answered 503")

    api_keys: tuple[str, ...] = setting((), "keys of which a request must show one; empty: no key is asked for")
    rate_limit: str = setting("", "pictures for each key or address: 60/minute; empty: no limit")

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


def describe() -> str:
    """Every variable with its meaning and default, a line each."""
    lines = []
    for one in fields(Settings):
        default = ",".join(map(str, one.default)) if isinstance(one.default, tuple) else str(one.default)
        lines.append(f"  {PREFIX + one.name.upper():<33}{one.metadata['meaning']} (default: {default or 'empty'})")
    return "\n".join(lines)


def parse(name: str, text: str, kind: object) -> Any:
    """Turn the text of a variable into a value of the field's type; raises ConfigError."""
    if kind is str:
        return text
    if kind == tuple[str, ...]:
        return tuple(to_ascii(part) if name == HOSTS else part for part in split(name, text))
    if kind == tuple[int, ...]:
        return tuple(parse(name, part, int) for part in split(name, text))
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


def split(name: str, text: str) -> list[str]:
    """The parts between commas; raises ConfigError for commas or spaces alone, which would open what a list closes."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if text and not parts:
        raise ConfigError(f"{name} must be empty or name something, found {text!r}")
    return parts


def to_ascii(host: str) -> str:
    """A host in the spelling in which the hosts of URLs are compared; raises ConfigError."""
    dot = "." if host.startswith(".") else ""
    try:
        return dot + host.strip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ConfigError(f"{HOSTS} must name hosts, found {host!r}") from None
