"""The names of a file's columns, and the first lines of files that are odd."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from edu_pipeline.catalogue import File, catalogue
from edu_pipeline.errors import FileInvalid, MemberMissing
from edu_pipeline.sources.csv_lines import MAX_COLUMNS
from edu_pipeline.sources.headers import copies_of, is_copy, slugs
from edu_pipeline.sources.readers import Read, read

A_FILE = File(source="a-source", part="main", format="csv", name=".*", supplied=True)
SQUARE = [[[0, 0], [0, 1], [1, 1], [0, 0]]]


def read_as(path: Path, content: bytes, file: File | None = None) -> Read:
    """The file as it is read with this content."""
    path.write_bytes(content)
    return read(path, file or A_FILE, path.parent, "a test")


def test_copies_of_a_column_have_their_position() -> None:
    names = slugs(["Prix Moyen", "", "prix-moyen", "", "Prix\u200bMoyen", "\ufeffAutre"], "a test")
    assert names == ["prix_moyen", "column", "prix_moyen#3", "column#4", "prixmoyen", "autre"]
    assert copies_of("prix_moyen", names) == ["prix_moyen#3"] and copies_of("prix", names) == []
    assert [is_copy(name) for name in names] == [False, False, True, True, False, False]


@pytest.mark.parametrize("name", ["dÃ©partement", "AcadÃ©mie", "dï¿½partement", "d√©partement", "d├®partement"])
def test_a_header_in_a_wrong_encoding_is_refused(name: str) -> None:
    with pytest.raises(FileInvalid, match=f"found '{name}' in position 2: a name that was read in a wrong encoding"):
        slugs(["code", name], "a test")


@pytest.mark.parametrize("name", ["ÂGE", "L'île", "Élèves – total", "œuvre", "100 % « vrai »", "Ñandú", "m²"])
def test_names_that_are_right(name: str) -> None:
    assert slugs([name], "a test")


def test_a_line_end_in_the_first_cell_of_the_header(tmp_path: Path) -> None:
    result = read_as(tmp_path / "f.csv", b'"INSEE\nCOM";annee\n01001;2024\n01002;2024\n')
    assert result.frame.collect().rows(named=True)[1] == {"insee_com": "01002", "annee": "2024"}


@pytest.mark.parametrize("quoted", ["x", '"a\nb"', '"a\r\nb"'])
def test_lines_that_end_in_carriage_returns(quoted: str, tmp_path: Path) -> None:
    text = "code;nom\r" + "".join(f"{number:05d};{quoted}\r" for number in range(2_000))
    assert read_as(tmp_path / "f.csv", text.encode()).frame.collect()["code"].to_list()[-1] == "01999"


def test_a_file_of_very_many_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match=f"expected at most {MAX_COLUMNS:,} columns, found 942,571"):
        read_as(tmp_path / "f.csv", b"a" + b";a" * 942_570)


def test_a_first_line_that_is_no_header(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="expected names of columns in the first line"):
        read_as(tmp_path / "f.csv", b"x" * 200_000 + b"\n1\n")


@pytest.mark.parametrize(
    ("content", "begins"),
    [
        (b"INSEE_COM^annee\n01001^2024\n", "INSEE_COM^annee"),
        (b"Service unavailable, try again\n", "Service unavailable, try again"),
        (b"code;nom\n1;a\n", "code;nom"),
    ],
)
def test_the_first_line_is_kept_for_failure_texts(content: bytes, begins: str, tmp_path: Path) -> None:
    assert read_as(tmp_path / "f.csv", content).begins == begins


def packed(path: Path, **members: str) -> Path:
    """A zip archive; in the names ``__`` stands for a point."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
        archive.writestr("__MACOSX/._table.csv", "\0\0")
        archive.writestr("donnees/", "")
    return path


def test_a_table_beside_a_readme_is_taken(tmp_path: Path) -> None:
    path = packed(tmp_path / "f.zip", lisez_moi__txt="rien", table__csv="code;nom\n1;a\n", notice__pdf="%PDF")
    assert read(path, A_FILE, tmp_path, "a test").frame.collect().rows() == [("1", "a")]


def test_the_only_member_is_taken_whatever_its_name(tmp_path: Path) -> None:
    path = packed(tmp_path / "f.zip", table__dat="code;nom\n1;a\n")
    assert read(path, A_FILE, tmp_path, "a test").frame.collect().rows() == [("1", "a")]


def test_members_are_listed_if_several_are_tables(tmp_path: Path) -> None:
    path = packed(tmp_path / "f.zip", a__csv="code;nom\n1;a\n", b__csv="code;nom\n1;a\n")
    with pytest.raises(MemberMissing, match=r"expected one table, found a\.csv, b\.csv"):
        read(path, A_FILE, tmp_path, "a test")


COMMUNE = {"code": "01001", "nom": "A", "codesPostaux": ["01400"], "population": 12}


@pytest.mark.parametrize(
    "other",
    [{"codesPostaux": "01400"}, {"nom": ["x"]}, {"nom": {"x": 1}}, {"codesPostaux": {"a": 1}}],
)
def test_json_whose_types_differ_between_records(other: dict[str, object], tmp_path: Path) -> None:
    file = catalogue()["geo-api-communes"].files["main"]
    with pytest.raises(FileInvalid, match="found something that does not parse"):
        read_as(tmp_path / "communes.json", json.dumps([COMMUNE, COMMUNE | other]).encode(), file)


def test_lists_in_json_are_of_text(tmp_path: Path) -> None:
    file = catalogue()["geo-api-communes"].files["main"]
    content = json.dumps([COMMUNE | {"codesPostaux": [1400]}]).encode()
    assert read_as(tmp_path / "communes.json", content, file).frame.collect()["codespostaux"].to_list() == [["1400"]]


@pytest.mark.parametrize("nul", ["\0", "\\u0000", "\\\\\\u0000"])
@pytest.mark.parametrize("name", ["communes.json", "communes.geojson"])
def test_a_nul_character_in_json_is_refused(nul: str, name: str, tmp_path: Path) -> None:
    source = "contours-communes" if name.endswith("geojson") else "geo-api-communes"
    content = f'[{{"code": "01001",\n"nom": "A{nul}"}}]'.encode()
    with pytest.raises(FileInvalid, match="expected text, found a NUL character in line 2, byte "):
        read_as(tmp_path / name, content, catalogue()[source].files["main"])


def features(*geometries: object) -> bytes:
    """A GeoJSON file of these geometries."""
    members = [
        {"type": "Feature", "properties": {"code": f"0100{number}", "nom": "A"}, "geometry": geometry}
        for number, geometry in enumerate(geometries)
    ]
    return json.dumps({"type": "FeatureCollection", "features": members}).encode()


def test_geojson_with_coordinates_as_text(tmp_path: Path) -> None:
    file, good = catalogue()["contours-communes"].files["main"], {"type": "Polygon", "coordinates": SQUARE}
    texts = {"type": "Polygon", "coordinates": [[[str(x), str(y)] for x, y in ring] for ring in SQUARE]}
    with pytest.raises(FileInvalid, match="expected a geometry with numbers as coordinates, found in feature 2 "):
        read_as(tmp_path / "communes.geojson", features(good, texts), file)
    rows = read_as(tmp_path / "communes.geojson", features(good, None), file).frame.collect()
    assert rows["geometry"].is_null().to_list() == [False, True]


def test_geojson_with_an_empty_list(tmp_path: Path) -> None:
    """pyogrio 0.13 makes an array of numbers of it, among arrays of texts."""
    content = json.loads(features(*[None] * 4))
    for feature, codes in zip(content["features"], (["A", None], [], None, ["B"]), strict=True):
        feature["properties"]["codes"] = codes
    file = catalogue()["contours-communes"].files["main"]
    rows = read_as(tmp_path / "communes.geojson", json.dumps(content).encode(), file).frame.collect()
    assert rows["codes"].to_list() == [["A", None], [], None, ["B"]]
