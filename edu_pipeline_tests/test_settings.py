"""Where settings come from: the environment, then the file in the home, the same for the command line and Dagster."""

from __future__ import annotations

import os
import subprocess

import pytest

from edu_pipeline.settings import FILE, home, settings
from edu_pipeline_tests.programs import BIN


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*(name for name in os.environ if name.startswith("EDU_") and name != "EDU_HOME"), "DAGSTER_HOME"]:
        monkeypatch.delenv(name, raising=False)


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    (home() / FILE).write_text("EDU_SCHEMA=of_the_file\nEDU_STEPS_AT_ONCE=3\nEDU_HOME=/\n", encoding="utf-8")
    monkeypatch.setenv("EDU_SCHEMA", "of_the_environment")
    assert (settings().target_schema, settings().steps_at_once) == ("of_the_environment", 3)
    assert settings().local == home() / ".local"


def test_without_a_file_the_defaults_hold() -> None:
    assert not (home() / FILE).exists()
    assert (settings().target_schema, settings().upstream) == ("educational_data", None)


@pytest.mark.parametrize("command", [["edu-pipeline", "db", "url"], ["dagster", "definitions", "validate"]])
def test_every_program_reads_the_file_and_prefers_the_environment(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended() -> subprocess.CompletedProcess[str]:
        module = ["-m", "edu_pipeline.definitions"] if command[0] == "dagster" else []
        words = [str(BIN / command[0]), *command[1:], *module]
        return subprocess.run(words, cwd=home(), capture_output=True, text=True, check=False)

    monkeypatch.setenv("EDU_DATABASE_URL", "postgresql://edu@127.0.0.1:1/evalLycee")
    (home() / FILE).write_text("EDU_SCHEMA=public\n", encoding="utf-8")
    done = ended()
    assert done.returncode == 1 and "SettingInvalid: EDU_SCHEMA: expected" in done.stdout + done.stderr
    monkeypatch.setenv("EDU_SCHEMA", "educational_data")
    done = ended()
    assert done.returncode == 0, done.stderr
