"""Only plain URLs that lead to the public internet are asked."""

import pytest

from api_server.addresses import is_public, read_url
from api_server.problems import Problem


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://example.com", "example.com", 80, "/"),
        ("https://Example.COM./a.png?b=c&d=%20#e", "example.com", 443, "/a.png?b=c&d=%20"),
        ("https://example.com:443/ä b".replace(" ", "%20"), "example.com", 443, "/%C3%A4%20b"),
        ("http://bücher.example/", "xn--bcher-kva.example", 80, "/"),
        ("http://93.184.216.34/x", "93.184.216.34", 80, "/x"),
        ("http://[2606:4700::1111]/x", "2606:4700::1111", 80, "/x"),
    ],
)
def test_a_plain_url_is_taken_apart(url, host, port, path):
    target = read_url(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/a.png",
        "//example.com/a.png",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:image/png;base64,AAAA",
        "http://",
        "http:///a.png",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http://exam ple.com/",
        "http://example.com/a\nb",
        "http://example.com/\x00",
        "http://example.com:22/",
        "http://example.com:8080/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://①②⑦.0.1/",
        "http://127.0.0.1%2f@example.com/",
        "http://%31%32%37.0.0.1/",
        "http://[::1%25lo]/",
        "http://[::1/",
        "http://[127.0.0.1]/",
        "http://" + "a" * 64 + ".example/",
        "http://example.com/" + "a" * 2048,
        "http:example.com",
        "http:/example.com/",
        "http://\t127.0.0.1/",
        "ht\ntp://example.com/",
        " http://example.com/",
        "http://example.com/ @127.0.0.1/",
        "http://example.com\r\nHost: 127.0.0.1/",
        "http://@example.com/",
        "http://:80/",
        "http://:@/",
        "http://0/",
        "http://127.0.0.1.1/",
        "http://1.2.3.256/",
        "http://0x7f.1/",
        "http://00000177.1/",
        "http://[::1]a/",
        "http://[::ffff:7f00:1%eth0]/",
        "http://[v1.a]/",
        "http://example.com:\uff18\uff10/",
        "http://example.com:+80/",
        "http://example.com:/",
        "http://[]/",
        "http://a..example/",
        "http://ex\u00admple.com\u2044@127.0.0.1/",
        "http://example.com\uff20127.0.0.1/",
        "http://example.com\uff0f127.0.0.1/",
        "http://\ud800.example/",
        "http://example.com/\ud800",
        "http://example.com,127.0.0.1/",
        "http://example.com;127.0.0.1/",
        "http://{example}/",
        "http://localhost$/",
        "HTTP+UNIX://%2Fvar%2Frun%2Fdocker.sock/",
    ],
)
def test_an_odd_url_is_refused(url):
    with pytest.raises(Problem) as refused:
        read_url(url)
    assert refused.value.code == "url_refused"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://example.com#@127.0.0.1/", "example.com"),
        ("http://example.com?@127.0.0.1/", "example.com"),
        ("http://example.com/@127.0.0.1/", "example.com"),
        ("http://127.0.0.1#@example.com/", "127.0.0.1"),
        ("http://127.0.0.1?a=http://example.com/", "127.0.0.1"),
        ("HTTP://127.0.0.1:80/", "127.0.0.1"),
        ("http://127\u30020\u30020\u30021/", "127.0.0.1"),
        ("http://\uff11\uff12\uff17.0.0.1/", "127.0.0.1"),
        ("http://127.0.0.1./", "127.0.0.1"),
        ("http://localhost./", "localhost"),
        ("http://LOCALHOST/", "localhost"),
        ("http://[::FFFF:127.0.0.1]/", "::ffff:127.0.0.1"),
        ("http://[0:0:0:0:0:0:0:1]/", "0:0:0:0:0:0:0:1"),
    ],
)
def test_one_reading_of_a_url_is_both_checked_and_asked(url, host):
    """Where other parsers see another host, the one that is checked is the one that is connected to."""
    target = read_url(url)
    assert target.host == host
    assert target.host_header.strip("[]") == host


@pytest.mark.parametrize("host", ["::ffff:127.0.0.1", "0:0:0:0:0:0:0:1", "::127.0.0.1", "::ffff:0:127.0.0.1"])
def test_an_address_written_in_a_url_is_checked_like_one_that_was_looked_up(host):
    assert not is_public(host)


@pytest.mark.parametrize(
    "address",
    [
        "192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2001:20::1", "2001:2::1", "2001:10::1",
        "2001:1ff::1", "5f00::1", "3fff::1", "64:ff9b:1::1", "::8.8.8.8", "fe80::1%eth0", "100.127.255.255",
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254",
        "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:0:7f00:1::1", "2001:db8::1", "100::1", "",
        "localhost",
    ],
)  # fmt: skip
def test_an_address_of_a_closed_range_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_an_address_of_the_internet_is_public(address):
    assert is_public(address)
