"""Provenance: from the ledger to licence and attribution, and into the comments of tables and views."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from upath import UPath

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database import ledger
from edu_pipeline.database.comments import comment_on_table, comment_on_view
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.database.probe_memory import remember
from edu_pipeline.database.provenance import INVENTED, editions_of, governing, provenance
from edu_pipeline.sources.probe import Probed
from edu_pipeline.sources.release import ReceivedFile, Release
from edu_pipeline.table import tables
from edu_pipeline_tests.checks.small_country import record

SCHEMA = "educational_data"
OUVERTE, ODBL, UNSTATED = "Licence Ouverte 2.0", "ODbL 1.0", "not stated by the publisher"


def release(source: str, name: str, day: int, *, invented: bool = False) -> Release:
    """A release of one file, published in November 2026."""
    file = ReceivedFile(name, "https://example.org/x", "https://example.org/x", 1, "0" * 64, invented=invented)
    then = datetime(2026, 11, day, tzinfo=UTC)
    return Release(source, f"r{day}", UPath("/"), then, then, "0" * 64, (file,), {"main": name})


def comment(database: Database, name: str) -> str:
    """The comment on a table or view."""
    with database.connect() as connection:
        ((text,),) = connection.execute("SELECT obj_description(%s::regclass)", [name]).fetchall()
    return str(text)


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([OUVERTE, OUVERTE], (OUVERTE,)),
        ([OUVERTE, ODBL], (ODBL,)),
        ([ODBL, UNSTATED, OUVERTE], (ODBL, UNSTATED)),
        ([UNSTATED, OUVERTE], (OUVERTE, UNSTATED)),
        ([], ()),
    ],
)
def test_what_is_made_from_odbl_is_odbl(parts: list[str], whole: tuple[str, ...]) -> None:
    assert governing(parts) == whole


def test_a_table_has_the_licences_of_what_it_was_loaded_from(database: Database) -> None:
    """Sectors come from an operator or from publishers: what was not used does not count."""
    name, occitanie = "sectorisation_zones", "fr-en-occitanie-carte-scolaire-des-colleges-lycees-publics"
    assert "editorial-sectorisation-zones" in tables()[name].sources
    with database.connect() as connection:
        for table in (*tables()[name].input_tables, *tables()["sectorisation_segments"].input_tables):
            record(connection, table)
        record(connection, name, releases={occitanie: release(occitanie, "a.csv", 3)})
        licences = provenance(connection, SCHEMA, [name]).licences
    assert licences == (catalogue()[occitanie].licence,)


def test_a_table_that_was_never_loaded_has_all_its_licences(database: Database) -> None:
    with database.connect() as connection:
        assert provenance(connection, SCHEMA, ["commune_boundaries"]).licences == (ODBL,)
        assert UNSTATED in provenance(connection, SCHEMA, ["ips_score"]).licences


def test_releases_are_followed_through_tables(database: Database) -> None:
    contours = release("contours-communes", "contours.geojson", 2)
    with database.connect() as connection:
        record(connection, "commune_boundaries", releases={"contours-communes": contours})
        record(connection, "communes_limitrophes")
        found = provenance(connection, SCHEMA, ["communes_limitrophes"])
    assert [origin.release.release for origin in found.origins] == ["r2"]
    assert (found.day, found.licences) == (date(2026, 11, 2), (ODBL,))


def test_an_edition_is_read_from_the_name_of_the_file(database: Database) -> None:
    with database.connect() as connection:
        cog = release("insee-cog", "v_commune_2026.csv", 2)
        record(connection, "passage_communes", releases={"insee-cog": cog})
        (origin,) = provenance(connection, SCHEMA, ["passage_communes"]).origins
    assert origin.edition == "2026"
    assert origin.citation == (
        "INSEE, Code officiel géographique, edition 2026, release of 2026-11-02, Licence Ouverte 2.0"
    )


def test_a_table_has_the_edition_of_its_own_files(database: Database) -> None:
    """The census of 2021 and the activity of 2022 are files of one source."""
    names = ["base-cc-logement-2021_csv.zip", "base-cc-emploi-pop-active-2022_csv.zip"]
    both = release("insee-rp", names[0], 2)
    both = replace(both, files=(*both.files, replace(both.files[0], name=names[1])))
    with database.connect() as connection:
        for name in ("logement_2021", "activite_economique_2022"):
            record(connection, name, releases={"insee-rp": both})
        found = editions_of(connection, ledger.newest(connection, SCHEMA))
    nobody = "(the publisher does not show whether there is a later one)"
    assert found["logement_2021"] == {"insee-rp": f"2021 {nobody}"}
    assert found["activite_economique_2022"] == {"insee-rp": f"2022 {nobody}"}


def test_a_later_edition_is_said_until_it_is_read(database: Database) -> None:
    source, table = "insee-rp-2023", "recensement_emploi"
    census = release(source, "DS_RP_EMPLOI_LT_PRINC_2023_CSV_FR.zip", 2)
    probed = Probed(source, "1", changed=False, probed_at=datetime.now(UTC), later="2024")
    with database.connect() as connection:
        record(connection, table, releases={source: census})
        remember(connection, [probed])
        comment_on_table(connection, SCHEMA, tables()[table])
        assert editions_of(connection, ledger.newest(connection, SCHEMA))[table] == {
            source: "2023 (later: 2024, not read yet)"
        }
    said = (
        "Later editions that are not read yet: INSEE, Recensement de la population 2023, exploitation principale, 2024."
    )
    assert said in comment(database, table)
    with database.connect() as connection:
        remember(connection, [replace(probed, error="no answer", later=None)])
        assert editions_of(connection, ledger.newest(connection, SCHEMA))[table][source].endswith("not read yet)")
        remember(connection, [replace(probed, later=None)])
        comment_on_table(connection, SCHEMA, tables()[table])
    assert said not in comment(database, table)


def test_a_comment_is_renewed_and_kept_by_a_migration(database: Database) -> None:
    description = tables()["commune_boundaries"].description
    assert comment(database, "commune_boundaries") == description
    for day in (2, 20):
        contours = release("contours-communes", "contours.geojson", day)
        with database.connect() as connection:
            record(connection, "commune_boundaries", releases={"contours-communes": contours})
            comment_on_table(connection, SCHEMA, tables()["commune_boundaries"])
        migrate(database)
        text = comment(database, "commune_boundaries")
        assert text.startswith(f"{description}\n\nAttribution: Sources: Etalab / IGN, ")
        assert f"release of 2026-11-{day:02}, ODbL 1.0. " in text and text.count("release of") == 1


def test_a_view_keeps_its_own_description(database: Database) -> None:
    before = comment(database, "lycee_context_cache")
    for day in (2, 20):
        directory = release("fr-en-annuaire-education", "annuaire.csv", day, invented=True)
        with database.connect() as connection:
            record(connection, "annuaire_education", releases={"fr-en-annuaire-education": directory})
            comment_on_view(connection, SCHEMA, "lycee_context_cache", ["annuaire_education"])
        text = comment(database, "lycee_context_cache")
        assert text.startswith(f"{before}\n\nAttribution: {INVENTED} Sources: ")
        assert f"2026-11-{day:02}" in text and text.count("Attribution") == 1


def test_a_comment_that_is_right_takes_no_lock(database: Database) -> None:
    with database.connect() as connection:
        comment_on_table(connection, SCHEMA, tables()["departements"])
        locks = connection.execute(
            "SELECT relation::regclass::text FROM pg_locks "
            "WHERE mode = 'ShareUpdateExclusiveLock' AND pid = pg_backend_pid()"
        ).fetchall()
    assert locks == []
