"""What the lines of the cartes scolaires say: one source at a time, together, and where they contradict each other."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl
import pytest

from edu_pipeline.sectors import by_address, rules
from edu_pipeline.sectors.numbering import LARGEST, hashed, numbered

A, B, C = "0350967L", "0350762N", "0350896J"
LYCEE, OTHER_LYCEE, THIRD_LYCEE = "0310036W", "0310047H", "0310044E"

ADDRESSES = ("code_commune", "lieu_dit", "libelle_rue", "number_from", "number_to", "side")
NATIONAL = (*ADDRESSES, "uai_colleges", "secteur_unique")
OCCITANIE = (*ADDRESSES, "uai_colleges", "type_etablissement")
SUPPLIED = (*ADDRESSES, "uai_colleges", *rules.COLUMNS_OF_LYCEES, "zone_name", "rentree_scolaire", "rule")

STREET = {
    "code_commune": "35115",
    "libelle_rue": "RUE DE PARIS",
    "number_from": "1",
    "number_to": "9999",
    "side": "PI",
    "uai_colleges": A,
    "secteur_unique": "N",
}
WHOLE = {"code_commune": "35001", "uai_colleges": A, "secteur_unique": "O"}
NO_LYCEES = rules.lycees_of_colleges(None)


def frame(columns: tuple[str, ...], *rows: dict[str, Any]) -> pl.LazyFrame:
    """Rows as the intake delivers them, all text."""
    return pl.LazyFrame(
        [{name: row.get(name) for name in columns} for row in rows], schema=dict.fromkeys(columns, pl.String)
    )


def national(*rows: dict[str, Any]) -> pl.LazyFrame:
    return frame(NATIONAL, *rows)


def segments(lines: pl.LazyFrame, lycees: pl.DataFrame = NO_LYCEES) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The segments that lines about streets make, and those that are refused."""
    rows = rules.segments(lines.filter(~pl.col("whole").fill_null(False)), lycees)
    return rows.filter(pl.col("refused_because").is_null()), rows.drop_nulls("refused_because")


def segments_of(*rows: dict[str, Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return segments(rules.lines(national(*rows)))


def test_a_street_of_the_national_file() -> None:
    good, refused = segments_of(STREET)
    assert refused.is_empty()
    row = good.row(0, named=True)
    expected = {
        "code_departement": "35",
        "code_commune": "35115",
        "libelle_rue": "RUE DE PARIS",
        "number_from": 1,
        "number_to": None,
        "side": "tous",
        "uai_colleges": [A],
        "uai_lycees": None,
        "uai_lycees_1": None,
        "zone_name": A,
        "rule": rules.COLLEGES,
        "lignes": 1,
    }
    assert {name: row[name] for name in expected} == expected


def test_an_operator_replaces_a_map_street_by_street() -> None:
    """Only where he names collèges: lycées that he names stand beside the map's collège."""
    mapped = pl.DataFrame(
        [
            ("75101", street, None, None, "tous", [A], rules.PARIS_SECTORS, None)
            for street in ("R. X", "Rue Y", "Rue Z")
        ],
        schema=by_address.LINE,
        orient="row",
    )
    supplied = frame(
        SUPPLIED,
        {"code_commune": "75101", "libelle_rue": "RUE X", "uai_colleges": B},
        {"code_commune": "75101", "libelle_rue": "RUE Y", "uai_lycees_1": LYCEE},
        {"code_commune": "75102", "libelle_rue": "RUE Z", "uai_colleges": B},
    )
    good, refused = segments(rules.lines(national(), supplied=supplied, mapped=mapped))
    assert refused.is_empty()
    assert sorted(good.filter(code_commune="75101").select("libelle_rue", "rule").rows()) == [
        ("RUE X", rules.SUPPLIED),
        ("RUE Y", rules.SUPPLIED),
        ("Rue Y", rules.PARIS_SECTORS),
        ("Rue Z", rules.PARIS_SECTORS),
    ]


def test_a_list_replaces_a_map_by_street_and_commune() -> None:
    """Only where it has lines about collèges, of a street or of the whole commune."""
    mapped = pl.DataFrame(
        [
            (commune, street, None, None, "tous", [A], rules.HAUTE_GARONNE, None)
            for commune in ("31001", "31002", "31003")
            for street in ("R. X", "Rue Y")
        ],
        schema=by_address.LINE,
        orient="row",
    )
    college, lycee = {"type_etablissement": "COLLEGE", "uai_colleges": B}, {"type_etablissement": "LYCEE"}
    occitanie = frame(
        OCCITANIE,
        {"code_commune": "31001", "libelle_rue": "RUE X", **college},
        {"code_commune": "31002", **college},
        {"code_commune": "31003", "libelle_rue": "RUE Y", "uai_colleges": LYCEE, **lycee},
    )
    good, refused = segments(rules.lines(national(), occitanie, mapped=mapped))
    assert refused.is_empty()
    assert good.select("code_commune", "libelle_rue", "rule").sort(pl.all()).rows() == [
        ("31001", "RUE X", rules.OCCITANIE),
        ("31001", "Rue Y", rules.HAUTE_GARONNE),
        ("31003", "R. X", rules.HAUTE_GARONNE),
        ("31003", "RUE Y", rules.OCCITANIE),
        ("31003", "Rue Y", rules.HAUTE_GARONNE),
    ]


@pytest.mark.parametrize(
    ("written", "side"),
    [
        ("PI", "tous"),
        (None, "tous"),
        ("P", "pair"),
        ("I", "impair"),
        ("pair", "pair"),
        ("impair", "impair"),
        ("Tous les N°, de", "tous"),
        ("N° pairs, de", "pair"),
        ("Les N° impairs, de", "impair"),
    ],
)
def test_sides(written: str | None, side: str) -> None:
    good, _ = segments_of(STREET | {"side": written})
    assert good["side"].to_list() == [side]


def test_numbers_of_either_year() -> None:
    good, _ = segments_of(
        STREET | {"number_from": "12.0", "number_to": "28.0"}, STREET | {"number_from": "30", "number_to": None}
    )
    assert good.select("number_from", "number_to").rows() == [(12, 28), (30, None)]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"uai_colleges": None}, "expected the code of a school (UAI), found none"),
        ({"libelle_rue": None}, "libelle_rue: expected a street"),
        ({"secteur_unique": None}, "secteur_unique: expected O or N, found nothing"),
        ({"side": "gauche"}, "side: expected a side of the street, found gauche"),
        ({"number_from": "12 bis"}, "number_from: expected a house number, found 12 bis"),
        ({"number_to": "3.5"}, "number_to: expected a house number, found 3.5"),
        (
            {"number_from": "20", "number_to": "10"},
            "number_from, number_to: expected the lower one first, found 20, 10",
        ),
    ],
)
def test_a_wrong_line_is_refused_with_the_reason(changed: dict[str, Any], reason: str) -> None:
    good, refused = segments_of(STREET | changed, STREET | {"libelle_rue": "RUE DU BAC"})
    assert good["libelle_rue"].to_list() == ["RUE DU BAC"]
    assert reason in refused["refused_because"].item()
    assert refused["lignes"].item() == 1


def test_a_lieu_dit_stands_in_for_a_missing_street() -> None:
    good, _ = segments_of(STREET | {"libelle_rue": None, "lieu_dit": "LA CROIX"}, STREET | {"lieu_dit": "TRESSE"})
    assert good.select("libelle_rue", "lieu_dit").rows() == [("LA CROIX", None), ("RUE DE PARIS", "TRESSE")]


def test_lines_about_the_same_addresses_are_one_shared_sector() -> None:
    """Like 450 streets of Rennes, each of which is three times in the file. The order of the lines means nothing."""
    other = STREET | {"libelle_rue": "RUE DU BAC"}
    lines = [STREET | {"uai_colleges": code} for code in (B, A)] + [other | {"uai_colleges": code} for code in (A, B)]
    good, refused = segments_of(*lines)
    assert refused.is_empty()
    assert good["uai_colleges"].to_list() == [[B, A], [B, A]]
    assert good["zone_name"].to_list() == [f"{B} + {A}"] * 2
    assert good["lignes"].to_list() == [2, 2]


@pytest.mark.parametrize(
    ("numbers", "other_numbers", "contradict"),
    [
        (("1", "20", "PI"), ("10", "30", "PI"), True),
        (("1", "20", "PI"), ("21", "30", "PI"), False),
        (("1", "20", "P"), ("1", "20", "I"), False),
        (("1", "9999", "PI"), ("2", "4", "P"), True),
        (("1", "9999", "PI"), ("3", "3", "P"), False),
        (("1", "7", "PI"), ("7", "9", "P"), False),
        (("1", "8", "PI"), ("8", "9", "P"), True),
        ((None, "8", "I"), ("7", None, "I"), True),
    ],
)
def test_other_schools_for_some_of_the_same_addresses(
    numbers: tuple[str, str, str], other_numbers: tuple[str, str, str], contradict: bool
) -> None:
    names = ("number_from", "number_to", "side")
    line, other = (STREET | dict(zip(names, values, strict=True)) for values in (numbers, other_numbers))
    good, refused = segments_of(line, other | {"uai_colleges": B})
    assert (good.height, refused.height) == ((0, 2) if contradict else (2, 0))
    assert all(code in reason for code, reason in zip((B, A), refused["refused_because"], strict=False))
    assert segments_of(line, other)[0].height == 2, "the same school twice is not a contradiction"


def test_streets_of_one_name_in_two_places_do_not_contradict() -> None:
    good, _ = segments_of(STREET | {"lieu_dit": "TRESSE"}, STREET | {"lieu_dit": "LANHELIN", "uai_colleges": B})
    assert good.height == 2


def test_occitanie_names_lycees_and_colleges_that_are_missing() -> None:
    lycee = STREET | {"code_commune": "31555", "uai_colleges": LYCEE, "type_etablissement": "LYCEE"}
    college = lycee | {"uai_colleges": A, "type_etablissement": "COLLEGE"}
    both = rules.lines(
        national(STREET | {"code_commune": "31069"}),
        frame(OCCITANIE, lycee, college, college | {"code_commune": "31069", "libelle_rue": "RUE DU BAC"}),
    )
    good, refused = segments(both)
    assert refused.is_empty()
    rows = good.sort("code_commune", "uai_lycees_1").select("code_commune", "uai_colleges", "uai_lycees_1", "rule")
    assert rows.rows() == [
        ("31069", [A], None, rules.COLLEGES),
        ("31555", [A], None, rules.OCCITANIE),
        ("31555", None, LYCEE, rules.OCCITANIE),
    ]


def test_a_college_leads_to_the_lycees_of_its_rule_in_order() -> None:
    paris = frame(
        ("reseau", "uai", "secteur"),
        {"reseau": A, "uai": OTHER_LYCEE, "secteur": "2"},
        {"reseau": A, "uai": A, "secteur": "Tête"},
        {"reseau": A, "uai": THIRD_LYCEE, "secteur": "1"},
        {"reseau": A, "uai": LYCEE, "secteur": "1"},
        {"reseau": C, "uai": LYCEE, "secteur": "3"},
    )
    lycees = rules.lycees_of_colleges(paris)
    good, _ = segments(rules.lines(national(STREET, STREET | {"libelle_rue": "RUE DU BAC", "uai_colleges": B})), lycees)
    assert good.select("uai_lycees", "uai_lycees_1", "uai_lycees_3", "uai_lycees_4").rows() == [
        ([LYCEE, THIRD_LYCEE, OTHER_LYCEE], LYCEE, OTHER_LYCEE, None),
        (None, None, None, None),
    ]
    assert good["rule"].to_list() == [f"{rules.COLLEGES} > {rules.PARIS}", rules.COLLEGES]
    assert good.select(rules.priority()).to_series().to_list() == [2, 3]


def test_lines_from_an_operator_take_precedence() -> None:
    supplied = {
        "code_commune": "35115",
        "libelle_rue": "Rue de Paris",
        "number_from": "2",
        "number_to": "10",
        "side": "pair",
        "uai_colleges": f"{{{B},{C}}}",
        "zone_name": "Centre",
        "rentree_scolaire": "2026-2027",
    }
    good, refused = segments(rules.lines(national(STREET), None, frame(SUPPLIED, supplied)))
    row = good.row(0, named=True)
    assert (row["uai_colleges"], row["zone_name"], row["rule"]) == ([B, C], "Centre", rules.SUPPLIED)
    assert row["rentree_scolaire"] == "2026-2027"
    assert refused["rule"].to_list() == [rules.COLLEGES]
    direct = supplied | {"uai_colleges": None, "uai_lycees_1": OTHER_LYCEE, "uai_lycees_2": LYCEE, "rule": "Arrêté 12"}
    good, refused = segments(rules.lines(national(STREET), None, frame(SUPPLIED, direct)))
    assert refused.is_empty(), "one line names the lycées, the other one the collège"
    assert good.filter(pl.col("uai_lycees").is_not_null()).select("uai_lycees", "rule", "uai_lycees_2").rows() == [
        ([OTHER_LYCEE, LYCEE], "Arrêté 12", LYCEE)
    ]


def test_communes_that_are_one_sector() -> None:
    occitanie = frame(OCCITANIE, {"code_commune": "35001", "uai_colleges": LYCEE, "type_etablissement": "LYCEE"})
    lines = rules.lines(national(WHOLE, WHOLE | {"uai_colleges": B}, STREET, WHOLE | {"uai_colleges": None}), occitanie)
    communes = rules.whole_communes(lines, NO_LYCEES)
    good, refused = communes.filter(pl.col("refused_because").is_null()), communes.drop_nulls("refused_because")
    assert good.select("code_commune", "uai_colleges", "uai_lycees", "rule", "lignes").rows() == [
        ("35001", [B, A], [LYCEE], rules.OCCITANIE, 3)
    ]
    assert refused["refused_because"].to_list() == ["expected the code of a school (UAI), found none"]


def test_codes_with_a_wrong_check_letter_are_noticed() -> None:
    codes = pl.DataFrame({"codes": [[A, B], [A, "0350762A"], None, []]}, schema={"codes": pl.List(pl.String)})
    assert codes.select(rules.are_codes("codes")).to_series().to_list() == [True, False, True, True]


def test_the_number_of_a_row_depends_on_its_values_only() -> None:
    rows = pl.DataFrame({"street": ["a", "b", "a", None], "from": [1, 2, 1, 1]})
    (numbers,) = numbers_of(rows)
    assert len(set(numbers)) == 4 and min(numbers) >= 1 and max(numbers) <= LARGEST
    other = pl.DataFrame({"street": ["0"], "from": [7]})
    ((_, *after),) = numbers_of(pl.concat([other, rows]))
    assert after == numbers == numbers_of(other, rows)[1]


def test_rows_with_the_same_hash_get_different_numbers() -> None:
    pieces = [pl.DataFrame({"street": list(streets), "from": 1}) for streets in ("abc", "", "de", "f")]
    results = numbers_of(*pieces, largest=6)
    assert [len(numbers) for numbers in results] == [3, 0, 2, 1]
    assert sorted(itertools.chain(*results)) == [1, 2, 3, 4, 5, 6]


def numbers_of(*pieces: pl.DataFrame, largest: int = LARGEST) -> list[list[int]]:
    hashed_pieces = (piece.with_columns(hashed(piece, ["street", "from"])) for piece in pieces)
    return [piece["id"].to_list() for piece in numbered(hashed_pieces, largest)]
