"""Tables from files that an operator has, in the table's own form: read, loaded, kept for the next rebuild."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import sql
from typer.testing import CliRunner

from edu_pipeline.cli.main import app
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import ColumnMissing, EduError, FileInvalid, SettingInvalid, TooManyRefused
from edu_pipeline.loading import operator_file
from edu_pipeline.loading.load import load
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables
from edu_pipeline_tests.stand_in import StandIn, sale


def copied(database: Database, name: str, folder: Path) -> Path:
    """A backup of a table, as `\\copy` writes it."""
    path = folder / f"{name}.csv"
    statement = sql.SQL("COPY {} TO STDOUT (FORMAT csv, HEADER)").format(sql.Identifier(name))
    with database.connect() as connection, connection.cursor().copy(statement) as copy:
        path.write_bytes(b"".join(copy))
    return path


def loaded_from(stand_in: StandIn, path: Path, table: str) -> None:
    release = operator_file.keep(path, tables()[table], stand_in.archive, invented=False)
    load(tables()[table], stand_in.database, stand_in.archive, supplied=release)


@pytest.fixture
def filled(stand_in: StandIn) -> StandIn:
    codes = stand_in.put_communes(30)
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    stand_in.load("mutations_immo_latest")
    return stand_in


@pytest.mark.parametrize("name", ["mutations_immo_latest", "info_communes", "departements", "passage_communes"])
def test_a_backup_of_a_table_is_the_table(filled: StandIn, name: str, tmp_path: Path) -> None:
    """Arrays, floats, dates and NULLs come back as they were: no row has changed."""
    path = copied(filled.database, name, tmp_path)
    release = operator_file.keep(path, tables()[name], filled.archive, invented=False)
    done = load(tables()[name], filled.database, filled.archive, supplied=release).load
    assert done.rows and (done.added, done.changed, done.removed, done.refused) == (0, 0, 0, 0)
    assert done.releases == {f"file-{name}": release.id}


def test_a_changed_row_is_the_only_one_that_is_written(filled: StandIn, tmp_path: Path) -> None:
    path = copied(filled.database, "mutations_immo_latest", tmp_path)
    text = path.read_text()
    path.write_text(text.replace("290575.00", "290576.00", 1))
    loaded_from(filled, path, "mutations_immo_latest")
    assert filled.rows("SELECT count(*) FROM mutations_immo_latest WHERE prix_moyen = 290576") == [(1,)]
    last = "SELECT added, changed, removed FROM edu_pipeline.loads ORDER BY id DESC LIMIT 1"
    assert filled.rows(last) == [(0, 1, 0)]


def test_what_breaks_the_contract_is_refused(filled: StandIn, tmp_path: Path) -> None:
    path = copied(filled.database, "mutations_immo_latest", tmp_path)
    path.write_text(path.read_text().replace("01001,2024,4", "01001,2024,viele"))
    with pytest.raises(TooManyRefused, match="expected a whole number, found 'viele'"):
        loaded_from(filled, path, "mutations_immo_latest")


def test_a_refresh_does_not_undo_it_until_there_is_something_new(filled: StandIn, tmp_path: Path) -> None:
    path = copied(filled.database, "mutations_immo_latest", tmp_path)
    path.write_text("".join(line for line in path.open() if not line.startswith("01030")))
    loaded_from(filled, path, "mutations_immo_latest")
    assert filled.load("mutations_immo_latest").skipped
    filled.put_sales([sale(f"01{number:03}", price="200000") for number in range(1, 31)])
    assert filled.load("mutations_immo_latest").load.rows == 30


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (None, FileInvalid, "expected a file with rows, found none"),
        ("", FileInvalid, "found an empty one"),
        ("code_commune,annee\n01001,2024\n", ColumnMissing, "expected column 'nb_mutations', found none"),
    ],
)
def test_a_file_that_is_none(
    filled: StandIn, content: str | None, error: type[EduError], text: str, tmp_path: Path
) -> None:
    path = tmp_path / "sales.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(error, match=text):
        loaded_from(filled, path, "mutations_immo_latest")


def test_a_line_that_is_not_a_row_is_not_dropped(filled: StandIn, tmp_path: Path) -> None:
    path = copied(filled.database, "mutations_immo_latest", tmp_path)
    with path.open("a") as file:
        file.write("01031,20")
    with pytest.raises(FileInvalid, match="found 1 that are not, the first in line 32"):
        loaded_from(filled, path, "mutations_immo_latest")


def test_arrays_of_texts(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "relevant_communes.csv"
    path.write_text('code_commune,raisons\n01001,"{collège,""2000 habitants, ou \\""plus\\""""}"\n01002,{}\n')
    table = tables()["relevant_communes"]
    release = operator_file.keep(path, table, archive, invented=False)
    assert operator_file.rows(release, table, archive, tmp_path).collect().rows() == [
        ("01001", ["collège", '2000 habitants, ou "plus"']),
        ("01002", []),
    ]


def test_by_the_command_line_and_again_by_a_rebuild(
    filled: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An editorial table has no publisher: what was handed in is what the next rebuild loads."""
    monkeypatch.setenv("EDU_DATABASE_URL", filled.database.url)
    monkeypatch.setenv("EDU_ARCHIVE", str(filled.archive.root))
    monkeypatch.setenv("EDU_UPSTREAM", str(filled.folder))
    settings.cache_clear()
    path = tmp_path / "anecdotes.csv"
    path.write_text('code_commune,anecdote\n01001,"Un fait."\n')
    run = CliRunner()
    done = run.invoke(app, ["load", "anecdotes_communes", str(path)])
    assert done.exit_code == 0, done.output
    assert filled.rows("SELECT code_commune, anecdote FROM anecdotes_communes") == [("01001", "Un fait.")]
    with pytest.raises(SettingInvalid, match="expected the name of a table that has an asset, found 'anecdotes'"):
        run.invoke(app, ["load", "anecdotes", str(path)], catch_exceptions=False)
    done = run.invoke(app, ["rebuild"])
    assert done.exit_code == 0, done.output
    assert filled.rows("SELECT code_commune, anecdote FROM anecdotes_communes") == [("01001", "Un fait.")]
    assert filled.rows("SELECT count(*) FROM educational_data__previous.anecdotes_communes") == [(1,)]
