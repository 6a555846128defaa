"""The API: one answer for every way to send a picture, and a problem document for every way to fail."""

import base64
import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api_server.app import create_app
from api_server.problems import in_words
from api_server.settings import Settings
from api_server.tests.fakes import FakePredictor, picture, serving
from im2latex.errors import BundleError, ImageError

SECRET = "this-was-sent-by-the-client"


@pytest.fixture
def client():
    with serving() as client:
        yield client


def data_url(data, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def check_problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:im2latex:{code}"
    assert body["title"]
    assert body["detail"]
    assert SECRET not in response.text


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.post("/v1/predict", files={"file": picture()}),
        lambda client: client.post("/v1/predict", json={"image": base64.b64encode(picture()).decode()}),
        lambda client: client.post("/v1/predict", json={"image": data_url(picture())}),
        lambda client: client.post("/v1/predict", json={"image": data_url(picture("GIF"), "image/gif;x=y")}),
        lambda client: client.post("/v1/predict", json={"image": base64.encodebytes(picture()).decode()}),
    ],
    ids=["multipart", "base64", "data url", "data url with a parameter", "base64 in lines"],
)
def test_every_way_to_send_a_picture_gives_the_same_answer(client, send):
    response = send(client)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer.pop("seconds") >= 0
    assert answer == {
        "pred": "x_{1}",
        "confidence": 0.5,
        "model": "fake",
        "alternatives": [],
        "formats": {},
        "likeness": None,
        "attention": None,
        "tokens": [
            {"token": "x", "confidence": 0.9},
            {"token": "_", "confidence": 1.0},
            {"token": "{", "confidence": 1.0},
            {"token": "1", "confidence": 0.6},
            {"token": "}", "confidence": 1.0},
        ],
    }


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_supported_format_is_read_whatever_its_name_claims(client, kind):
    response = client.post("/v1/predict", files={"file": ("x.png", picture(kind), "image/png")})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {"content-type": "application/json"}, 422, "invalid_request"),
        (b"{}", {"content-type": "application/json"}, 422, "invalid_request"),
        (b'{"image": ""}', {"content-type": "application/json"}, 422, "invalid_request"),
        (b'{"image": 3}', {"content-type": "application/json"}, 422, "invalid_request"),
        (b'{"image": "aGFsbG8=", "beam": 11}', {"content-type": "application/json"}, 422, "invalid_request"),
        (b'{"image": "aGFsbG8=", "beam": "2"}', {"content-type": "application/json"}, 422, "invalid_request"),
        (b'{"image": "aGFsbG8=", "formats": ["%s"]}' % SECRET.encode(),
         {"content-type": "application/json"}, 422, "invalid_request"),
        (b'{"image": "aGFsbG8=", "beam": "%s"}' % SECRET.encode(),
         {"content-type": "application/json"}, 422, "invalid_request"),
        (b'{"image": "\xff%s"}' % SECRET.encode(), {"content-type": "application/json"}, 422, "invalid_request"),
        (b"[" * 100_000, {"content-type": "application/json"}, 422, "invalid_request"),
        (b'{"image": "%s"}' % SECRET.encode(), {"content-type": "application/json"}, 422, "invalid_base64"),
        (b'{"image": "data:a/b,aGFsbG8="}', {"content-type": "application/json"}, 422, "invalid_base64"),
        (b'{"image": "aGFsbG8="}', {"content-type": "application/json"}, 422, "unreadable_image"),
        (b"", {"content-type": "application/json"}, 422, "invalid_request"),
        (b"a=b", {"content-type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        (picture(), {"content-type": "image/png"}, 415, "unsupported_media_type"),
        (b"", {}, 415, "unsupported_media_type"),
        (b"--x\r\n", {"content-type": "multipart/form-data"}, 422, "invalid_request"),
        (SECRET.encode(), {"content-type": "multipart/form-data; boundary=x"}, 422, "invalid_request"),
        (b"--x--\r\n", {"content-type": "multipart/form-data; boundary=x"}, 422, "invalid_request"),
        (b"--x\r\nA: b\r\n\r\n", {"content-type": "multipart/form-data; boundary=x"}, 422, "invalid_request"),
    ],
)
def test_a_bad_body_is_a_problem_that_does_not_repeat_it(client, body, headers, status, code):
    check_problem(client.post("/v1/predict", content=body, headers=headers), status, code)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"other": picture()}, "invalid_request"),
        ([("file", picture()), ("file", picture())], "invalid_request"),
        ({"file": b""}, "invalid_request"),
        ({"file": SECRET.encode()}, "unreadable_image"),
        ({"file": picture()[:80]}, "unreadable_image"),
    ],
)
def test_a_form_needs_one_readable_picture(client, files, code):
    check_problem(client.post("/v1/predict", files=files), 422, code)


def test_what_the_library_refuses_is_said_in_its_own_words():
    with serving(predictor=FakePredictor(ImageError("the picture is blank"))) as client:
        response = client.post("/v1/predict", files={"file": picture()})
    check_problem(response, 422, "unreadable_image")
    assert response.json()["detail"] == "the picture is blank"


def test_a_fault_of_the_server_is_a_problem_without_its_cause():
    with serving(predictor=FakePredictor(RuntimeError(SECRET))) as client:
        check_problem(client.post("/v1/predict", files={"file": picture()}), 500, "internal_error")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/{SECRET}", 404, "not_found"),
        ("DELETE", "/v1/predict", 405, "method_not_allowed"),
        ("GET", "/v1/predict", 422, "invalid_request"),
        ("GET", f"/v1/predict?image_url=ftp://{SECRET}/", 422, "url_refused"),
        ("GET", f"/v1/predict?image_url=http://a.example/&beam={SECRET}", 422, "invalid_request"),
        ("GET", f"/v1/predict?image_url=http://a.example/&formats={SECRET}", 422, "invalid_request"),
        ("GET", "/v1/predict/batch", 405, "method_not_allowed"),
        ("GET", "/v1/predict?image_url=http://127.0.0.1/", 422, "url_refused"),
        ("GET", "/v1/predict?image_url=http://localhost/", 422, "url_refused"),
    ],
)
def test_a_bad_request_is_a_problem(client, method, path, status, code):
    check_problem(client.request(method, path), status, code)


def test_a_picture_above_the_limit_is_refused_however_it_is_sent():
    data = picture("BMP", size=(400, 300))
    with serving(Settings(max_upload_bytes=len(data) - 1)) as client:
        for response in (
            client.post("/v1/predict", files={"file": data}),
            client.post("/v1/predict", json={"image": data_url(data)}),
        ):
            check_problem(response, 413, "upload_too_large")
    with serving(Settings(max_upload_bytes=len(data))) as client:
        assert client.post("/v1/predict", files={"file": data}).status_code == 200
        assert client.post("/v1/predict", json={"image": data_url(data)}).status_code == 200


def test_reading_stops_at_the_limit_when_no_length_is_declared():
    chunks = (b" " * 10_000 for _ in range(100))
    with serving(Settings(max_upload_bytes=100_000)) as client:
        headers = {"content-type": "application/json"}
        check_problem(client.post("/v1/predict", content=chunks, headers=headers), 413, "upload_too_large")


def test_the_model_is_warm_and_sees_each_picture_once():
    predictor = FakePredictor()
    with serving(predictor=predictor) as client:
        assert predictor.is_warm
        client.post("/v1/predict", files={"file": picture(size=(70, 50))})
    assert predictor.batches == [[(16, 16)]]


def test_ready_only_between_warm_up_and_shutdown():
    app = create_app(Settings(), FakePredictor())
    cold = TestClient(app)
    assert cold.get("/readyz").status_code == 503
    assert cold.get("/healthz").json() == {"status": "ok"}
    with TestClient(app) as client:
        assert client.get("/readyz").status_code == 200
    assert cold.get("/readyz").status_code == 503


def test_metrics_count_requests_by_route_and_never_by_raw_path(client):
    client.post("/v1/predict", files={"file": picture()})
    client.get(f"/{SECRET}")
    text = client.get("/metrics").text
    assert 'im2latex_requests_total{route="/v1/predict",status="200"} 1.0' in text
    assert 'im2latex_requests_total{route="other",status="404"} 1.0' in text
    assert "im2latex_request_seconds_bucket" in text
    assert "im2latex_tokens_total 5.0" in text
    assert SECRET not in text


def test_the_page_and_the_documentation_name_no_address_outside_the_server(client):
    for path in ("/", "/docs", "/static/page.js", "/static/page.css"):
        response = client.get(path)
        assert response.status_code == 200
        assert "//" not in response.text.replace("// ", ""), path
    assert "default-src 'self'" in client.get("/").headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "kept"), [("page.js", "no-cache"), ("katex/katex.min.css", "public, max-age=86400")]
)
def test_parts_of_the_page_are_taken_for_what_they_are_and_not_sent_twice(client, path, kept):
    first = client.get(f"/static/{path}")
    again = client.get(f"/static/{path}", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    for answer in (first, again):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == kept


@pytest.mark.parametrize(
    ("size", "words"), [(5, "5 bytes"), (1024, "1 kB"), (10 * 2**20, "10 MB"), (2**20 * 3 // 2, "1.5 MB")]
)
def test_a_limit_is_said_as_a_person_says_it(size, words):
    assert in_words(size) == words


def test_the_description_names_both_ways_to_upload(client):
    body = client.get("/openapi.json").json()["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}


def test_a_large_picture_is_refused_before_it_is_decoded(client):
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    check_problem(client.post("/v1/predict", files={"file": buffer.getvalue()}), 422, "unreadable_image")


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_a_server_without_a_model_does_not_start(tmp_path, content):
    path = tmp_path / "model.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError), TestClient(create_app(Settings(bundle=str(path)))):
        pass
