"""Settings come from IM2LATEX_ variables, and nothing that is mistyped is passed over."""

from dataclasses import fields

import pytest

from api_server.addresses import is_listed, read_url
from api_server.settings import PREFIX, Settings, describe
from im2latex.errors import ConfigError


def test_defaults_hold_where_nothing_is_set():
    assert Settings.from_environment({"HOME": "/root"}) == Settings()


def test_every_kind_of_value_is_read():
    environment = {
        "IM2LATEX_BUNDLE": "model.pt",
        "IM2LATEX_MAX_UPLOAD_BYTES": "1000",
        "IM2LATEX_ALLOW_PRIVATE_ADDRESSES": "Yes",
        "IM2LATEX_IMAGE_URL": "0",
        "IM2LATEX_TOTAL_SECONDS": "1.5",
        "IM2LATEX_API_KEYS": "first, second,",
        "IM2LATEX_IMAGE_URL_PORTS": "80,8080",
    }
    assert Settings.from_environment(environment) == Settings(
        bundle="model.pt",
        max_upload_bytes=1000,
        allow_private_addresses=True,
        image_url=False,
        total_seconds=1.5,
        api_keys=("first", "second"),
        image_url_ports=(80, 8080),
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("IM2LATEX_MAX_UPLOAD_BYTE", "1000"),
        ("IM2LATEX_MAX_UPLOAD_BYTES", "10 MB"),
        ("IM2LATEX_MAX_UPLOAD_BYTES", "-1"),
        ("IM2LATEX_TOTAL_SECONDS", "nan"),
        ("IM2LATEX_IMAGE_URL_PORTS", "80,http"),
        ("IM2LATEX_ALLOW_PRIVATE_ADDRESSES", "maybe"),
        ("IM2LATEX_API_KEYS", ","),
        ("IM2LATEX_API_KEYS", " \n"),
        ("IM2LATEX_IMAGE_URL_HOSTS", " , "),
        ("IM2LATEX_IMAGE_URL_PORTS", ","),
        ("IM2LATEX_IMAGE_URL_HOSTS", "a..example"),
    ],
)
def test_a_setting_that_means_nothing_stops_the_start_and_is_named(name, text):
    with pytest.raises(ConfigError, match=name):
        Settings.from_environment({name: text})


def test_an_empty_variable_sets_an_empty_list():
    assert Settings.from_environment({"IM2LATEX_API_KEYS": ""}).api_keys == ()


@pytest.mark.parametrize(
    ("allowed", "asked"),
    [
        ("Example.org", "http://example.ORG/"),
        ("Bücher.example", "http://bücher.example/"),
        ("Bücher.example", "http://xn--bcher-kva.example/"),
        (".Bücher.example", "http://www.BÜCHER.example/"),
        ("other.example,example.org.", "http://example.org/"),
    ],
)
def test_a_host_on_the_list_is_found_however_it_is_spelled(allowed, asked):
    settings = Settings.from_environment({"IM2LATEX_IMAGE_URL_HOSTS": allowed})
    assert is_listed(read_url(asked).host, settings.image_url_hosts)


def test_private_addresses_are_refused_unless_asked_for():
    assert Settings().allow_private_addresses is False


def test_the_help_has_a_line_for_every_setting():
    lines = describe().splitlines()
    assert [line.split()[0] for line in lines] == [PREFIX + field.name.upper() for field in fields(Settings)]
    assert all("(default: " in line for line in lines)
