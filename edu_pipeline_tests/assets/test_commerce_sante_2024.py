"""commerce_sante_2024: what counts in the file, the codes of both vintages, communes without facilities."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from edu_pipeline.assets.socio_economic.commerce_sante_2024 import CommerceSante2024
from edu_pipeline.catalogue import files_by_parameter
from edu_pipeline.contracts import specs
from edu_pipeline.long_form import is_figure, parsed
from edu_pipeline_tests.assets.inputs import conformed, from_text
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import produced, real_file

TABLE, SOURCE = "commerce_sante_2024", "insee_bpe"
TYPES = {
    name: parsed(spec.upstream)["FACILITY_TYPE"]
    for name, spec in specs(CommerceSante2024).items()
    if isinstance(spec.upstream, str) and is_figure(spec.upstream)
}
HEADER = (
    '"GEO";"GEO_OBJECT";"FACILITY_DOM";"FACILITY_SDOM";"FACILITY_TYPE";"BPE_MEASURE";"UNIT_MEASURE";"OBS_STATUS";'
    '"UNIT_MULT";"TIME_PERIOD";"OBS_VALUE"'
)
COMMUNES = {
    "01001": "L'Abergement-Clémenciat",
    "01004": "Ambérieu-en-Bugey",
    "2A004": "Ajaccio",
    "75056": "Paris",
    "75101": "Paris 1er Arrondissement",
}


def line(
    geo: str, kind: str, value: str = "1", level: str = "COM", year: int = 2024, measure: str = "FACILITIES"
) -> str:
    """A row as INSEE writes it; in a total, domain, subdomain and type may each be `_T`."""
    return f'"{geo}";"{level}";"{kind[0]}";"{kind[:2]}";"{kind}";"{measure}";"COUNT";"A";0;{year};{value}'


def counted(folder: Path, *lines: str) -> Conformed:
    places = pl.LazyFrame(
        {
            "code_commune": list(COMMUNES),
            "nom_commune": list(COMMUNES.values()),
            "code_departement": [code[:2] for code in COMMUNES],
            "type_commune": ["arrondissement municipal" if code == "75101" else "commune" for code in COMMUNES],
        }
    )
    return conformed(TABLE, **{SOURCE: from_text(TABLE, SOURCE, [HEADER, *lines], folder), "info_communes": places})


def numbers(result: Conformed) -> dict[str, dict[str, int]]:
    """The numbers that are not 0, by commune."""
    rows = {row["code_commune"]: row for row in result.frame.iter_rows(named=True)}
    return {code: {kind: rows[code][kind] for kind in TYPES if rows[code][kind]} for code in sorted(rows)}


def test_every_commune_and_arrondissement_has_a_row(tmp_path: Path) -> None:
    result = counted(
        tmp_path,
        line("01004", "B207", "14"),
        line("01004", "C201", "2"),
        line("75056", "D307", "877"),
        line("75101", "D307", "19", level="ARM"),
        line("2A004", "D307", "0"),
    )
    assert result.refused.is_empty()
    assert dict(result.frame.select("code_commune", "commune").rows()) == COMMUNES
    assert numbers(result) == {
        "01001": {},
        "01004": {"boulangerie_patisserie": 14, "college": 2},
        "2A004": {},
        "75056": {"pharmacie": 877},
        "75101": {"pharmacie": 19},
    }
    assert set(result.frame["annee"]) == {2024}
    assert result.frame.select(list(TYPES)).null_count().sum_horizontal().item() == 0


def test_a_place_that_the_file_does_not_cover_has_no_row(tmp_path: Path) -> None:
    result = counted(tmp_path, line("01004", "C201", "2"), line("75056", "D307", "877"))
    assert numbers(result) == {"01001": {}, "01004": {"college": 2}, "75056": {"pharmacie": 877}}


def test_the_types_of_a_group_add_up(tmp_path: Path) -> None:
    types = ["A101", "A104", "B104", "B105", "B201", "B202", "C107", "C108", "C109", "C301", "C302", "C303"]
    rows = numbers(counted(tmp_path, *(line("2A004", kind, str(2**place)) for place, kind in enumerate(types))))
    assert rows["2A004"] == {
        "police_gendarmerie": 3,
        "grande_surface": 12,
        "superette_epicerie": 48,
        "ecole_maternelle_primaire_elementaire": 448,
        "lycee": 3584,
    }


def test_both_vintages_of_the_practitioners_codes(tmp_path: Path) -> None:
    for year, types in ((2023, ["D201", "D221", "D233", "D244"]), (2024, ["D265", "D277", "D279", "D281"])):
        lines = [line("01004", kind, str(number), year=year) for number, kind in enumerate(types, 1)]
        rows = numbers(counted(tmp_path, *lines))
        assert rows["01004"] == {
            "medecin_generaliste": 1,
            "chirurgien_dentiste": 2,
            "masseur_kinesitherapeute": 3,
            "infirmier": 4,
        }


def test_totals_other_levels_types_and_measures_do_not_count(tmp_path: Path) -> None:
    result = counted(
        tmp_path,
        line("01004", "C201", "2"),
        '"01004";"COM";"C";"C2";"_T";"FACILITIES";"COUNT";"A";0;2024;50',
        '"01004";"COM";"C";"_T";"_T";"FACILITIES";"COUNT";"A";0;2024;60',
        '"01004";"COM";"_T";"_T";"_T";"FACILITIES";"COUNT";"A";0;2024;70',
        line("01004", "C201", "10", level="BV2022"),
        line("01", "C201", "90", level="DEP"),
        line("200046977", "C201", "90", level="EPCI"),
        line("01004", "C304", "4"),
        line("01004", "D302", "5"),
        line("01004", "C201", "6", measure="CAPACITY"),
    )
    assert result.refused.is_empty()
    assert numbers(result)["01004"] == {"college": 2}


def test_only_the_newest_year_counts(tmp_path: Path) -> None:
    result = counted(
        tmp_path,
        line("01004", "C201", "3", year=2023),
        line("01004", "C201", "2", year=2024),
        line("01001", "C108", "1", year=2023),
    )
    assert (numbers(result)["01001"], numbers(result)["01004"]) == ({}, {"college": 2})
    assert set(result.frame["annee"]) == {2024}


def test_a_code_that_is_not_in_force_is_refused(tmp_path: Path) -> None:
    result = counted(tmp_path, line("01059", "C108", "3"), line("01004", "C201"))
    assert set(result.frame["code_commune"]) == {"01001", "01004"}
    assert result.refused["key"].to_list() == ["01059"]
    assert result.refused["reasons"][0].to_list() == ["commune: expected a value, found nothing"]
    assert '"ecole_maternelle_primaire_elementaire":"3"' in result.refused["row"][0]


def test_a_value_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    result = counted(
        tmp_path,
        line("01001", "C107", "1"),
        line("01001", "C108", "c"),
        line("2A004", "D307", ""),
        line("01004", "C201", "-1"),
    )
    assert result.frame.is_empty()
    kind = "ecole_maternelle_primaire_elementaire"
    assert dict(zip(result.refused["key"], (list(reasons) for reasons in result.refused["reasons"]), strict=True)) == {
        "01001": [f"{kind}: expected a whole number, found 'c'"],
        "2A004": ["pharmacie: expected a whole number, found 'nothing'"],
        "01004": ["college: expected at least 0, found -1"],
    }


def test_a_file_without_a_row_that_counts_gives_no_rows(tmp_path: Path) -> None:
    """So it stops the load, instead of saying that there is nothing anywhere."""
    result = counted(tmp_path, line("01", "C201", "90", level="DEP"))
    assert (result.frame.height, result.refused.height) == (0, 0)


def test_the_real_file() -> None:
    """A part of the file of 2024: fourteen types, some of them the only one of their group, no arrondissements."""
    path = real_file(files_by_parameter()[SOURCE])
    result = produced(TABLE)
    assert path is not None
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    totals = Counter[str]()
    for row in rows:
        totals[row["FACILITY_TYPE"]] += int(row["OBS_VALUE"])
    assert (len(rows), len(totals), {row["GEO_OBJECT"] for row in rows}) == (103_105, 14, {"COM"})
    assert result.refused.is_empty()
    places = produced("info_communes").frame
    covered = places.filter(pl.col("code_commune").is_in([row["GEO"] for row in rows]))["code_departement"]
    expected = places.filter(pl.col("code_departement").is_in(covered.implode()), type_commune="commune")
    assert set(result.frame["code_commune"]) == set(expected["code_commune"])
    assert len(set(covered)) == 101
    assert set(result.frame["annee"]) == {2024}

    def total(codes: Iterable[str]) -> int:
        return sum(totals[code] for code in codes)

    sums = {kind: result.frame[kind].sum() for kind in TYPES}
    assert sums == {kind: total(codes) for kind, codes in TYPES.items()}
    assert sums["pharmacie"] == totals["D307"] > 19_000
    communes = {row["GEO"] for row in rows if row["FACILITY_TYPE"] == "C201"}
    assert set(result.frame.filter(pl.col("college") > 0)["code_commune"]) == communes
    assert result.frame.row(by_predicate=pl.col("code_commune") == "75056", named=True)["college"] == 220
