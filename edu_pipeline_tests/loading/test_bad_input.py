"""Bad input: each gets a clear error, and leaves the published table as it was."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline.errors import (
    ColumnMissing,
    DatabaseUnreachable,
    EduError,
    FileInvalid,
    InputMissing,
    MemberMissing,
    NoRows,
    SettingInvalid,
    SourceMissing,
    TableShrank,
    TooManyRefused,
    UnknownReference,
)
from edu_pipeline.settings import Settings
from edu_pipeline_tests.stand_in import SALES, SALES_HEADER, StandIn, sale

TABLE = "mutations_immo_latest"
PUBLISHED = "SELECT * FROM mutations_immo_latest ORDER BY code_commune"


def refused(stand_in: StandIn, error: type[EduError]) -> str:
    """The text of the ``error`` that the load ends with; the published rows have not changed."""
    before = stand_in.rows(PUBLISHED)
    with pytest.raises(error) as caught:
        stand_in.load(TABLE)
    assert stand_in.rows(PUBLISHED) == before
    assert len(before) == 30
    text = str(caught.value)
    assert text.startswith(f"{error.__name__}: ")
    assert "expected" in text
    return text


def sales(stand_in: StandIn, change: dict[int, str], header: str = SALES_HEADER, count: int = 30) -> None:
    """Publish the sales of ``count`` communes, some rows exchanged."""
    rows = [sale(f"01{number:03d}", houses=5) for number in range(1, count + 1)]
    for number, row in change.items():
        rows[number] = row
    stand_in.put_sales(rows, header)


def test_truncated_gzip(loaded: StandIn) -> None:
    whole = gzip.compress("\n".join([SALES_HEADER, *(sale(f"01{n:03d}") for n in range(1, 31))]).encode())
    loaded.put(SALES, "communesdvf2024.csv", whole[: len(whole) // 2])
    text = refused(loaded, FileInvalid)
    assert SALES in text and "cut off" in text


def test_html_page_instead_of_csv(loaded: StandIn) -> None:
    loaded.put(SALES, "communesdvf2024.csv", "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>")
    assert "HTML page" in refused(loaded, FileInvalid)


def test_a_required_column_is_missing(loaded: StandIn) -> None:
    sales(loaded, {}, header=SALES_HEADER.replace("INSEE_COM", "Autre"))
    text = refused(loaded, ColumnMissing)
    assert "expected column 'INSEE_COM', found none of that name (closest: none is close)" in text
    assert "Look at the file: it may be another one. Add the new name to the aliases of" in text
    assert "aliases of MutationsImmoLatest.code_commune" in text


def test_a_renamed_column_names_the_closest(loaded: StandIn) -> None:
    sales(loaded, {}, header=SALES_HEADER.replace("INSEE_COM", "INSEE_COMMUNE"))
    text = refused(loaded, ColumnMissing)
    assert "expected column 'INSEE_COM', found none of that name (closest: 'insee_commune')" in text
    assert f"{SALES} 2" in text  # source and release


def test_another_missing_column_is_null_and_recorded(loaded: StandIn) -> None:
    sales(loaded, {}, header=SALES_HEADER.replace("PrixMoyen", "PrixMoyens"))
    load = loaded.load(TABLE).load
    assert (load.state, load.changed, load.missing) == ("published", 30, {f"{SALES}: PrixMoyen": ["prixmoyens"]})
    assert loaded.rows("SELECT count(prix_moyen), count(*) FROM mutations_immo_latest") == [(0, 30)]
    assert loaded.rows("SELECT missing FROM edu_pipeline.loads ORDER BY id DESC LIMIT 1") == [(load.missing,)]


def test_lines_that_are_no_rows(loaded: StandIn) -> None:
    """Blank lines are counted; a line that is cut is refused with its number."""
    codes = loaded.put_communes(200)
    loaded.load_communes()
    width = SALES_HEADER.count(",")
    loaded.put_sales([*(sale(code) for code in codes), "," * width, "," * width, "01001,20"])
    outcome = loaded.load(TABLE)
    assert (outcome.load.rows, outcome.load.refused) == (200, 1)
    assert outcome.load.skipped == {f"{SALES}: blank lines": 2}
    assert outcome.refused == [
        ("line 204", f"file communesdvf2024.csv, line 204: expected {width + 1} fields, found 2")
    ]


def test_empty_file(loaded: StandIn) -> None:
    loaded.put(SALES, "communesdvf2024.csv", b"")
    assert "0 bytes" in refused(loaded, FileInvalid)


def test_header_without_rows(loaded: StandIn) -> None:
    sales(loaded, {}, count=0)
    assert "a header alone" in refused(loaded, NoRows)


def test_duplicate_keys(loaded: StandIn) -> None:
    sales(loaded, {1: sale("01001", houses=9)})
    text = refused(loaded, TooManyRefused)
    assert "01001: code_commune: expected a key that occurs once, found 01001" in text


def test_value_too_long(loaded: StandIn) -> None:
    sales(loaded, {0: sale("010011"), 1: sale("010022")})
    assert "code_commune: expected at most 5 characters, found 010011" in refused(loaded, TooManyRefused)


def test_number_that_is_none(loaded: StandIn) -> None:
    sales(loaded, {0: sale("01001", price="beaucoup")})
    text = refused(loaded, TooManyRefused)
    assert "01001: prix_moyen: expected a number of at most 12 digits (numeric(12,2)), found 'beaucoup'" in text


def test_few_bad_rows_are_set_aside_and_the_rest_is_published(stand_in: StandIn) -> None:
    codes = stand_in.put_communes(200)
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes[:-1]] + [sale("NA")])
    outcome = stand_in.load(TABLE)
    assert (outcome.load.rows, outcome.load.refused) == (199, 1)
    reason = "code_commune: expected a value, found nothing"
    assert outcome.refused == [("", f"file communesdvf2024.csv, row 200: {reason}")]
    again = stand_in.load(TABLE)
    assert again.skipped and again.refused == outcome.refused, "what is in quarantine stays to be seen"
    assert stand_in.rows("SELECT place, reasons FROM edu_pipeline.refused_rows") == [
        ("file communesdvf2024.csv, row 200", [reason])
    ]


def test_unknown_commune(loaded: StandIn) -> None:
    sales(loaded, {3: sale("01998")})
    text = refused(loaded, UnknownReference)
    assert "expected code_commune to be a key of info_communes" in text
    assert "'01998'" in text


def test_former_commune_is_brought_to_the_one_in_force(loaded: StandIn) -> None:
    sales(loaded, {0: sale("01999", houses=5)})
    done = loaded.load(TABLE).load
    assert (done.refused, done.unknown) == (0, {})
    brought = "SELECT nb_mutations, codes_anciens FROM mutations_immo_latest WHERE code_commune = '01001'"
    assert loaded.rows(brought) == [(5, ["01999"])]


def test_a_few_rows_of_unknown_communes_are_refused(stand_in: StandIn) -> None:
    codes = stand_in.put_communes(200)
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes[:-1]] + [sale("01998")])
    done = stand_in.load(TABLE).load
    assert (done.rows, done.refused, done.unknown) == (199, 1, {})
    assert stand_in.rows("SELECT key, reasons FROM edu_pipeline.refused_rows") == [
        ("01998", ["code_commune: expected a key of info_communes, found 01998"])
    ]


def test_latitude_and_longitude_swapped(stand_in: StandIn) -> None:
    stand_in.put_communes(30)
    stand_in.load_communes()
    path = stand_in.folder / "geo-api-communes" / "communes.json"
    path.write_text(path.read_text().replace("[4.93, 46.15]", "[46.15, 4.93]"))
    with pytest.raises(TooManyRefused) as caught:
        stand_in.load("info_communes")
    assert "a position in a French territory (latitude before longitude), found 4.93, 46.15" in str(caught.value)
    assert stand_in.rows("SELECT DISTINCT latitude FROM info_communes") == [(46.15,)]


def test_zip_without_its_member(stand_in: StandIn) -> None:
    stand_in.put_communes()
    stand_in.load_communes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("lisez-moi.txt", "rien")
    stand_in.put("insee-filosofi-2021", "base-cc-filosofi-2021-geo2023-histo_CSV.zip", packed.getvalue())
    stand_in.put("insee-bassins-de-vie", "table_appartenance_2024.csv", "CODGEO,LIBGEO,BV2022\n01001,A,01001\n")
    with pytest.raises(MemberMissing) as caught:
        stand_in.load("merged_revenu_commune_bassin_2021")
    assert "cc_filosofi_2021_COM" in str(caught.value) and "lisez-moi.txt" in str(caught.value)


def test_far_fewer_rows_than_before_must_be_accepted(loaded: StandIn) -> None:
    sales(loaded, {}, count=20)
    assert "expected at least 80% of the 30 published rows, found 20" in refused(loaded, TableShrank)
    assert loaded.load(TABLE, accept_shrink=True).load.removed == 10


def test_a_failed_load_is_in_the_ledger_with_its_rows(loaded: StandIn) -> None:
    sales(loaded, {0: sale("01001", price="beaucoup")})
    text = refused(loaded, TooManyRefused)
    failed = loaded.failed(TABLE)
    assert failed is not None and failed.error == text and failed.refused == 1
    assert loaded.rows("SELECT key FROM edu_pipeline.refused_rows") == [("01001",)]


def test_source_without_files(stand_in: StandIn) -> None:
    with pytest.raises(SourceMissing):
        stand_in.load(TABLE)


def test_a_table_made_from_others_waits_until_they_were_loaded(stand_in: StandIn) -> None:
    with pytest.raises(InputMissing, match="expected that criminalite_2024 was loaded, found that it never") as caught:
        stand_in.load("crime_indicateur_avg")
    assert caught.value.awaited == "the table criminalite_2024"
    assert stand_in.failed("crime_indicateur_avg") is None


def test_database_that_cannot_be_reached() -> None:
    nowhere = Database("postgresql://edu:secret@127.0.0.1:1/evalLycee", "educational_data")
    with pytest.raises(DatabaseUnreachable) as caught, nowhere.connect():
        pass
    assert "evalLycee on 127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ['bad"name', "Majuscule", "1abc", "public", "user_mgmt", "analytics", "pg_x", "a" * 51]
)
def test_schema_name_that_is_no_identifier(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDU_SCHEMA", name)
    with pytest.raises(SettingInvalid) as caught:
        Settings()
    assert "EDU_SCHEMA" in str(caught.value) and "expected a lower-case identifier" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "other", "expected"),
    [
        ("codesPostaux", "01000", "columns of which info_communes can be made"),
        ("centre", "4.93, 46.15", "a structure or a list in every row of 'centre', found String"),
        ("centre", None, "a structure or a list in every row of 'centre', found String"),
        ("nom", ["A"], "a text or a number in every row of 'nom', found List"),
    ],
)
def test_types_that_differ_between_two_json_files(column: str, other: object, expected: str, stand_in: StandIn) -> None:
    """The communes have texts, or nothing, where the arrondissements have lists and structures."""
    stand_in.put_communes()
    stand_in.load_communes()
    path = stand_in.folder / "geo-api-communes" / "communes.json"
    rows = json.loads(path.read_text())
    for row in rows:
        row[column] = other
    path.write_text(json.dumps(rows))
    with pytest.raises(FileInvalid, match=f"expected {expected}"):
        stand_in.load("info_communes")
    failed = stand_in.failed("info_communes")
    assert failed is not None and (failed.error or "").startswith("FileInvalid: ") and "geo-api-communes" in str(failed)
