"""The command `site`: where it builds, from what, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edu_pipeline.cli.main import app
from edu_pipeline.database.connection import Database
from edu_pipeline.export.description import Collection
from edu_pipeline.settings import settings
from edu_pipeline.site import build
from edu_pipeline.sources.archive import Archive


def test_the_command_says_how_to_look_at_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def built(database: Database, archive: Archive, to: Path, cache: Path, progress: object) -> build.Built:
        asked.update(schema=database.schema, to=to, cache=cache, archive=str(archive))
        return build.Built(Collection((), datetime(2026, 11, 29, tzinfo=UTC)), 1_234, 5_678_900)

    monkeypatch.setattr(build, "build", built)
    monkeypatch.setenv("EDU_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, ["site", "--to", "public"])
    assert ended.exit_code == 0, ended.output
    assert asked["to"] == tmp_path / "public"
    assert asked["cache"] == settings().local / "javascript"
    assert asked["schema"] == "educational_data"
    assert "public: 0 tables and views, 1,234 files, 5,678,900 bytes" in ended.output
    assert "python3 -m http.server --directory public --bind 127.0.0.1 8000" in ended.output
    assert "Invented" not in ended.output
