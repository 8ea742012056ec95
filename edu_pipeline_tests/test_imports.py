"""Imports: one way through the layers, no circles, Dagster at the top only (`pyproject.toml`, tool.importlinter)."""

from __future__ import annotations

from edu_pipeline_tests.programs import run


def test_imports_point_one_way() -> None:
    done = run("lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout
    assert "3 kept, 0 broken" in done.stdout
