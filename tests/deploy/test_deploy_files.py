"""The files of deploy/: they parse, their settings hold, and they say the same as the application and each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from kernel.app import Tekio
from kernel.settings import Settings, load_settings
from retrieval.stores.postgres_address import PostgresAddress
from ui.authentication import require_guard
from ui.rest import create_app

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
VERSIONED = re.compile(r"[\w./-]+:v?\d+\.\d+[\w.-]*")
PORT = 8400


def manifests() -> list[dict[str, Any]]:
    return [
        found
        for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
        for found in yaml.safe_load_all(path.read_text("utf-8"))
    ]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


def container(workload: dict[str, Any]) -> dict[str, Any]:
    (found,) = workload["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def settings_texts() -> dict[str, str]:
    return {
        "compose": (DEPLOY / "tekio.toml").read_text("utf-8"),
        "kubernetes": named("ConfigMap", "tekio")["data"]["tekio.toml"],
    }


@pytest.fixture(params=["compose", "kubernetes"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of either, as a container reads them."""
    text = settings_texts()[request.param]
    (tmp_path / "tekio.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return load_settings()


def test_the_settings_are_valid_and_keep_everything_in_the_database(settings: Settings) -> None:
    address = PostgresAddress.parse(settings.store)
    assert (address.host, address.port, address.password) == ("postgres", 5432, None)
    assert settings.memory_place == settings.store.replace("schema=tekio", "schema=tekio_memory")
    assert settings.variant == "team"
    assert not settings.stores_answers
    assert settings.user_header


def test_both_ways_have_the_same_settings() -> None:
    compose_settings, kubernetes_settings = (tomllib.loads(text) for text in settings_texts().values())
    assert compose_settings == kubernetes_settings
    assert compose_settings["variants"]["team"]["key"] == "ENGINE_KEY"


def test_every_image_has_a_version() -> None:
    images = {service.get("image", "") for service in compose()["services"].values()}
    workloads = [each for each in manifests() if each["kind"] in ("Deployment", "StatefulSet", "Job")]
    images |= {container(each)["image"] for each in workloads}
    bases = re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text("utf-8"), re.M)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"tekio:{version}" in images
    for image in (*images, *bases):
        assert VERSIONED.fullmatch(image), image
    assert len(set(bases)) == 1


def test_probes_and_ports_are_those_of_the_application(tmp_path: Path) -> None:
    tekio = Tekio(load_settings(index=str(tmp_path / "index")))
    paths = create_app(tekio).openapi()["paths"]
    tekio.close()
    serving = container(named("Deployment", "tekio"))
    ports = {port["name"]: port["containerPort"] for port in serving["ports"]}
    assert ports == {"http": PORT}
    probes = {name: serving[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert {"/healthz", "/readyz"} <= set(paths)
    assert all(probe["port"] in ports for probe in probes.values())
    service = named("Service", "tekio")["spec"]
    assert service["ports"][0]["targetPort"] in ports
    assert (
        service["selector"].items()
        <= named("Deployment", "tekio")["spec"]["template"]["metadata"]["labels"].items()
    )
    for command in (serving["args"], compose()["services"]["tekio"]["command"], serve_of_the_image()):
        assert command[:2] == ["tekio", "serve"]
        assert command[command.index("--port") + 1] == str(PORT)
    assert f"tekio {PORT}" in (DEPLOY / "Caddyfile").read_text("utf-8")


def serve_of_the_image() -> list[str]:
    line = (DEPLOY / "Dockerfile").read_text("utf-8").strip().splitlines()[-1]
    found: list[str] = yaml.safe_load(line.removeprefix("CMD "))
    return found


def test_the_image_is_that_of_a_user_without_rights_and_holds_every_room() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.findall(r"^USER (\S+)", text, re.M) == ["10001"]
    assert "HEALTHCHECK" in text
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    rooms = packages["targets"]["wheel"]["packages"]
    assert sorted(re.findall(r"^COPY (\w+) \1$", text, re.M)) == sorted(rooms)
    for name in ("tekio", "tekio-ingest"):
        kind = "Job" if name == "tekio-ingest" else "Deployment"
        pod = named(kind, name)["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


def test_no_file_holds_a_secret() -> None:
    for path in FILES:
        for line in path.read_text("utf-8").splitlines():
            found = re.search(r"(PASSWORD|_KEY|password|key)\w*\s*[:=]\s*(?P<value>\S+)", line)
            if found is None or line.lstrip().startswith("#"):
                continue
            value = found["value"].strip("\"'")
            assert value.startswith("${") or value in ("ENGINE_KEY", "database-password}}", "engine-key}}"), (
                line
            )
    addresses = [
        line for path in FILES for line in path.read_text("utf-8").splitlines() if "postgresql://" in line
    ]
    assert addresses
    assert all("tekio@postgres" in line for line in addresses)


def test_there_are_always_pods_that_answer() -> None:
    budget, scaler = (
        named("PodDisruptionBudget", "tekio")["spec"],
        named("HorizontalPodAutoscaler", "tekio")["spec"],
    )
    replicas = named("Deployment", "tekio")["spec"]["replicas"]
    assert budget["minAvailable"] < scaler["minReplicas"] <= replicas <= scaler["maxReplicas"]
    assert scaler["scaleTargetRef"]["name"] == "tekio"
    assert compose()["services"]["tekio"]["deploy"]["replicas"] > 1


def test_the_database_takes_the_sessions_of_every_replica() -> None:
    def most(arguments: list[str]) -> int:
        (found,) = [word for word in arguments if word.startswith("max_connections=")]
        return int(found.partition("=")[2])

    a_replica = 75
    pods = named("HorizontalPodAutoscaler", "tekio")["spec"]["maxReplicas"]
    assert most(container(named("StatefulSet", "postgres"))["args"]) >= a_replica * (pods + 1)
    services = compose()["services"]
    assert most(services["postgres"]["command"]) >= a_replica * (services["tekio"]["deploy"]["replicas"] + 1)


def test_what_listens_to_other_machines_knows_who_asks(settings: Settings) -> None:
    with closing(Tekio(settings)) as tekio:
        require_guard(tekio, "0.0.0.0")
    assert settings.user_header in (DEPLOY / "Caddyfile").read_text("utf-8"), (
        "the proxy takes it from clients"
    )


def test_uploads_and_jobs_are_shared_by_every_server(settings: Settings) -> None:
    folder = Path("/shared")
    assert {settings.uploads_folder.parent, settings.jobs.parent} == {folder}
    assert f"shared:{folder}" in compose()["services"]["tekio"]["volumes"]
    assert "shared" in compose()["volumes"]
    assert f"--owner=tekio /opt/models {folder}" in (DEPLOY / "Dockerfile").read_text("utf-8")
    pod = named("Deployment", "tekio")["spec"]["template"]["spec"]
    assert {"name": "shared", "mountPath": str(folder)} in pod["containers"][0]["volumeMounts"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "shared"]
    claim = named("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_service_starts_the_api_without_rights_and_waits_for_answers_that_are_under_way() -> None:
    lines = (DEPLOY / "tekio.service").read_text("utf-8").splitlines()
    said = [line.partition("=")[::2] for line in lines if "=" in line and not line.startswith("#")]
    service = dict(said)
    command = service["ExecStart"].removeprefix("/opt/tekio/bin/").split()
    assert command == ["tekio", "serve", "--host", "127.0.0.1", "--port", str(PORT)]
    for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictSUIDSGID", "DynamicUser"):
        assert service[name] == "yes", name
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")
    longest = Settings.model_fields["stop_seconds"].default
    assert float(service["TimeoutStopSec"]) > longest + 6
    waits = re.fullmatch(r"(\d+)s", compose()["services"]["tekio"]["stop_grace_period"])
    assert waits is not None
    assert int(waits[1]) > longest + 6
    pod = named("Deployment", "tekio")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > longest + 6 + 5  # after the pause of preStop


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_service_is_one_that_systemd_takes(tmp_path: Path) -> None:
    text = (DEPLOY / "tekio.service").read_text("utf-8").replace("/opt/tekio/bin/tekio", "/bin/true")
    (tmp_path / "tekio.service").write_text(text, encoding="utf-8")
    for words in (["verify"], ["security", "--offline=yes", "--threshold=20"]):
        command = ["systemd-analyze", *words, str(tmp_path / "tekio.service")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Unknown" not in done.stderr
