"""The SQL function that reads a street's label: made from the vocabulary, and in agreement with ``labels.read``."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrations
from edu_pipeline.sectors import in_sql, labels
from edu_pipeline_tests.real_files import upstream

COLLEGES = "fr-en-carte-scolaire-colleges-publics"


def read_by_sql(database: Database, written: Sequence[str]) -> list[str]:
    statement = "SELECT rue_normalisee(label) FROM unnest(%s::text[]) WITH ORDINALITY AS each (label, n) ORDER BY n"
    with database.connect() as connection:
        return [str(read) for (read,) in connection.execute(statement, [list(written)]).fetchall()]


def test_its_newest_migration_has_the_current_vocabulary() -> None:
    """If not, write a new migration with the output of `python -m edu_pipeline.sectors.in_sql`, and a REINDEX."""
    texts = [file.text for file in migrations() if "FUNCTION rue_normalisee" in file.text]
    assert in_sql.function() in texts[-1]


@pytest.mark.parametrize(
    ("people_write", "carte_scolaire"),
    [
        ("Bd du Maréchal-Foch", "BOULEVARD MARECHAL FOCH"),
        ("boulevard Mal Foch", "BD MARECHAL FOCH"),
        ("av. de l'Île-de-France", "AVENUE ILE DE FRANCE"),
        ("rue du 8 mai 1945", "RUE DU HUIT MAI 1945"),
        ("allée Charles VIII", "ALLEE CHARLES 8"),
        ("rue Sainte-Anne", "RUE STE ANNE"),
        ("Rue de l'Œuvre (Centre)", "RUE DE L OEUVRE"),
        ("la Croix Chemin", "LIEU DIT LA CROIX CHEMIN"),
        ("Grand'Rue", "GRAND RUE"),
        ("1ère avenue", "1ERE AVENUE"),
    ],
)
def test_spellings_of_people_equal_those_of_the_file(
    database: Database, people_write: str, carte_scolaire: str
) -> None:
    reading, file_reading = read_by_sql(database, [people_write, carte_scolaire])
    assert reading == file_reading


@pytest.mark.parametrize(
    ("street", "other"),
    [
        ("RUE DU BAC", "RUE DU LAC"),
        ("RUE DU BAC", "PLACE DU BAC"),
        ("RUE DU 8 MAI", "RUE DU 11 NOVEMBRE"),
        ("GRANDE RUE", "PETITE RUE"),
        ("RUE CHARLES VIII", "RUE CHARLES VII"),
        ("ALLEE DU PARC", "RUE DU PARC"),
    ],
)
def test_different_streets_stay_different(database: Database, street: str, other: str) -> None:
    reading, other_reading = read_by_sql(database, [street, other])
    assert reading != other_reading


def test_an_empty_label_equals_no_other_label(database: Database) -> None:
    assert read_by_sql(database, ["", "De la", "(Centre)", "12"]) == ["", "DE LA", "", "12"]


def test_it_reads_the_real_labels_as_python_does(database: Database) -> None:
    path = upstream() / COLLEGES / f"{COLLEGES}.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        written = sorted({row["Type_et_Libelle"] for row in csv.DictReader(file, delimiter=";")} - {""})
    pairs = zip(read_by_sql(database, written), (labels.read(label).content for label in written), strict=True)
    assert len(written) > 3_500
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_it_reads_all_its_words_as_python_does(database: Database) -> None:
    words = [*(f"RUE YY {word} YY" for word in in_sql.words()), *(f"{word} YY" for word in in_sql.first_words())]
    written = [*words, *(f"RUE YY {word}" for word in in_sql.last_words())]
    assert len(written) > 300
    assert read_by_sql(database, written) == [labels.read(label).content for label in written]
