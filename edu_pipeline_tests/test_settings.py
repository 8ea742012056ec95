"""Where settings come from: the environment, then the file in EDU_HOME; the same for the command line and Dagster."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback

import pytest
from fsspec.registry import _registry

from edu_pipeline.database.connection import target
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.orchestration.executors import executor
from edu_pipeline.settings import FILE, PROJECT, home, settings
from edu_pipeline_tests.programs import BIN


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*(name for name in os.environ if name.startswith("EDU_") and name != "EDU_HOME"), "DAGSTER_HOME"]:
        monkeypatch.delenv(name, raising=False)


def test_environment_takes_precedence_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    (home() / FILE).write_text("EDU_SCHEMA=from_file\nEDU_STEPS_AT_ONCE=3\nEDU_HOME=/\n", encoding="utf-8")
    monkeypatch.setenv("EDU_SCHEMA", "from_environment")
    assert (settings().target_schema, settings().steps_at_once) == ("from_environment", 3)
    assert settings().local == home() / ".local"


def test_defaults_without_a_file() -> None:
    assert not (home() / FILE).exists()
    assert (settings().target_schema, settings().upstream) == ("educational_data", None)


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("EDU_SCHEMA", "public", "expected a lower-case identifier .*, found 'public'\\. Choose another schema name"),
        ("EDU_SCHEMA", "Données", "expected a lower-case identifier .*, found 'Données'\\."),
        ("EDU_UPSTREAM", "/does/not/exist", "expected an existing directory .*, found '/does/not/exist'\\. Name an"),
        ("EDU_EXECUTOR", "spark", "expected 'in_process', .* or 'celery', found 'spark'\\. Correct or unset it"),
        ("EDU_PROBE_SECONDS", "often", "expected a valid integer, found 'often'\\. Correct"),
        ("EDU_PROBE_SECONDS", "1", "expected greater than or equal to 5, found '1'\\. Correct"),
        ("EDU_ARCHIVE", "nowhere://bucket", "expected a folder, .*, found nowhere://: Protocol not known.* Install"),
        ("EDU_UI_URL", "dagster.example.org", "expected an address .*, found 'dagster.example.org'\\. Correct"),
    ],
)
def test_values_that_cannot_be_used(variable: str, value: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingInvalid, match=f"SettingInvalid: {variable}: {text}"):
        settings()


@pytest.mark.parametrize("variable", ["EDU_DATABASE_URL", "EDU_DAGSTER_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://edu:wooden%horse@db/evalLycee",
        "postgress://edu:wooden-horse@db/evalLycee",
        "postgresql://edu:wooden/horse@db/evalLycee",
        "postgresql://edu:55/horse-wooden@db/evalLycee",
        "postgresql://edu:wooden#horse@db/evalLycee",
        "postgresql://edu:wooden?horse@db/evalLycee",
        "postgresql://edu:wooden@horse@db/evalLycee",
        "postgresql://edu:[wooden-horse@db/evalLycee",
        "host=db user=edu password=wooden-horse",
    ],
)
def test_no_text_has_the_password_of_a_malformed_url(variable: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, url)
    with pytest.raises(SettingInvalid, match=f"{variable}: expected postgresql://USER@HOST:PORT/NAME, .* %40") as error:
        settings()
    trace = "".join(traceback.format_exception(error.value))
    assert "wooden" not in trace and "horse" not in trace


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://edu:wooden%25%2F%40horse@db.example.org:5433/evalLycee?sslmode=verify-full",
        "postgres://edu@127.0.0.1/evalLycee",
        "postgresql://edu@a:5432,b:5433/evalLycee?target_session_attrs=read-write",
        "postgresql:///evalLycee?host=/run/postgresql&passfile=%2Fsrv%2Fa%40b",
    ],
)
def test_no_representation_has_a_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDU_DATABASE_URL", url)
    monkeypatch.setenv("EDU_DAGSTER_URL", url.replace("postgresql:", "postgresql+psycopg2:"))
    database = target(settings())
    assert database.url == url
    assert settings().dagster_url == settings().database_url, "either form will do"
    assert not {word for word in ("evalLycee", "horse") if word in f"{settings()!r} {settings()} {database!r}"}


def test_a_bucket_needs_the_package_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    for protocol in ("s3", "s3a"):  # fsspec keeps what another test has imported
        monkeypatch.delitem(_registry, protocol, raising=False)
    monkeypatch.setenv("EDU_ARCHIVE", "s3://bucket/releases")
    with pytest.raises(SettingInvalid, match=r"EDU_ARCHIVE: expected a folder, .* found s3://: Install s3fs"):
        settings()


def test_an_executor_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, package in (("celery", "celery"), ("dask", "distributed")):
        monkeypatch.delitem(sys.modules, f"edu_pipeline.orchestration.{name}_executor", raising=False)
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setenv("EDU_EXECUTOR", name)
        settings.cache_clear()
        with pytest.raises(SettingInvalid, match=rf"EDU_EXECUTOR: expected the package {package} .*\[{name}\]"):
            executor()


def test_the_demo_keeps_the_settings_file_to_its_owner() -> None:
    file = home() / FILE
    file.write_text("EDU_DATABASE_URL=postgresql://edu:wooden-horse@db/evalLycee\n", encoding="utf-8")
    file.chmod(0o644)
    script = (PROJECT / "scripts" / "demo").read_text(encoding="utf-8")
    function = script[script.index("remember()") : script.index("\n}\n") + 3]
    for upstream in ("/srv/files", "http://127.0.0.1:8000"):
        subprocess.run(["bash", "-euc", f"umask 022; {function}\nremember {upstream}"], check=True)
        assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text(encoding="utf-8").splitlines()[1:] == ["EDU_UPSTREAM=http://127.0.0.1:8000"]
    file.unlink()
    subprocess.run(["bash", "-euc", f"umask 022; {function}\nremember /srv/files"], check=True)
    assert (file.stat().st_mode & 0o777, file.read_text(encoding="utf-8")) == (0o600, "EDU_UPSTREAM=/srv/files\n")


@pytest.mark.parametrize(
    "command",
    [["edu-pipeline", "db", "url"], ["dagster", "definitions", "validate", "-m", "edu_pipeline.definitions"]],
    ids=["edu-pipeline", "dagster"],
)
def test_every_program_reads_the_file(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        words = [str(BIN / command[0]), *command[1:]]
        return subprocess.run(words, cwd=home(), capture_output=True, text=True, check=False)

    monkeypatch.setenv("EDU_DATABASE_URL", "postgresql://edu@127.0.0.1:1/evalLycee")
    (home() / FILE).write_text("EDU_SCHEMA=public\n", encoding="utf-8")
    refused = run()
    assert refused.returncode == 1 and "SettingInvalid: EDU_SCHEMA: expected" in refused.stdout + refused.stderr
    monkeypatch.setenv("EDU_SCHEMA", "educational_data")
    accepted = run()
    assert accepted.returncode == 0, accepted.stderr
