"""pcs_libelle, departements, passage_communes: on a few literal rows, and on the publishers' real files."""

import csv
import datetime
import json
from collections import Counter, defaultdict
from collections.abc import Iterator

import polars as pl

from edu_pipeline.assets.reference.departements import departements
from edu_pipeline.assets.reference.passage_communes import passage_communes
from edu_pipeline.assets.reference.pcs_libelle import pcs_libelle
from edu_pipeline.table import tables
from edu_pipeline.vocabulary import regions
from edu_pipeline_tests.conformed import conform
from edu_pipeline_tests.real_files import produced, upstream


def csv_rows(path: str, delimiter: str) -> Iterator[dict[str, str]]:
    """Rows of a real file, read without any of the product's code."""
    with (upstream() / path).open(encoding="utf-8-sig", newline="") as stream:
        yield from csv.DictReader(stream, delimiter=delimiter)


def pcs_rows(*rows: tuple[str, str, str, str | None]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=["niveau", "code_pcs", "libelle", "code_parent"], orient="row")


def test_a_category_of_two_levels_is_one_row() -> None:
    given = pcs_rows(
        ("1", "3", "Cadres et professions intellectuelles  supérieures", None),
        ("3", "31", "Professions libérales", "31"),
        ("2", "31", "Professions libérales et assimilés", "3"),
        ("4", "311a", "Médecins libéraux spécialistes", "31"),
    )
    result = conform(pcs_libelle(given), tables()["pcs_libelle"])
    assert result.frame.sort("niveau").rows() == [
        ("3", "Cadres et professions intellectuelles supérieures", 1, 1,
         "Cadres et professions intellectuelles supérieures", None),
        ("31", "Professions libérales et assimilés", 2, 3, "Professions libérales", "3"),
        ("311a", "Médecins libéraux spécialistes", 4, 4, "Médecins libéraux spécialistes", "31"),
    ]  # fmt: skip
    assert result.refused.height == 0


def test_a_code_twice_on_one_level_is_refused() -> None:
    given = pcs_rows(("2", "21", "Artisans", "2"), ("2", "21", "Artistes", "2"), ("2", "22", "Commerçants", "2"))
    result = conform(pcs_libelle(given), tables()["pcs_libelle"])
    assert result.frame["code_pcs"].to_list() == ["22"]
    assert result.refused["key"].to_list() == ["21", "21"]


def test_all_real_categories() -> None:
    rows = list(csv_rows("insee-pcs/pcs2003.csv", ";"))
    result = produced("pcs_libelle")
    frame = result.frame
    assert result.refused.height == 0
    assert frame.height == len({row["code"] for row in rows}) == 557
    assert sum(frame["niveau_fin"] - frame["niveau"] + 1) == len(rows) == 571
    for level, count in Counter(int(row["level"]) for row in rows).items():
        assert frame.filter(pl.lit(level).is_between("niveau", "niveau_fin")).height == count
    parents = frame.drop_nulls("code_parent").join(
        frame, left_on="code_parent", right_on="code_pcs", suffix="_parent", maintain_order="left"
    )
    assert parents.height == 557 - 8
    assert (parents["niveau"] > parents["niveau_parent"]).all()
    assert frame.filter(pl.col("libelle") != pl.col("libelle_fin"))["code_pcs"].to_list() == ["31"]
    assert not frame["libelle"].str.contains("  ").any()


def test_departements_with_and_without_academie() -> None:
    geo = pl.LazyFrame(
        {
            "code_departement": ["21", "2A", "971", "977"],
            "nom_departement": ["Côte-d'Or", "Corse-du-Sud", "Guadeloupe", "Saint-Barthélemy"],
            "code_region": ["27", "94", "01", "977"],
        }
    )
    academies = pl.LazyFrame(
        {
            "code_departement": ["971", "2A", "21"],
            "code_academie": ["32", "27", "07"],
            "nom_academie": ["GUADELOUPE", "CORSE", "DIJON"],
            "code_region_academique": ["07", "05", "02"],
            "nom_region_academique": ["GUADELOUPE", "CORSE", "BOURGOGNE-FRANCHE-COMTE"],
        }
    )
    result = conform(departements(geo, academies), tables()["departements"])
    assert result.refused.height == 0
    assert result.frame.rows() == [
        ("21", "Côte-d'Or", "27", "Bourgogne-Franche-Comté", "07", "DIJON", "02", "BOURGOGNE-FRANCHE-COMTE"),
        ("2A", "Corse-du-Sud", "94", "Corse", "27", "CORSE", "05", "CORSE"),
        ("971", "Guadeloupe", "01", "Guadeloupe", "32", "GUADELOUPE", "07", "GUADELOUPE"),
        ("977", "Saint-Barthélemy", "977", "Saint-Barthélemy", None, None, None, None),
    ]


def test_an_unknown_region_is_refused_not_named() -> None:
    geo = pl.LazyFrame({"code_departement": ["01"], "nom_departement": ["Ain"], "code_region": ["99"]})
    academies = pl.LazyFrame(
        schema=dict.fromkeys(
            ["code_departement", "code_academie", "nom_academie", "code_region_academique", "nom_region_academique"],
            pl.String,
        )
    )
    refused = conform(departements(geo, academies), tables()["departements"]).refused
    assert refused["reasons"].to_list() == [["nom_region: expected a value, found nothing"]]


def test_all_real_departements() -> None:
    published = json.loads((upstream() / "geo-api-departements/departements.json").read_text(encoding="utf-8"))
    result = produced("departements")
    assert result.refused.height == 0
    assert dict(result.frame.select("code_departement", "nom_departement").rows()) == {
        row["code"]: row["nom"] for row in published
    }
    assert result.frame.height == 109
    without = result.frame.filter(pl.col("code_academie").is_null())["code_departement"].to_list()
    assert without == ["977", "978", "984", "989"]
    assert result.frame["code_academie"].drop_nulls().n_unique() == 34


def test_region_names_are_those_of_insee() -> None:
    """INSEE's populations file names all regions but Mayotte's."""
    named = {row["REG"]: row["Région"] for row in csv_rows("insee-populations/donnees_communes.csv", ";")}
    assert named == {code: name for code, name in regions.REGIONS.items() if code != "06"}


def passage_rows(*rows: tuple[str, str, str, str, str]) -> pl.LazyFrame:
    columns = ["code_ancien", "code_commune", "date_effet", "nature", "part"]
    frame = pl.LazyFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    return frame.with_columns(geo_ini=pl.lit("2015"), geo_fin=pl.lit("2016"))


def test_natures_dates_and_poles() -> None:
    given = passage_rows(
        ("26091", "26091", "2002-01-01", "f", "1.0"),
        ("26158", "26091", "2002-01-01", "f", "1.0"),
        ("10054", "10038", "2000-01-01", "d", "0.314031180400891"),
        ("27676", "27058", "01/01/2021", "c", "1.0"),
        ("01001", "01002", "31/12/2019", "x", "1.0"),
    )
    result = conform(passage_communes(given), tables()["passage_communes"])
    assert result.frame.select("code_ancien", "code_commune", "date_effet", "nature", "part").rows() == [
        ("26091", "26091", datetime.date(2002, 1, 1), "fusion", 1.0),
        ("26158", "26091", datetime.date(2002, 1, 1), "fusion", 1.0),
        ("10054", "10038", datetime.date(2000, 1, 1), "scission", 0.314031180400891),
        ("27676", "27058", datetime.date(2021, 1, 1), "changement de code", 1.0),
    ]
    assert result.refused["key"].to_list() == ["01001 / 01002 / 2019-12-31"]


def test_later_events_and_communes_deleguees_are_added() -> None:
    table = passage_rows(("26158", "26091", "2024-01-01", "f", "1.0"), ("26091", "26091", "2024-01-01", "f", "1.0"))
    columns = ["mod", "date_eff", "typecom_av", "com_av", "typecom_ap", "com_ap"]
    events = pl.LazyFrame([
        ("32", "2025-01-01", "COM", "01901", "COM", "01001"), ("32", "2025-01-01", "COM", "01001", "COM", "01001"),
        ("32", "2025-01-01", "COM", "01901", "COMD", "01901"), ("21", "2026-01-01", "COM", "01002", "COM", "01002"),
        ("21", "2026-01-01", "COM", "01002", "COM", "01003"), ("10", "2025-06-01", "COM", "01004", "COM", "01004"),
        ("41", "2025-02-01", "COM", "38999", "COM", "01005"), ("32", "2019-01-01", "COM", "01910", "COM", "01001"),
    ], schema=columns, orient="row")  # fmt: skip
    cog = pl.LazyFrame([
        ("COM", "01001", ""), ("COMD", "01001", "01001"), ("COMD", "01901", "01001"), ("COMA", "01910", "01001"),
        ("COMD", "26158", "26091"),
    ], schema=["typecom", "com", "comparent"], orient="row").with_columns(vintage=pl.lit("2026"))  # fmt: skip
    people = pl.LazyFrame({"code": ["01001", "01002", "01003"], "population": ["9", "300", "100"]})
    result = conform(passage_communes(table, cog, events, people), tables()["passage_communes"])
    assert result.refused.is_empty()
    day = datetime.date
    found = result.frame.select("code_ancien", "code_commune", "date_effet", "nature", "part").rows()
    assert set(found[2:]) == {
        ("01901", "01001", day(2025, 1, 1), "fusion", 1.0), ("01001", "01001", day(2025, 1, 1), "fusion", 1.0),
        ("01002", "01002", day(2026, 1, 1), "scission", 0.75), ("01002", "01003", day(2026, 1, 1), "scission", 0.25),
        ("38999", "01005", day(2025, 2, 1), "changement de code", 1.0),
        ("01910", "01001", day(2026, 1, 1), "fusion", 1.0),
    }  # fmt: skip


def test_a_split_without_populations_is_refused() -> None:
    columns = ["mod", "date_eff", "typecom_av", "com_av", "typecom_ap", "com_ap"]
    events = pl.LazyFrame(
        [("21", "2026-01-01", "COM", "01002", "COM", code) for code in ("01002", "01003")], schema=columns, orient="row"
    )
    people = pl.LazyFrame({"code": ["01002"], "population": ["300"]})
    result = conform(passage_communes(passage_rows(), None, events, people), tables()["passage_communes"])
    assert result.refused["reasons"].to_list() == [["part: expected a value, found nothing"]] * 2


def test_all_real_changes() -> None:
    rows = list(csv_rows("insee-table-passage/passage_1999_2024.csv", ","))
    result = produced("passage_communes")
    by_list = pl.col("geo_ini").is_null()
    listed, frame = result.frame.filter(by_list), result.frame.filter(~by_list)
    assert result.refused.height == 0
    assert frame.height == len(rows) == 2724
    cog = list(csv_rows("insee-cog/v_commune_2025.csv", ","))
    current = {row["COM"] for row in cog if row["TYPECOM"] in ("COM", "ARM")}
    former = {row["COM"] for row in cog if row["TYPECOM"] in ("COMD", "COMA")} - current
    assert (
        set(listed["code_ancien"]) == former - {row["cod_ini"] for row in rows if row["cod_ini"] != row["cod_fin"]}
        and listed.height > 500
    )
    assert set(listed["code_commune"]) <= current
    assert dict(frame["nature"].value_counts().rows()) == {"fusion": 2660, "scission": 61, "changement de code": 3}
    assert frame.filter(pl.col("code_ancien") == pl.col("code_commune")).height == 896
    assert frame["date_effet"].min() == min(
        datetime.date.fromisoformat(row["annee"]) for row in rows if "-" in row["annee"]
    )
    assert frame["date_effet"].max() == datetime.date(2024, 1, 1)
    shares: dict[tuple[str, str], float] = defaultdict(float)
    for row in rows:
        shares[row["cod_ini"], row["annee"]] += float(row["ratio"])
    added = frame.group_by("code_ancien", "date_effet").agg(pl.col("part").sum())
    assert added.height == len(shares)
    assert ((added["part"] - 1).abs() < 1e-9).all()
