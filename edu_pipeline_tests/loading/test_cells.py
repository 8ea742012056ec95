"""What a look at the cells of a file tells: empty columns, copies, odd characters and marks, bad shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import shapely

from edu_pipeline import ewkb
from edu_pipeline.assets.specialty.enseignements_optionnels_seconde import COURSES
from edu_pipeline.catalogue import File, files_by_parameter
from edu_pipeline.errors import ColumnEmpty, FileInvalid
from edu_pipeline.loading.intake import Intake, take_in
from edu_pipeline.loading.shapes import invalid_shapes
from edu_pipeline.normalise import slug
from edu_pipeline.sources.readers import read
from edu_pipeline.table import tables
from edu_pipeline_tests.conformed import conform
from edu_pipeline_tests.real_files import real_file
from edu_pipeline_tests.sample.sample_files import file_of

TABLE, PARAMETER = "mutations_immo_latest", "dvf_indicateurs_communes"
NAMES = ["INSEE_COM", "annee", "nb_mutations", "NbMaisons", "NbApparts", "PropMaison", "PropAppart"]
NAMES += ["PrixMoyen", "Prixm2Moyen", "SurfaceMoy"]

SPECIALTIES = "Enseignements de spécialité de classe de 1ère générale"


def sales(count: int = 30, **changes: list[str]) -> pl.DataFrame:
    """Sales of communes; ``changes`` exchange columns."""
    row = ["", "2024", "2", "1", "1", "50.0", "50.0", "250000", "2500", "100"]
    frame = pl.DataFrame({name: [value] * count for name, value in zip(NAMES, row, strict=True)})
    codes = pl.Series("INSEE_COM", [f"01{number:03d}" for number in range(1, count + 1)])
    return frame.with_columns(codes).with_columns(pl.Series(name, values) for name, values in changes.items())


def taken(frame: pl.DataFrame, folder: Path, header: list[str] | None = None) -> Intake:
    """What the table takes in from a CSV file with these rows."""
    path, file = folder / "communesdvf2024.csv", files_by_parameter()[PARAMETER]
    lines = frame.write_csv(include_header=False)
    path.write_text(f"{','.join(header or frame.columns)}\n{lines}", encoding="utf-8")
    result = read(path, file, folder, "a test")
    return take_in(tables()[TABLE], PARAMETER, result.frame, file, path.name, "a test", result.begins)


def reasons(intake: Intake) -> list[str]:
    """Why rows are refused."""
    refused = conform(tables()[TABLE].transform(intake.frame), tables()[TABLE]).refused
    return [reason for row in refused["reasons"].to_list() for reason in row]


def test_an_empty_column_counts_as_missing(tmp_path: Path) -> None:
    intake = taken(sales(PrixMoyen=[""] * 30), tmp_path)
    assert intake.missing == {"PrixMoyen (empty)": []}
    assert taken(sales(PrixMoyen=[""] * 29 + ["250000"]), tmp_path).missing == {}


def test_a_column_of_few_rows_may_be_empty(tmp_path: Path) -> None:
    assert taken(sales(3, PrixMoyen=[""] * 3), tmp_path).missing == {}


def test_an_empty_key_is_left_to_the_contract(tmp_path: Path) -> None:
    intake = taken(sales(INSEE_COM=[""] * 30), tmp_path)
    assert intake.missing == {} and len(reasons(intake)) == 30


@pytest.mark.parametrize(
    ("name", "parameter", "column", "shown"),
    [
        ("annuaire_education", "fr_en_annuaire_education", "voie_generale", "voie_generale"),
        ("enseignements_optionnels_seconde", "onisep_60113c3d5fee0", COURSES, COURSES),
        ("specialites_lycees", "onisep_60113f395cce6", slug(SPECIALTIES), SPECIALTIES),
    ],
    ids=["other tables need it", "the transform needs it", "a list is made of it"],
)
def test_some_empty_columns_stop_the_load(name: str, parameter: str, column: str, shown: str, tmp_path: Path) -> None:
    path, file = file_of(files_by_parameter()[parameter]), files_by_parameter()[parameter]
    assert path is not None
    raw = read(path, file, tmp_path, "a test").frame.with_columns(pl.lit(None, pl.String).alias(column))
    with pytest.raises(ColumnEmpty, match=f"expected values in column '{shown}', found none in any row"):
        take_in(tables()[name], parameter, raw, file, path.name, "a test")


@pytest.mark.parametrize("lacks", ["NbMaisons", "PropMaison"])
@pytest.mark.parametrize("is_empty", [False, True])
def test_what_cannot_be_corrected_is_null_and_said(lacks: str, is_empty: bool, tmp_path: Path) -> None:
    """In the file of 2024 the shares are swapped, which shows where houses were sold and no flats."""
    whole = sales(NbApparts=["0"] * 30, PropMaison=["0.0"] * 30, PropAppart=["100.0"] * 30)
    assert taken(whole, tmp_path).frame.collect()["prop_maison"].to_list() == ["100.0"] * 30
    lacking = whole.with_columns(pl.lit("").alias(lacks)) if is_empty else whole.drop(lacks)
    intake = taken(lacking, tmp_path)
    rows = intake.frame.select("prop_maison", "prop_appart", "prix_moyen").collect()
    assert rows.null_count().row(0) == (30, 30, 0)
    assert any("PropAppart, where its known error cannot be corrected" in name for name in intake.missing)
    assert intake.corrections == ()


def test_a_column_there_twice_with_other_values(tmp_path: Path) -> None:
    """The empty one comes first, as in a file that was seen."""
    frame = sales().insert_column(0, pl.Series("before", [""] * 30))
    with pytest.raises(FileInvalid) as caught:
        taken(frame, tmp_path, ["PrixMoyen", *NAMES])
    assert "'prixmoyen' once, found it in the positions 1 and 9, with different values in 30 of 30" in str(caught.value)


def test_identical_copies_of_a_column_are_noted(tmp_path: Path) -> None:
    intake = taken(sales().with_columns(copy="PrixMoyen"), tmp_path, [*NAMES, "Prix Moyen"])
    assert intake.notes == ()  # another slug
    intake = taken(sales().with_columns(copy="PrixMoyen"), tmp_path, [*NAMES, " prixmoyen"])
    assert intake.notes == ("column prixmoyen is there twice, in the positions 8 and 11, with the same values",)
    assert reasons(intake) == []


def test_copies_of_columns_that_nobody_reads_do_not_matter(tmp_path: Path) -> None:
    frame = sales().with_columns(a=pl.lit("1"), b=pl.lit("2"), c=pl.lit("3"), d=pl.lit("4"))
    intake = taken(frame, tmp_path, [*NAMES, "", "", "autre", "autre"])
    assert (intake.notes, reasons(intake)) == ((), [])


def test_characters_that_nobody_sees_are_taken_out(tmp_path: Path) -> None:
    codes = [f"01{number:03d}" for number in range(1, 31)]
    codes[16], codes[20] = "\u200b01017", "010\u00ad21"
    intake = taken(sales(INSEE_COM=codes), tmp_path)
    assert intake.skipped == {"cells with characters that nobody sees": 2}
    (note,) = intake.notes
    assert note.endswith(r"2 cells of column insee_com, the first in row 17: \u200b01017")
    assert intake.frame.collect()["code_commune"].to_list() == [f"01{number:03d}" for number in range(1, 31)]


@pytest.mark.parametrize(
    ("column", "values", "refused"),
    [
        ("PrixMoyen", ["290.575"] * 30, 30),
        ("PrixMoyen", ["250000"] * 27 + ["290.575"] * 3, 3),
        ("PrixMoyen", ["250000.5"] * 29 + ["290000.575"], 0),
        ("nb_mutations", ["2"] * 29 + ["2.000"], 1),
        ("Prixm2Moyen", ["2500.125"] * 30, 0),
        ("Prixm2Moyen", ["2500.5"] * 15 + ["825.125"] * 15, 0),
        ("Prixm2Moyen", ["2500"] * 15 + ["825.125"] * 15, 15),
        ("SurfaceMoy", ["0.1"] * 30, 30),
    ],
)
def test_marks_between_thousands(column: str, values: list[str], refused: int, tmp_path: Path) -> None:
    changed = sales().with_columns(pl.Series(column, values))
    assert len(reasons(taken(changed, tmp_path))) == refused


def test_a_doubtful_mark_is_said(tmp_path: Path) -> None:
    (reason,) = reasons(taken(sales(nb_mutations=["2"] * 29 + ["2.000"]), tmp_path))
    assert reason == "nb_mutations: expected a whole number, found '2.000, a decimal mark or one of thousands'"


@pytest.mark.parametrize("name", ["annuaire_education", "commerce_sante_2024", "passage_communes"])
def test_lists_where_there_should_be_texts(name: str, tmp_path: Path) -> None:
    table = tables()[name]
    parameter, file = next(iter(table.files.items()))
    path = file_of(file)
    assert path is not None
    raw = read(path, file, tmp_path, "a test").frame
    columns = raw.collect_schema().names()
    lists = raw.with_columns(pl.concat_list(column).alias(column) for column in columns)
    with pytest.raises(FileInvalid, match=r"expected a text or a number in every row of .*, found List"):
        take_in(table, parameter, lists, file, path.name, "a test")


def test_shapes_that_cross_themselves_are_counted(tmp_path: Path) -> None:
    square = shapely.box(0, 0, 1, 1)
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    spike = shapely.Polygon([(0, 0), (0, 1), (1, 1), (1, 0), (0.5, 0), (0.5, -1), (0.5, 0)])
    frame = pl.DataFrame({"code": ["01001", "01002", "01003"], "nom": ["a", "b", "c"]})
    frame = frame.with_columns(ewkb.encoded([square, bow_tie, spike]).alias("geometry"))
    table, file = tables()["commune_boundaries"], files_by_parameter()["contours_communes"]
    intake = take_in(table, "contours_communes", frame.lazy(), file, "communes.geojson", "a test")
    assert intake.skipped == {"geometries repaired": 2}
    (note,) = intake.notes
    assert note.startswith(
        "2 geometries are not valid and were repaired, which changes their area by +200.00%: 01002 ("
    )
    assert "Self-intersection" in note and "01003 (" in note and "01001" not in note


@pytest.mark.parametrize("written", [shapely.to_geojson, shapely.to_wkt, lambda shape: ewkb.encoded([shape])[0]])
def test_a_shape_without_a_key_has_its_row(written: Callable[[shapely.Geometry], str]) -> None:
    """In maps of sectors, as their publishers and operators write them."""
    shapes = [shapely.box(0, 0, 1, 1), shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])]
    frame = pl.DataFrame({"nom": ["a", "b", "c"], "geometry": [*map(written, shapes), "no shape"]})
    invalid = invalid_shapes(frame.lazy(), "id", "geometry")
    assert invalid.count == 1 and ": row 2 (Self-intersection" in invalid.note


@pytest.mark.parametrize("find", [file_of, real_file])
def test_whole_files_are_not_complained_about(find: Callable[[File], Path | None], tmp_path: Path) -> None:
    """Neither the sample's files nor real ones have empty columns, copies, odd characters or shapes; that an earlier
    census lacks a figure, which is noted, is as INSEE has it."""
    found = {}
    for table in tables().values():
        for parameter, file in table.files.items():
            if (path := find(file)) is None:
                continue
            folder = tmp_path / table.name / parameter
            folder.mkdir(parents=True)
            result = read(path, file, folder, "a test")
            intake = take_in(table, parameter, result.frame, file, path.name, "a test", result.begins)
            notes = [note for note in intake.notes if not note.startswith("no area has a value of ")]
            found[table.name, parameter] = (dict(intake.missing), notes, dict(intake.skipped))
    assert len(found) > len(tables()) // 2
    assert {place: what for place, what in found.items() if any(what)} == {}
