"""Which addresses and URLs a stranger may make this server ask."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from api_server.problems import Problem

MAX_URL = 2048
"""Characters of a URL; more is refused."""
DEFAULT_PORTS = {"http": 80, "https": 443}
FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)")
CARRIES_IPV4 = [
    ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
]
"""IPv6 ranges that lead to an IPv4 address hidden inside: NAT64, 6to4, Teredo."""


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


def read_url(url: str, any_port: bool = False) -> Target:
    """Take a URL apart; raises a Problem unless it is plain http(s) to a usual name and an allowed port."""
    if len(url) > MAX_URL:
        raise refuse(f"longer than {MAX_URL} characters")
    if FORBIDDEN.search(url):
        raise refuse("spaces, control characters and backslashes are not allowed")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refuse("it is not a URL") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise refuse("only http and https are allowed")
    if "@" in parts.netloc:
        raise refuse("user names are not allowed")
    if port is None:
        port = DEFAULT_PORTS[parts.scheme]
    if not any_port and port not in DEFAULT_PORTS.values():
        raise refuse("only the ports 80 and 443 are allowed")
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
    if ip.version == 6 and (ip.ipv4_mapped or ip.is_site_local or any(ip in net for net in CARRIES_IPV4)):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved
