"""Fetch the picture that image_url names, without becoming a door into the network the server stands in."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from urllib.parse import urljoin

from api_server.addresses import Target, is_listed, is_public, read_url, refuse
from api_server.problems import Problem, in_words
from api_server.settings import Settings

REDIRECTS = {301, 302, 303, 307, 308}
CHUNK = 64 * 1024
Resolve = Callable[[str, int], list[str]]


def resolve_host(host: str, port: int) -> list[str]:
    """All addresses of a host name; raises OSError when it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def fetch_image(url: str, settings: Settings, resolve: Resolve = resolve_host) -> bytes:
    """Read the bytes behind a URL; raises only Problems: url_refused, url_failed, url_too_large."""
    if not settings.image_url:
        raise refuse("this server fetches no pictures")
    deadline = time.monotonic() + settings.total_seconds
    target = read_target(url, settings)
    for _ in range(settings.max_redirects + 1):
        answer = ask(target, check_address(target, settings, resolve), settings, deadline)
        if isinstance(answer, bytes):
            return answer
        try:
            url = urljoin(url, answer.location)
        except ValueError:
            raise refuse("it redirects to what is not a URL") from None
        target = follow(target, read_target(url, settings))
    raise refuse(f"more than {settings.max_redirects} redirects")


def read_target(url: str, settings: Settings) -> Target:
    """Take a URL apart; raises a Problem unless the operator lets its port and host be asked."""
    target = read_url(url, None if settings.allow_private_addresses else settings.image_url_ports)
    if not is_listed(target.host, settings.image_url_hosts):
        raise refuse("this server does not fetch from its host")
    return target


def follow(target: Target, following: Target) -> Target:
    """Where a redirect leads; raises a Problem when that is a lower scheme, or a port that was not asked for."""
    if target.scheme == "https" and following.scheme == "http":
        raise refuse("it redirects from https to http")
    is_upgrade = (target.port, following.port, following.scheme) == (80, 443, "https")
    if following.port != target.port and not is_upgrade:
        raise refuse("it redirects to another port")
    return following


class Redirect:
    """An answer that names another place."""

    def __init__(self, location: str) -> None:
        self.location = location


def check_address(target: Target, settings: Settings, resolve: Resolve) -> str:
    """Resolve once and return the address to connect to; every answer must be public."""
    try:
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError):
        raise Problem(422, "url_failed", "The host of image_url has no address.") from None
    if not addresses:
        raise Problem(422, "url_failed", "The host of image_url has no address.")
    if not settings.allow_private_addresses and not all(is_public(address) for address in addresses):
        raise refuse("it does not lead to the public internet")
    return addresses[0]


def ask(target: Target, address: str, settings: Settings, deadline: float) -> bytes | Redirect:
    """GET `target` from the very address that was checked; returns the body or where it has gone."""
    try:
        with connect(target, address, settings, deadline) as sock:
            alarm = threading.Timer(max(0.0, deadline - time.monotonic()), hang_up, [sock])
            alarm.start()
            try:
                return read_answer(sock, target, settings, deadline)
            finally:
                alarm.cancel()
    except (OSError, http.client.HTTPException, ValueError):
        if time.monotonic() >= deadline:
            raise Problem(422, "url_failed", "Fetching image_url took too long.") from None
        raise Problem(422, "url_failed", "image_url could not be fetched.") from None


def connect(target: Target, address: str, settings: Settings, deadline: float) -> socket.socket:
    """Open a connection to the address; for https the certificate must be that of the host name."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    sock = socket.create_connection((address, target.port), timeout=min(settings.connect_seconds, remaining))
    if target.scheme == "https":
        try:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=target.host)
        except (OSError, ValueError):
            sock.close()
            raise
    sock.settimeout(settings.read_seconds)
    return sock


def hang_up(sock: socket.socket) -> None:
    """End a connection from outside: what is waiting to read from it stops."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def read_answer(sock: socket.socket, target: Target, settings: Settings, deadline: float) -> bytes | Redirect:
    """Send the request and read the answer; raises OSError or HTTPException when it does not come whole."""
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = sock
    headers = {"Host": target.host_header, "User-Agent": "im2latex", "Accept": "image/*"}
    connection.request("GET", target.path, headers={**headers, "Accept-Encoding": "identity"})
    answer = connection.getresponse()
    if answer.status in REDIRECTS:
        return Redirect(answer.getheader("Location", ""))
    if answer.status != 200:
        raise Problem(422, "url_failed", f"image_url was answered with status {answer.status}.")
    if answer.getheader("Content-Encoding", "identity").lower() != "identity":
        raise Problem(422, "url_failed", "image_url was answered in a compressed form, which was not asked for.")
    return read_body(answer, settings, deadline)


def read_body(answer: http.client.HTTPResponse, settings: Settings, deadline: float) -> bytes:
    """Read the picture, counting bytes while they come."""
    body = bytearray()
    while chunk := answer.read(CHUNK):
        body += chunk
        if len(body) > settings.max_upload_bytes:
            detail = f"The picture is larger than {in_words(settings.max_upload_bytes)}."
            raise Problem(422, "url_too_large", detail)
    if time.monotonic() >= deadline:
        raise TimeoutError  # the alarm hung up, which looks like the end
    if answer.length:
        raise Problem(422, "url_failed", "image_url ended before its end.")
    if not body:
        raise Problem(422, "url_failed", "image_url was answered with nothing.")
    return bytes(body)
