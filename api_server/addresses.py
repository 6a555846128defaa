"""Which addresses and URLs a stranger may make this server ask."""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from api_server.problems import Problem

MAX_URL = 2048
"""Characters of a URL; more is refused."""
DEFAULT_PORTS = {"http": 80, "https": 443}
FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(:[0-9]+)?")
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)")
CLOSED = [
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16",   # NAT64 and 6to4: an IPv4 address is hidden inside
        "2001::/23", "5f00::/16", "3fff::/20",           # protocol assignments (Teredo too), segments, documentation
        "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24",
    )
]  # fmt: skip
"""Ranges that are not for everybody, whatever this version of Python thinks of them."""


@dataclass(frozen=True)
class Target:
    """One URL, taken apart once; check and connection both use this."""

    scheme: str
    host: str
    port: int
    path: str
    """Path and query, percent-encoded."""

    @property
    def host_header(self) -> str:
        """The Host header: the name that was asked for, and the port where it is unusual."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"


def refuse(reason: str) -> Problem:
    """The answer to a URL that is not going to be asked."""
    return Problem(422, "url_refused", f"image_url is refused: {reason}")


def read_url(url: str, ports: Collection[int] | None = (80, 443)) -> Target:
    """Take a URL apart; raises a Problem unless it is plain http(s) to a usual name on one of the ports (None: any)."""
    if len(url) > MAX_URL:
        raise refuse(f"longer than {MAX_URL} characters")
    if FORBIDDEN.search(url):
        raise refuse("spaces, control characters and backslashes are not allowed")
    try:
        url.encode()
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refuse("it is not a URL") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise refuse("only http and https are allowed")
    if "@" in parts.netloc:
        raise refuse("user names are not allowed")
    if not HOST_AND_PORT.fullmatch(parts.netloc):
        raise refuse("it is not a URL")
    if port is None:
        port = DEFAULT_PORTS[parts.scheme]
    if ports is not None and port not in ports:
        raise refuse(f"only the ports {', '.join(map(str, ports))} are allowed")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else ""
    return Target(parts.scheme, read_host(parts.hostname or ""), port, path + query)


def read_host(host: str) -> str:
    """Bring a host to its one ASCII spelling; raises a Problem for odd ones (0x7f.1, 2130706433, %31)."""
    if ":" in host:
        if "%" in host or not is_address(host):
            raise refuse("the host is not an IPv6 address")
        return host
    try:
        name = host.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise refuse("the host is not a name") from None
    if not re.fullmatch(r"[a-z0-9._-]+", name):
        raise refuse("the host is not a name")
    if NUMBER.fullmatch(name.rpartition(".")[2]) and not is_address(name):
        raise refuse("the host is a number in an unusual form")
    return name


def is_address(text: str) -> bool:
    """Whether the text is an IP address in its usual form."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Whether anybody on the internet could ask this address: it is not private, reserved or mapped."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.version == 6 and (ip.ipv4_mapped or ip.is_site_local):
        return False
    if any(ip in network for network in CLOSED):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def is_listed(host: str, allowed: Collection[str]) -> bool:
    """Whether a host is on the operator's list, by name or below a name with a leading dot; an empty list has all."""
    return not allowed or any(host.endswith(name) if name.startswith(".") else host == name for name in allowed)
