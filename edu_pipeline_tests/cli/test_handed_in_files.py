"""What `edu-pipeline refresh` says of files that were handed in under unexpected names."""

from __future__ import annotations

from pathlib import Path

import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline_tests.programs import run_here

SOURCE = "fr-en-ips-lycees-ap2023"


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_a_table_asked_for_by_name_fails(database: Database, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / SOURCE).mkdir()
    for name in ("export.csv", f"{SOURCE} (1).csv"):
        (tmp_path / SOURCE / name).write_text("uai;ips\n")
    settings = {"EDU_DATABASE_URL": database.url, "EDU_UPSTREAM": str(tmp_path)}
    ended = run_here("refresh", "ips_lycees", *options, **settings)
    assert ended.returncode == 1
    assert f"found export.csv, {SOURCE} (1).csv." in ended.stderr
    assert rf"matches '{SOURCE}\\.csv'" in ended.stderr
    assert "tables and views to bring up to date: 0" in ended.stderr
    if not options:
        unnamed = run_here("refresh", **settings)
        assert unnamed.returncode == 0
        assert "found export.csv" in unnamed.stderr
