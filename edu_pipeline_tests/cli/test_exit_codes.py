"""Exit codes, as `edu-pipeline --help` and docs/operating.md list them."""

from __future__ import annotations

import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline_tests.programs import run


def test_success_is_0(database: Database) -> None:
    ended = run("edu-pipeline", "migrate", EDU_DATABASE_URL=database.url)
    assert (ended.returncode, ended.stdout) == (0, f"{database.schema}: up to date\n")


def test_a_failure_is_1_and_one_text() -> None:
    ended = run("edu-pipeline", "status", EDU_DATABASE_URL="postgresql://edu@127.0.0.1:1/evalLycee")
    assert ended.returncode == 1
    assert ended.stderr.startswith("DatabaseUnreachable: ") and "Traceback" not in ended.stderr


@pytest.mark.parametrize("words", ["frobnicate", "status --frobnicate", "load ips_lycees", "compare --repeat 0"])
def test_wrong_usage_is_2(words: str) -> None:
    assert run("edu-pipeline", *words.split()).returncode == 2


def test_no_cluster_running_is_3() -> None:
    ended = run("edu-pipeline", "db", "status")
    assert ended.returncode == 3
    assert "running: False" in ended.stdout


def test_an_answer_of_no_changes_nothing(database: Database) -> None:
    ended = run("edu-pipeline", "drop-previous", EDU_DATABASE_URL=database.url)
    assert ended.returncode == 1
    assert "Aborted" in ended.stderr
