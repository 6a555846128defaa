"""Bodies with a picture: whatever the standards let a client send is understood, and no body is worked at for long."""

import base64

import pytest
from python_multipart.multipart import MultipartParser

from api_server.problems import Problem
from api_server.tests.fakes import picture
from api_server.uploads import FORM, MAX_PARTS, Body, decode_picture, parse_upload

LIMIT = 10 * 2**20


def part(name, content, filename=""):
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(*parts):
    return Body(FORM, b"x", b"".join(parts) + b"--x--\r\n")


PICTURE = part("file", picture(), '; filename="a.png"')


@pytest.mark.parametrize("filename", ["", '; filename="a"'])
def test_a_form_of_very_many_parts_is_left_at_the_first_one_too_many(monkeypatch, filename):
    begun = []
    callback = MultipartParser.callback

    def note(parser, name, *rest):
        begun.extend([name] if name == "part_begin" else [])
        callback(parser, name, *rest)

    monkeypatch.setattr(MultipartParser, "callback", note)
    with pytest.raises(Problem, match="more than 100 parts") as refused:
        parse_upload(form(PICTURE, *[part("other", b"1", filename)] * 1000), LIMIT)
    assert (refused.value.status, refused.value.code) == (422, "invalid_request")
    assert len(begun) == MAX_PARTS + 1


def test_a_form_of_as_many_parts_as_allowed_is_read():
    options, data = parse_upload(form(part("beam", b"3"), *[part("other", b"1")] * (MAX_PARTS - 2), PICTURE), LIMIT)
    assert (options.beam, data) == (3, picture())


def test_a_picture_in_a_form_needs_no_filename():
    assert parse_upload(form(part("file", picture())), LIMIT)[1] == picture()


def test_an_empty_field_for_the_picture_is_said_to_be_empty():
    with pytest.raises(Problem, match="empty"):
        parse_upload(form(part("file", b"")), LIMIT)


@pytest.mark.parametrize("head", ["data:;base64,", "data:;charset=utf-8;base64,", "DATA:image/png;BASE64,"])
def test_a_data_url_may_leave_its_type_out(head):
    assert decode_picture(head + base64.b64encode(picture()).decode(), LIMIT) == picture()
