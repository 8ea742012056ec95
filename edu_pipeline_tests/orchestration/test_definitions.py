"""Dagster's entry point: every tool finds the same module, and the definitions are whole."""

from __future__ import annotations

import importlib
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database.views import views
from edu_pipeline.definitions import defs
from edu_pipeline.loading.lineage import used_sources
from edu_pipeline.orchestration.table_assets import places_before
from edu_pipeline.settings import PROJECT
from edu_pipeline.table import LAYERS, tables
from edu_pipeline_tests.programs import BIN, run


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    """The sections ``tool`` of pyproject.toml."""
    sections = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert isinstance(sections, dict)
    return sections


def test_dagster_dg_and_the_workspace_name_the_same_module(tool: dict[str, Any]) -> None:
    project = tool["dg"]["project"]
    workspace = (PROJECT / "workspace.yaml").read_text(encoding="utf-8").split()
    assert tool["dg"]["directory_type"] == "project"
    assert project["code_location_target_module"] == tool["dagster"]["module_name"]
    locations = {name: value for name, value in pairwise(workspace) if name.endswith("_name:")}
    assert locations == {
        "module_name:": project["code_location_target_module"],
        "location_name:": project["code_location_name"],
    }
    module = importlib.import_module(project["code_location_target_module"])
    assert module.__name__.partition(".")[0] == project["root_module"]
    assert [value for value in vars(module).values() if isinstance(value, dg.Definitions)] == [defs]


@pytest.mark.skipif(not (BIN / "dg").exists(), reason="dagster-dg-cli is not installed")
@pytest.mark.parametrize("command", ["check", "list"])
def test_dg_loads_the_definitions(command: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    process = run("dg", command, "defs", DAGSTER_HOME=str(home))
    assert process.returncode == 0, process.stdout + process.stderr


def test_there_is_an_asset_for_every_source_table_and_view() -> None:
    keys = {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}
    raw = {f"raw/{catalogue()[source].slug}" for source in used_sources()}
    assert keys == {"probes", "live_schema", "data_freshness", *raw, *tables(), *views()}


def test_there_is_a_job_for_every_layer() -> None:
    names = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    layers = {table.layer for table in tables().values()} | {"views"}
    assert layers <= set(LAYERS)
    others = {"full_rebuild", "daily_refresh", "check_all", "freshness", "prune"}
    assert names == others | {f"load_{name}" for name in layers}


def test_a_rebuild_ends_with_the_dashboard() -> None:
    graph = defs.resolve_job_def("full_rebuild").asset_layer.asset_graph
    assert graph.get(dg.AssetKey("data_freshness")).parent_keys == {dg.AssetKey("live_schema")}
    for job, is_part in ("full_rebuild", True), ("freshness", True), ("daily_refresh", False):
        assets = defs.resolve_job_def(job).asset_layer.executable_asset_keys
        assert (dg.AssetKey("data_freshness") in assets) is is_part


def test_a_crashed_rebuild_is_retried_as_a_whole() -> None:
    """By Dagster's default a retry does the steps that are left."""
    tags = {name: defs.resolve_job_def(name).run_tags for name in ("full_rebuild", "daily_refresh")}
    assert tags["full_rebuild"]["dagster/retry_strategy"] == "ALL_STEPS"
    assert "dagster/retry_strategy" not in tags["daily_refresh"]


def test_places_are_loaded_before_tables_checked_against_them() -> None:
    assert places_before(tables()["info_communes"]) == []
    assert places_before(tables()["departements"]) == [], "info_communes is made from it"
    sales = tables()["mutations_immo_latest"]
    assert {*sales.tables, *places_before(sales)} >= {"departements", "info_communes"}


def test_exports_are_off_unless_they_are_asked_for(tmp_path: Path) -> None:
    """If they are, they come after the views in both jobs, and after the swap of a rebuild."""
    assert dg.AssetKey("exports") not in {spec.key for spec in defs.resolve_all_asset_specs()}
    script = (
        "from dagster import AssetKey\n"
        "from edu_pipeline.definitions import defs\n"
        "for job in ('full_rebuild', 'daily_refresh'):\n"
        "    graph = defs.resolve_job_def(job).asset_layer.asset_graph\n"
        "    parents = {key.to_user_string() for key in graph.get(AssetKey('exports')).parent_keys}\n"
        "    print(job, 'exports' in {key.to_user_string() for key in graph.executable_asset_keys}, "
        "'live_schema' in parents, 'lycee_context_cache' in parents)\n"
    )
    done = run("python", "-c", script, EDU_EXPORTS=str(tmp_path))
    assert done.stdout.splitlines() == ["full_rebuild True True True", "daily_refresh True True True"], done.stderr
