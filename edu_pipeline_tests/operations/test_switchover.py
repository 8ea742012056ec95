"""The switch-over: what it sets, restores, refuses, verifies. ``test_switchover_guide.py`` runs its guide."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from edu_pipeline.cli.switchover import RECONNECT
from edu_pipeline.cli.switchover import app as commands
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.database.views import views
from edu_pipeline.errors import SwitchoverRefused
from edu_pipeline.operations.switchover import apply, rollback, verify
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables
from edu_pipeline_tests.operations.switching import (
    Role,
    answer,
    fill,
    grant,
    name_of,
    record,
    recorded,
    red,
    set_to,
    setting,
)


@pytest.mark.parametrize(
    ("former", "new"),
    [
        (None, "educational_data, user_mgmt, public, postgis"),
        ('"$user", public', 'educational_data, "$user", public, postgis'),
        ("app, public", "educational_data, app, public, postgis"),
        ("app,   PUBLIC,user_mgmt", "educational_data, app, public, user_mgmt, postgis"),
        ("public, educational_data, postgis, app", "educational_data, public, postgis, app"),
        ('"Été, ""a"" = b", public', 'educational_data, "Été, ""a"" = b", public, postgis'),
        ('"a, b"', 'educational_data, "a, b", postgis'),
        ('""', "educational_data, postgis"),
        ("", "educational_data, postgis"),
    ],
)
def test_apply_and_rollback(ready: Database, archive: Archive, former: str | None, new: str) -> None:
    set_to(ready, former)
    with ready.connect() as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET work_mem TO '5MB'").format(name_of(connection)))
    before = setting(ready)
    applied = apply(ready, archive)
    assert (applied.former_value, applied.new_value, applied.changed) == (former, new, True)
    assert answer(ready.url, "SHOW search_path") == new
    assert answer(ready.url) == "educational_data"
    assert rollback(ready).rolled_back_at
    assert sorted(str(entry) for entry in setting(ready)) == sorted(str(entry) for entry in before)
    assert recorded(ready) == [(former, new, False)]


def test_a_database_without_a_setting_has_none_again(ready: Database, archive: Archive) -> None:
    apply(ready, archive)
    rollback(ready)
    assert setting(ready) == []


def test_postgis_in_public_keeps_its_place(empty_database: Database, archive: Archive) -> None:
    with psycopg.connect(empty_database.url) as connection:
        connection.execute("CREATE EXTENSION postgis SCHEMA public")
    migrate(empty_database)
    fill(empty_database)
    set_to(empty_database, "public, app")
    assert apply(empty_database, archive).new_value == "educational_data, public, app"


def test_the_schemas_of_the_application_stay_behind(ready: Database, archive: Archive) -> None:
    with ready.connect() as connection:
        connection.execute('CREATE SCHEMA "Mon Appli"')
    applied = apply(ready, archive, application_schemas=["Mon Appli", "gone", "public"])
    assert applied.new_value == 'educational_data, "Mon Appli", public, postgis'


def test_applying_twice_changes_nothing(ready: Database, archive: Archive) -> None:
    first = apply(ready, archive)
    before = recorded(ready)
    again = apply(ready, archive, red_checks=["a check that has turned red since"])
    assert not again.changed
    assert (again.id, again.applied_at) == (first.id, first.applied_at)
    assert recorded(ready) == before
    rollback(ready)
    assert apply(ready, archive).changed
    assert [in_force for *_, in_force in recorded(ready)] == [False, True]


def test_two_apply_at_once_and_one_changes_it(ready: Database, archive: Archive) -> None:
    with ThreadPoolExecutor(2) as pool:
        changed = list(pool.map(lambda _: apply(ready, archive).changed, range(2)))
    assert sorted(changed) == [False, True]


def test_a_path_switched_by_hand_is_refused(ready: Database, archive: Archive) -> None:
    set_to(ready, "educational_data, user_mgmt, public, postgis")
    with pytest.raises(SwitchoverRefused, match="knows no previous value"):
        apply(ready, archive)
    assert recorded(ready) == []


def test_tables_that_are_not_ready_are_refused(ready: Database, archive: Archive) -> None:
    with ready.connect() as connection:
        connection.execute("TRUNCATE logement_2021; TRUNCATE aggregated_data_lycees_2024")
        connection.execute("REFRESH MATERIALIZED VIEW lycee_context_cache")
        record(connection, ready, ["ips_colleges"], "failed")
    with pytest.raises(SwitchoverRefused) as refused:
        apply(ready, archive, red_checks=["ips_lycees: age"])
    text = str(refused.value)
    for part in (
        "aggregated_data_lycees_2024: empty (loaded)",
        "logement_2021: empty (loaded)",
        "ips_colleges: its newest load failed",
        "lycee_context_cache: empty (loaded)",
        "check ips_lycees: age",
        "edu-pipeline refresh",
    ):
        assert part in text
    assert text.count("empty (") == 3
    assert (setting(ready), recorded(ready)) == ([], [])


def test_a_red_check_alone_is_refused(ready: Database, archive: Archive) -> None:
    with pytest.raises(SwitchoverRefused, match="found check ips_lycees: age"):
        apply(ready, archive, red_checks=["ips_lycees: age"])
    assert setting(ready) == []


def test_a_table_that_was_never_loaded(ready: Database, archive: Archive) -> None:
    """One that waits for a file, or may be empty, gives a warning; one that was just not loaded is refused."""
    with ready.connect() as connection:
        connection.execute("CREATE TABLE without_an_asset (a int)")
        connection.execute("TRUNCATE anecdotes_communes, logement_2021, ips_score")
        connection.execute(
            "DELETE FROM edu_pipeline.loads WHERE table_name = ANY (%s)", [["logement_2021", "anecdotes_communes"]]
        )
    warnings = apply(ready, archive).warnings
    names = [warning.partition(" ")[0] for warning in warnings]
    assert names == ["ips_score", "anecdotes_communes", "logement_2021", "without_an_asset"]
    assert "waits for a file of insee-" in warnings[2]
    assert warnings[3] == "without_an_asset is empty (waits for its asset)"
    rollback(ready)
    with ready.connect() as connection:
        connection.execute("TRUNCATE relevant_communes")
        connection.execute("DELETE FROM edu_pipeline.loads WHERE table_name = 'relevant_communes'")
    with pytest.raises(SwitchoverRefused, match=r"relevant_communes: empty \(never loaded\)"):
        apply(ready, archive)


def test_a_schema_without_tables_is_refused(ready: Database, archive: Archive) -> None:
    with pytest.raises(SwitchoverRefused, match="found no table at all"):
        apply(Database(ready.url, "autre_schema"), archive)


def test_invented_rows_give_a_warning(ready: Database, archive: Archive) -> None:
    with ready.connect() as connection:
        connection.execute("UPDATE edu_pipeline.loads SET invented = true")
    assert apply(ready, archive).warnings == ("the rows are invented data of the sample publisher",)


def test_a_setting_changed_by_someone_else_is_kept(ready: Database, archive: Archive) -> None:
    set_to(ready, "app, public")
    apply(ready, archive)
    set_to(ready, "somebody_else")
    text = r"found 'somebody_else'.*'app, public'.*rollback --force"
    with pytest.raises(SwitchoverRefused, match=text):
        rollback(ready)
    with pytest.raises(SwitchoverRefused, match=text):
        apply(ready, archive)
    assert answer(ready.url, "SHOW search_path") == "somebody_else"
    rollback(ready, force=True)
    assert answer(ready.url, "SHOW search_path") == "app, public"


def test_a_switch_over_undone_by_hand(ready: Database, archive: Archive) -> None:
    apply(ready, archive)
    set_to(ready, None)
    assert apply(ready, archive).changed
    set_to(ready, None)
    assert rollback(ready).rolled_back_at
    assert setting(ready) == []
    assert [in_force for *_, in_force in recorded(ready)] == [False, False]


def test_nothing_to_roll_back(ready: Database) -> None:
    with pytest.raises(SwitchoverRefused, match="found none in edu_pipeline"):
        rollback(ready)


def test_a_database_that_is_not_migrated(empty_database: Database, archive: Archive) -> None:
    with pytest.raises(SwitchoverRefused, match="edu-pipeline migrate"):
        rollback(empty_database)
    with pytest.raises(SwitchoverRefused, match="edu-pipeline migrate"):
        apply(empty_database, archive)
    assert red(verify(empty_database)) == ["search_path", "schema educational_data"]


def test_only_the_owner_of_the_database_may(ready: Database, archive: Archive, role: Role) -> None:
    with pytest.raises(SwitchoverRefused, match="Name the owner of the database"):
        rollback(Database(role.url, ready.schema))
    with pytest.raises(SwitchoverRefused, match="permission denied for schema edu_pipeline"):
        verify(Database(role.url, ready.schema))
    grant(ready, role)
    grant(Database(ready.url, "edu_pipeline"), role)
    with ready.connect() as connection:
        connection.execute(
            sql.SQL("GRANT INSERT, UPDATE ON edu_pipeline.switchovers TO {}").format(sql.Identifier(role.name))
        )
    with pytest.raises(SwitchoverRefused, match=r"must be owner of database .* Name the owner of the database"):
        apply(Database(role.url, ready.schema), archive)
    assert (setting(ready), recorded(ready)) == ([], [])


def test_verify_shows_what_a_new_session_finds(ready: Database, archive: Archive, role: Role) -> None:
    before = red(verify(ready))
    assert before[0] == "search_path"
    assert "table ips_lycees" in before
    with psycopg.connect(role.url, application_name="eduinfo web") as old:
        old.execute("SELECT 1")
        apply(ready, archive)
        assert old.execute("SHOW search_path").fetchone() == ('"$user", public',)
        findings = {finding.what: finding for finding in verify(ready, [role.name])}
        assert red(list(findings.values())) == [f"tables for {role.name}", f"session {old.info.backend_pid}"]
        assert "eduinfo web" in findings[f"session {old.info.backend_pid}"].detail
        assert "ips_lycees" in findings[f"tables for {role.name}"].detail
        assert findings["search_path"].detail == ("educational_data, user_mgmt, public, postgis (set for the database)")
        assert findings["table ips_lycees"].detail == "in educational_data"
        assert red(verify(ready, ["nobody_of_this_name"])) == ["tables for nobody_of_this_name"]
    grant(ready, role)
    assert red(verify(ready, [role.name])) == []
    assert {f"table {name}" for name in [*tables(), *views()]} <= findings.keys()


def test_verify_shows_what_a_role_sets_for_itself(ready: Database, archive: Archive, role: Role) -> None:
    grant(ready, role)
    apply(ready, archive)
    what = f"role {role.name}"
    for scope, value, expected in (
        ("", "public", [what]),
        (" IN DATABASE {}", "educational_data, public", []),
        (" IN DATABASE {}", "user_mgmt, educational_data", [what]),
    ):
        with ready.connect() as connection:
            alter = sql.SQL("ALTER ROLE {}").format(sql.Identifier(role.name))
            place = sql.SQL(scope).format(*[name_of(connection)] * bool(scope))
            connection.execute(alter + place + sql.SQL(" SET search_path TO ") + sql.SQL(value))
        findings = {finding.what: finding for finding in verify(ready)}
        assert findings[what].ok == (expected == [])
        assert value in findings[what].detail
        assert red(verify(ready, [role.name])) == expected


def test_verify_shows_what_hides_a_table(ready: Database, archive: Archive) -> None:
    set_to(ready, "public, educational_data, postgis")
    assert red(verify(ready)) == ["search_path", "table ips_lycees"]


def test_what_the_commands_print(ready: Database, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDU_DATABASE_URL", ready.url)
    monkeypatch.setenv("EDU_ARCHIVE", str(archive.root))
    with ready.connect() as connection:
        connection.execute("TRUNCATE ips_score")
        name = connection.info.dbname
    new = "educational_data, public, postgis"
    for arguments, code, lines in (
        (["verify"], 1, ['not search_path: "$user", public (PostgreSQL\'s default)']),
        (["apply", "--keep", "public"], 0, ["ips_score is empty (loaded)", f"search_path of {name}: not set -> {new}"]),
        (["verify"], 0, [f"ok  search_path: {new} (set for the database)", "ok  table ips_score: in educational_data"]),
        (["apply"], 0, ["nothing changed", f"search_path of {name}: not set -> {new}"]),
        (["rollback"], 0, [f"restored the search_path of {name}: {new} -> not set", RECONNECT]),
        (["verify", "--role", "no one"], 1, ["not tables for no one: no such role"]),
    ):
        result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
        assert result.exit_code == code
        for line in lines:
            assert line in result.output


def test_prepared_statements_follow_a_schema_by_name(ready: Database, archive: Archive) -> None:
    """As the guide says: they keep the session's path, and find the new tables after a swap."""
    apply(ready, archive)
    with psycopg.connect(ready.url, autocommit=True) as reader, ready.connect() as writer:
        for _ in range(8):
            named = reader.execute("SELECT count(*) FROM ips_lycees", prepare=True).fetchone()
            every = reader.execute("SELECT * FROM ips_lycees", prepare=True).fetchall()
        assert (named, len(every)) == ((1,), 1)
        rollback(ready)
        assert reader.execute("SELECT count(*) FROM ips_lycees", prepare=True).fetchone() == (1,)
        writer.execute(
            "ALTER SCHEMA educational_data RENAME TO previous; CREATE SCHEMA educational_data;"
            "CREATE TABLE educational_data.ips_lycees (uai text)"
        )
        writer.commit()
        assert reader.execute("SELECT count(*) FROM ips_lycees", prepare=True).fetchone() == (0,)
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan must not change result type"):
            reader.execute("SELECT * FROM ips_lycees", prepare=True)
