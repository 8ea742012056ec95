"""Where settings come from: the environment, then the file in EDU_HOME; the same for the command line and Dagster."""

from __future__ import annotations

import os
import subprocess

import pytest

from edu_pipeline.errors import SettingInvalid
from edu_pipeline.settings import FILE, home, settings
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
    ],
)
def test_values_that_cannot_be_used(variable: str, value: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingInvalid, match=f"SettingInvalid: {variable}: {text}"):
        settings()


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
