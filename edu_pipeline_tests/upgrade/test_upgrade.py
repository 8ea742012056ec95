"""A database and an archive that 0.1.0 has filled, in the hands of this version: nothing is lost."""

from __future__ import annotations

import gzip
import subprocess
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from upath import UPath

from edu_pipeline.cli import runs
from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.checksum import checksums
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.errors import MigrationInvalid
from edu_pipeline.loading.load import Options
from edu_pipeline.operations import swap
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.stand_in import SALES, StandIn
from edu_pipeline_tests.upgrade.make_data import ARCHIVE, DUMP, FIRST_PRICE, SECOND_PRICE, publish

NEWER = """
INSERT INTO edu_pipeline.migrations (target_schema, name, checksum) VALUES ('educational_data', '900_later.sql', '')
"""

WITH_A_NEW_COLUMN = {"passage_communes", "commune_boundaries"}
"""Since 0.1.0; NULL until their next load."""

THIRD_PRICE = "300000"


@pytest.fixture
def old(empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The database and the archive of 0.1.0, and the publishers' files of that day."""
    psql = [str(find_binaries().folder / "psql"), "-qX", "-v", "ON_ERROR_STOP=1", empty_database.url]
    subprocess.run(psql, input=gzip.decompress(DUMP.read_bytes()), check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(ARCHIVE) as tar:
        tar.extractall(tmp_path)  # our own; Debian 12's Python 3.11.2 has no filters
    stand_in = StandIn(tmp_path / "upstream", Archive(UPath(tmp_path / "archive")), empty_database)
    publish(stand_in, SECOND_PRICE)
    monkeypatch.setenv("EDU_DATABASE_URL", empty_database.url)
    monkeypatch.setenv("EDU_ARCHIVE", str(tmp_path / "archive"))
    monkeypatch.setenv("EDU_UPSTREAM", str(stand_in.folder))
    return stand_in


def price(stand_in: StandIn) -> str:
    """The one price of all sales that readers see."""
    (prices,) = stand_in.rows("SELECT array_agg(DISTINCT prix_moyen::int::text), count(*) FROM mutations_immo_latest")
    assert prices[1] == 12
    (found,) = prices[0]
    return str(found)


def refresh(stand_in: StandIn) -> dict[str, str]:
    return runs.refresh(settings(), stand_in.database, None, Options(), Console(quiet=True))


def test_an_upgrade_loses_nothing(old: StandIn) -> None:
    with pytest.raises(MigrationInvalid, match=r"expected that 122_.* older than this program.*edu-pipeline migrate"):
        refresh(old)
    served = checksums(old.database)
    applied = migrate(old.database)
    assert applied[0].startswith("122_")
    after = checksums(old.database)
    assert {name: after[name].rows for name in served} == {name: table.rows for name, table in served.items()}
    assert {name for name, table in served.items() if table != after[name]} <= WITH_A_NEW_COLUMN
    assert {after[name].rows for name in after.keys() - served.keys()} <= {0}, "new tables"
    assert price(old) == SECOND_PRICE, "until the first load"

    publish(old, THIRD_PRICE)
    assert not set(refresh(old)) & {"mutations_immo_latest", "info_communes", "departements"}
    assert price(old) == THIRD_PRICE

    _, second, _ = old.archive.releases(SALES)
    before = (second.retrieved_at - timedelta(seconds=1)).isoformat()
    failures = runs.rebuild(settings(), Options(), Console(quiet=True), as_of=before, offline=False)
    assert failures == {}
    assert price(old) == FIRST_PRICE


def test_the_previous_schema_of_before_can_be_returned_to(old: StandIn) -> None:
    migrate(old.database)
    swap.roll_back(old.database)
    assert price(old) == FIRST_PRICE
    with pytest.raises(MigrationInvalid, match="older than this program"):
        refresh(old)
    migrate(old.database)
    assert price(old) == FIRST_PRICE
    refresh(old)
    assert price(old) == SECOND_PRICE


def test_an_older_program_stops_at_a_newer_schema(old: StandIn) -> None:
    migrate(old.database)
    with old.database.connect() as connection:
        connection.execute(NEWER)
    message = "900_later.sql: expected the file that was applied .* newer than this program. Use the version"
    for start in (lambda: refresh(old), lambda: migrate(old.database), lambda: runs.is_filled(old.database)):
        with pytest.raises(MigrationInvalid, match=message):
            start()
    assert price(old) == SECOND_PRICE
