"""The OpenAPI document is true: what it allows and forbids is sent, and the answers are those that it names."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from api_server.app import create_app
from api_server.settings import Settings
from api_server.tests.fakes import FakePredictor, serving
from api_server.tests.running import running

DOCUMENT = create_app(Settings(), FakePredictor()).openapi()
schema = schemathesis.openapi.from_dict(DOCUMENT)
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
"""All but those for valid data being accepted: a random string fits the schema of a picture, and is none."""


@pytest.fixture(scope="module")
def server():
    with running(Settings(image_url=False)) as server:
        yield server


@schema.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_document_names(case, server):
    case.call_and_validate(base_url=server.url(""), checks=CHECKS, timeout=60)


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch"])
def test_bodies_and_examples_are_described(path):
    post = DOCUMENT["paths"][path]["post"]
    assert "application/json" in post["requestBody"]["content"]
    assert post["responses"]["200"]["content"]["application/json"]["example"]
    for status in ("401", "408", "413", "415", "422", "429", "503", "504"):
        (answer,) = post["responses"][status]["content"].items()
        assert answer[0] == "application/problem+json"
        assert answer[1]["example"]["status"] == int(status)


@pytest.mark.parametrize(("name", "claim"), [("Reading", "exactly right"), ("Token", "token is right")])
def test_confidence_is_described_as_the_probability_that_calibration_makes_it(name, claim):
    said = DOCUMENT["components"]["schemas"][name]["properties"]["confidence"]["description"]
    calibrated, _, otherwise = said.partition("; of a model that is not calibrated, ")
    assert claim in calibrated
    assert "it gave the token" in otherwise


@pytest.mark.parametrize(("path", "allowed"), [("/v1/predict", "GET, POST"), ("/v1/predict/batch", "POST")])
def test_a_refused_method_names_all_that_are_allowed_though_a_path_has_two_routes(path, allowed):
    with serving() as client:
        assert client.delete(path).headers["allow"] == allowed
