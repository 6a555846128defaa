"""The Kubernetes manifests are valid, fit together, and say of the server what is true."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from api_server.routes import router
from api_server.settings import Settings

FOLDER = Path(__file__).parents[2] / "docs/deploy"
MANIFESTS = {file.stem: yaml.safe_load(file.read_text()) for file in sorted(FOLDER.glob("*.yaml"))}
LABELS = {"app.kubernetes.io/name": "im2latex"}


@pytest.fixture
def pod():
    return MANIFESTS["deployment"]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    (container,) = pod["containers"]
    return container


@pytest.fixture
def settings(container):
    """What the server makes of its environment: an unknown name or a wrong value is an error there."""
    return Settings.from_environment({one["name"]: one["value"] for one in container["env"]})


def test_the_manifests_of_the_issue_are_there():
    assert {manifest["kind"] for manifest in MANIFESTS.values()} == {
        *("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget")
    }


@pytest.mark.parametrize("version", ["1.28", "1.37"])
@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_follows_the_schema_of_kubernetes(name, version):
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_the_schema_would_notice_a_misspelt_field():
    spec = {**MANIFESTS["service"]["spec"], "selectr": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**MANIFESTS["service"], "spec": spec}, "1.37", strict=True)


def test_service_autoscaler_and_budget_mean_the_pods_of_the_deployment(container):
    deployment = MANIFESTS["deployment"]
    assert deployment["spec"]["template"]["metadata"]["labels"] == LABELS
    assert deployment["spec"]["selector"]["matchLabels"] == LABELS
    assert MANIFESTS["service"]["spec"]["selector"] == LABELS
    assert MANIFESTS["disruption-budget"]["spec"]["selector"]["matchLabels"] == LABELS
    target = MANIFESTS["autoscaler"]["spec"]["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"]) == (deployment["apiVersion"], deployment["kind"])
    assert target["name"] == deployment["metadata"]["name"]
    (port,) = container["ports"]
    assert MANIFESTS["service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert "replicas" not in deployment["spec"]


def test_probes_ask_addresses_that_the_server_has(container):
    paths = {route.path for route in router.routes}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in paths
        assert container[probe]["httpGet"]["port"] == container["ports"][0]["name"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "a full or draining server must not be killed"


def test_a_pod_is_given_the_time_to_answer_what_has_come(pod, container, settings):
    probe = container["readinessProbe"]
    assert settings.drain_seconds > probe["periodSeconds"] * probe["failureThreshold"]
    assert pod["terminationGracePeriodSeconds"] > settings.drain_seconds + settings.deadline_seconds


def test_a_pod_may_do_nothing_that_a_server_need_not_do(pod, container):
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_variables_that_kubernetes_invents_do_not_stop_the_server(pod):
    """A Service named im2latex puts IM2LATEX_SERVICE_HOST and others into every pod, which the server would refuse."""
    assert pod["enableServiceLinks"] is False
