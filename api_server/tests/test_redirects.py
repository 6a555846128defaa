"""A redirect is a new address, checked like the first: it leads no lower, to no other port, and not on for ever."""

import socket

import pytest

from api_server.addresses import read_url
from api_server.fetch import fetch_image, follow
from api_server.problems import Problem
from api_server.settings import Settings
from api_server.tests.loopback import OPEN, answering, code_of, found, moved


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("relative", [True, False])
def test_redirects_are_followed_and_relative_ones_understood(status, relative):
    with answering(found(b"here"), host="127.0.0.2") as (port, asked):
        location = "b.png?c=d" if relative else f"http://second.example:{port}/b.png?c=d"
        with answering(moved(location, status), port=port) as (_, first):
            names = {"first.example": "127.0.0.1", "second.example": "127.0.0.2"}
            hosts = iter(["127.0.0.1", "127.0.0.2"])
            url = f"http://first.example:{port}/a.png"
            resolve = (lambda *_: [next(hosts)]) if relative else (lambda host, _: [names[host]])
            assert fetch_image(url, OPEN, resolve) == b"here"
    assert first[0].startswith("GET /a.png ")
    assert asked[0].startswith("GET /b.png?c=d ")


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd", "http://user@example.com/", "http://0x7f.1/", "", "ftp://example.com/", "http://[::1/",
        "//user@example.com/", "gopher://example.com/", "http://example.com:22/", "http:///", "javascript:alert(1)",
        "http://2130706433/", "/a b", "http://exa\\mple.com/", "data:image/png;base64,AAAA", "http://" + "a" * 3000,
    ],
)  # fmt: skip
def test_a_redirect_is_checked_like_the_first_url(location):
    with answering(moved(location)) as (port, asked):
        assert code_of(f"http://127.0.0.1:{port}/") == "url_refused"
    assert len(asked) <= 4


def test_a_public_page_cannot_redirect_into_the_network(monkeypatch):
    with answering(moved("http://intranet.example/")) as (port, _):
        def public(host, port):
            return ["8.8.8.8"] if host == "public.example" else ["10.0.0.1"]

        def connect(address, timeout):
            assert address == ("8.8.8.8", 80), "only the public address may be asked"
            return real(("127.0.0.1", port), timeout)

        real = socket.create_connection
        monkeypatch.setattr(socket, "create_connection", connect)
        assert code_of("http://public.example/", Settings(), resolve=public) == "url_refused"


def test_endless_redirects_end():
    with answering(moved("/again")) as (port, asked):
        assert code_of(f"http://127.0.0.1:{port}/") == "url_refused"
    assert len(asked) == OPEN.max_redirects + 1


def test_a_redirect_does_not_lead_off_the_list(monkeypatch):
    settings = Settings(allow_private_addresses=True, image_url_hosts=("first.example",))
    with answering(moved("http://second.example/")) as (port, _):
        assert code_of(f"http://first.example:{port}/", settings, resolve=lambda *_: ["127.0.0.1"]) == "url_refused"


@pytest.mark.parametrize(
    ("first", "second", "is_followed"),
    [
        ("http://a.example/", "http://a.example/b", True),
        ("http://a.example/", "https://a.example/", True),
        ("http://a.example/", "http://b.example/", True),
        ("https://a.example/", "http://a.example/", False),
        ("http://a.example/", "http://a.example:443/", False),
        ("https://a.example/", "https://a.example:80/", False),
        ("http://a.example:443/", "https://a.example:80/", False),
    ],
)
def test_a_redirect_goes_to_no_lower_scheme_and_no_other_port(first, second, is_followed):
    if is_followed:
        assert follow(read_url(first), read_url(second)) == read_url(second)
    else:
        with pytest.raises(Problem, match="refused"):
            follow(read_url(first), read_url(second))


def test_a_name_that_changes_its_address_between_redirects_is_refused(monkeypatch):
    addresses = iter(["8.8.8.8", "127.0.0.1"])
    real = socket.create_connection
    with answering(moved("/again")) as (port, asked):
        monkeypatch.setattr(socket, "create_connection", lambda _, timeout: real(("127.0.0.1", port), timeout))
        code = code_of("http://rebind.example/", Settings(), resolve=lambda *_: [next(addresses)])
    assert code == "url_refused"
    assert len(asked) == 1


def test_redirects_that_dawdle_share_one_total_time():
    settings = Settings(allow_private_addresses=True, total_seconds=0.5, max_redirects=100)
    with answering(b"", moved("/again"), pause=0.2) as (port, asked):
        assert code_of(f"http://127.0.0.1:{port}/", settings) == "url_failed"
    assert len(asked) < 10
