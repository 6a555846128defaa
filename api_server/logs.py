"""Logs as JSON, a line each, and the request id that joins a line to its request."""

import json
import logging
import random
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

ID_HEADER = "X-Request-ID"
SOUND_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; empty outside of one."""

FIELDS = ("method", "route", "status", "seconds")
"""What the line of an answered request says beside its message: never a path, a query or a body."""


def choose_id(sent: str) -> str:
    """The id the client sent, if it is a plain one, or a new one."""
    return sent if SOUND_ID.fullmatch(sent) else f"{random.getrandbits(128):032x}"


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """time, level, logger, message, and what of request id, FIELDS and traceback there is."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "api_server.logs.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {"uvicorn.error": {"level": "INFO"}, "api_server": {"level": "INFO"}},
}
"""Configuration for logging.config; the server's process applies it, importing does not."""
