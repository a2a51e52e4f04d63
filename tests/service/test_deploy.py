"""Compose and Kubernetes, and what the unit has in common with them: memory that follows from the bound, and time to end."""

import re
import shlex
import subprocess
import sys
import tomllib
from math import ceil
from pathlib import Path

import httpx
import pytest
from support import running_service as serving
from support.deployed import DEPLOY, compose, objects, pod, unit
from support.project import ROOT, run_cli

from resnet18_lab import __version__
from resnet18_lab.service.memory import service_mb
from resnet18_lab.service.settings import MEGABYTE, Settings

MIB = 2**20

COMMANDS = {
    "unit": lambda: shlex.split(unit()["ExecStart"][0]),
    "compose": lambda: shlex.split(compose()["command"]),
    "kubernetes": lambda: pod()["containers"][0]["args"],
}


def settings_of(where):
    """What the command of one of the three sets, as the command line itself reads it."""
    program, serve, *options = COMMANDS[where]()
    assert (Path(program).name, serve) == ("resnet18-lab", "serve")
    done = run_cli("serve", *options, "--show-settings")
    assert done.returncode == 0, done.stderr
    return tomllib.loads(done.stdout)


def mib(text):
    return int(re.fullmatch(r"(\d+)(?:M|m|Mi)", text)[1])


def limit_and_tmp(where):
    """MiB of memory it may take, and of those the ones that files in /tmp may take."""
    if where == "unit":
        return mib(unit()["MemoryMax"][0]), 0
    if where == "compose":
        return mib(compose()["mem_limit"]), mib(re.search(r"/tmp:.*size=(\d+m)", compose()["tmpfs"][0])[1])
    limits = pod()["containers"][0]["resources"]["limits"]
    return mib(limits["memory"]), mib(pod()["volumes"][0]["emptyDir"]["sizeLimit"])


@pytest.mark.parametrize("where", COMMANDS)
def test_the_limit_of_memory_is_the_bound_that_follows_from_the_options(where):
    chosen = settings_of(where)
    fields = ("workers", "decoders", "max-mb", "upload-mb")  # decoders has no value unless the command gives one
    bound = service_mb(Settings(**{name.replace("-", "_"): chosen[name] for name in fields}))
    limit, tmp = limit_and_tmp(where)
    assert limit == ceil(bound * MEGABYTE / MIB) + tmp


@pytest.mark.parametrize(
    ("where", "seconds"),
    [
        ("unit", lambda: int(unit()["TimeoutStopSec"][0])),
        ("compose", lambda: int(compose()["stop_grace_period"].removesuffix("s"))),
        ("kubernetes", lambda: pod()["terminationGracePeriodSeconds"]),
    ],
)
def test_there_is_time_for_the_grace_and_the_running_requests_before_it_is_killed(where, seconds):
    assert seconds() > settings_of(where)["grace-seconds"] + Settings().drain_seconds + 2


def test_kubernetes_has_time_to_send_requests_elsewhere():
    assert settings_of("kubernetes")["grace-seconds"] == 5


def test_the_compose_file_is_valid():
    pytest.importorskip("check_jsonschema", reason="needs the test extra: check-jsonschema")
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["resnet18-lab", "nginx"])
def test_a_container_of_compose_has_no_rights_and_writes_to_a_small_tmp_alone(name):
    service = compose(name)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [re.match(r"/tmp:size=\d+m,", place) is not None for place in service["tmpfs"]] == [True]
    assert service["mem_limit"] == service["memswap_limit"]


def test_compose_publishes_to_this_machine_alone_and_runs_as_the_image_s_user():
    service = compose()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["user"].split(":")[0] == re.search(r"USER (\d+)", (ROOT / "Dockerfile").read_text())[1]
    assert service["healthcheck"]["test"][1:] == ["python", "deploy/health.py"]


def test_nginx_of_compose_is_asked_for_and_finds_the_service_where_its_configuration_says():
    nginx = compose("nginx")
    assert nginx["profiles"] == ["nginx"]
    assert nginx["network_mode"] == "service:resnet18-lab"
    assert "./nginx.conf:/etc/nginx/conf.d/default.conf:ro" in nginx["volumes"]
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    mounted = {volume.split(":")[-2] for volume in nginx["volumes"]}
    assert set(re.findall(r"ssl_certificate(?:_key)?\s+(\S+);", text)) <= mounted
    assert re.search(r"listen 443", text)
    assert any(port.endswith(":443") for port in compose()["ports"])


def test_the_kubernetes_objects_are_valid():
    pytest.importorskip("kubernetes_validate", reason="needs the test extra: kubernetes-validate")
    program = Path(sys.executable).parent / "kubernetes-validate"
    done = subprocess.run(
        [program, "--strict", DEPLOY / "kubernetes.yaml"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(objects()) == {"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"}


def test_the_probes_ask_what_the_service_answers():
    container = pod()["containers"][0]
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {name: probe["path"] for name, probe in asked.items()} == {
        "startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"
    }  # fmt: skip
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {ports[probe["port"]] for probe in asked.values()} == {settings_of("kubernetes")["port"]}


@pytest.mark.slow
def test_the_probes_are_answered_by_the_address_of_a_pod(untrained_home, tmp_path):
    options = [*COMMANDS["kubernetes"]()[2:], "--weights", "untrained"]
    service = serving.start(untrained_home, tmp_path / "tmp", *options)
    try:
        for path in ("/readyz", "/healthz"):
            assert httpx.get(service.url + path, headers={"host": "10.1.2.3:8000"}).status_code == 200
    finally:
        service.stop()


def test_a_pod_has_no_rights_and_writes_to_a_small_tmp_in_memory_alone():
    spec, container = pod(), pod()["containers"][0]
    assert spec["automountServiceAccountToken"] is False
    assert (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (True, 10001)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert spec["volumes"][0]["emptyDir"]["medium"] == "Memory"
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]


def test_all_objects_mean_the_same_pods():
    found = objects()
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    assert (
        found["PodDisruptionBudget"]["spec"]["minAvailable"] < found["HorizontalPodAutoscaler"]["spec"]["minReplicas"]
    )
    assert pod()["containers"][0]["image"].endswith(f"/resnet18-lab:{__version__}")
