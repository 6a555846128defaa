"""Who may ask, and how often: API keys and a rate limit, both off unless the operator sets them."""

import hashlib
import hmac
import ipaddress
import logging
import math
import re
import time

from fastapi import Request
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api_server.problems import Problem
from api_server.settings import Settings
from im2latex.errors import ConfigError

logger = logging.getLogger("api_server")


class Access:
    """The doorkeeper of one application."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError when the rate limit cannot be understood."""
        self.keys = [digest(key) for key in settings.api_keys]
        self.rate = read_rate(settings.rate_limit) if settings.rate_limit else None
        self.limiter = SlidingWindowCounterRateLimiter(MemoryStorage()) if self.rate else None

    def log_state(self) -> None:
        """Say at the start what is not guarded."""
        if not self.keys:
            logger.warning("no API keys are set: whoever reaches this port may ask (IM2LATEX_API_KEYS)")
        if self.limiter is None:
            logger.warning("no rate limit is set: one client may keep the model busy (IM2LATEX_RATE_LIMIT)")

    def admit(self, request: Request, pictures: int = 1) -> None:
        """Raise the 401 Problem without a key, the 429 Problem when the caller has had enough pictures."""
        caller = self.check_key(request) if self.keys else address_of(request)
        self.count(caller, pictures)

    def check_key(self, request: Request) -> str:
        """The digest of the key that was shown; it is compared with every key, in the same time for each."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        shown = digest(token if scheme.lower() == "bearer" else request.headers.get("x-api-key", ""))
        if not any([hmac.compare_digest(shown, key) for key in self.keys]):  # noqa: C419  (all of them, always)
            detail = "Send a key: Authorization: Bearer KEY, or X-API-Key: KEY."
            raise Problem(401, "unauthorized", detail, {"WWW-Authenticate": "Bearer"})
        return shown

    def count(self, caller: str, pictures: int) -> None:
        """Count the caller's pictures; raises the 429 Problem, which says when to come back."""
        if self.limiter is None or self.rate is None or pictures < 1:
            return
        if not self.limiter.hit(self.rate, caller, cost=pictures):
            reset = self.limiter.get_window_stats(self.rate, caller).reset_time
            wait = str(max(1, math.ceil(reset - time.time())))
            raise Problem(429, "rate_limited", f"More than {self.rate}.", {"Retry-After": wait})


def read_rate(text: str) -> RateLimitItem:
    """The one limit in a text; raises ConfigError for none, for several, and for a number that is 0."""
    try:
        rates = parse_many(text)
    except ValueError:
        rates = []
    if len(rates) != 1 or not all(int(number) for number in re.findall("[0-9]+", text)):
        raise ConfigError(f"IM2LATEX_RATE_LIMIT must be one positive limit, as in 60/minute; found {text!r}")
    return rates[0]


def digest(key: str) -> str:
    """A key in a form of one length, which may lie in memory and in counters."""
    return hashlib.sha256(key.encode()).hexdigest()


def address_of(request: Request) -> str:
    """The caller's address; for IPv6 its network, since one caller has a whole one."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host


async def admit(request: Request) -> None:
    """Ask the application's doorkeeper; a dependency of every route that reads pictures."""
    request.app.state.service.access.admit(request)
