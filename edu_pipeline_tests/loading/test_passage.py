"""The passage from former commune codes to those in force: following the codes, and what becomes of the rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import polars as pl
import pytest
import shapely

from edu_pipeline.catalogue import files_by_parameter
from edu_pipeline.loading.passage import Passage, bring_to_current, year_of
from edu_pipeline.table import tables

IN_FORCE = ["01001", "01002", "01003", "01004", "75056"]
CHANGES = [
    ("01901", "01001", date(2019, 1, 1), 1.0),  # merged into 01001, which keeps its code
    ("01001", "01001", date(2019, 1, 1), 1.0),
    ("01902", "01901", date(2016, 1, 1), 1.0),  # merged into one that was merged later
    ("01002", "01002", date(2024, 1, 1), 0.7),  # split, and its code stays
    ("01002", "01003", date(2024, 1, 1), 0.3),
    ("01904", "01004", date(2022, 1, 1), 1.0),  # another code
    ("01905", "01906", date(2010, 1, 1), 1.0),  # into one that is gone
    ("01911", "01004", date(2023, 1, 2), 1.0),  # in the course of a year
]


def passage_of(changes: list[tuple[str, str, date, float]], in_force: Collection[str] = IN_FORCE) -> Passage:
    """The passage with these changes alone."""
    schema = {"code_ancien": pl.String, "code_commune": pl.String, "date_effet": pl.Date, "part": pl.Float64}
    return Passage(pl.DataFrame(changes, schema=schema, orient="row"), in_force)


@pytest.fixture
def passage() -> Passage:
    return passage_of(CHANGES)


@pytest.mark.parametrize(
    ("code", "year", "parts"),
    [
        ("01001", None, None),
        ("01901", None, {"01001": 1.0}),
        ("01902", None, {"01001": 1.0}),
        ("01904", 2021, {"01004": 1.0}),
        ("01002", None, None),
        ("01002", 2023, {"01002": 0.7, "01003": 0.3}),
        ("01002", 2024, None),
        ("01002", 2025, None),
        ("01905", None, None),
        ("01911", 2023, {"01004": 1.0}),
        ("01999", None, None),
    ],
)
def test_codes_are_followed(passage: Passage, code: str, year: int | None, parts: dict[str, float] | None) -> None:
    rows = passage.parts([code], year)
    assert rows == ({code: pytest.approx(parts)} if parts else {})


RESTORED = [
    *((code, "15141", date(2016, 12, 1), 1.0) for code in ("15031", "15141", "15171", "15999")),
    *(("15141", code, date(2025, 1, 1), part) for code, part in (("15031", 0.2), ("15141", 0.7), ("15171", 0.1))),
    ("15998", "15031", date(2010, 1, 1), 1.0),
    ("02002", "02001", date(2016, 1, 1), 1.0),  # a merger, then a split into a third commune
    ("02001", "02001", date(2016, 1, 1), 1.0),
    *(("02001", code, date(2024, 1, 1), part) for code, part in (("02001", 0.75), ("02003", 0.25))),
]


@pytest.mark.parametrize(
    ("code", "year", "parts"),
    [
        pytest.param("15031", 2015, None, id="restored"),
        pytest.param("15141", 2015, None, id="restored, with the code of the commune nouvelle"),
        pytest.param("15998", 2005, {"15031": 1.0}, id="merged into a restored one"),
        pytest.param("15999", 2015, {"15141": 1.0}, id="not restored"),
        pytest.param("15141", 2018, {"15031": 0.2, "15141": 0.7, "15171": 0.1}, id="the commune nouvelle"),
        pytest.param("15999", None, {"15141": 1.0}, id="of an unknown year"),
        pytest.param("02002", 2015, {"02001": 0.75, "02003": 0.25}, id="the split restores nothing"),
        pytest.param("02001", 2015, {"02001": 0.75, "02003": 0.25}, id="nor the commune itself"),
    ],
)
def test_a_restored_commune_is_itself_again(code: str, year: int | None, parts: dict[str, float] | None) -> None:
    schema = {"code_ancien": pl.String, "code_commune": pl.String, "date_effet": pl.Date, "part": pl.Float64}
    in_force = ["15031", "15141", "15171", "02001", "02003"]
    rows = Passage(pl.DataFrame(RESTORED, schema=schema, orient="row"), in_force).parts([code], year)
    assert rows == ({code: pytest.approx(parts)} if parts else {})


def test_a_merger_that_is_undone_twice_comes_to_an_end() -> None:
    """Merged, restored, merged again."""
    changes = [
        ("01002", "01001", date(2016, 1, 1), 1.0),
        ("01001", "01001", date(2016, 1, 1), 1.0),
        ("01001", "01001", date(2020, 1, 1), 0.5),
        ("01001", "01002", date(2020, 1, 1), 0.5),
        ("01002", "01001", date(2025, 1, 1), 1.0),
        ("01001", "01001", date(2025, 1, 1), 1.0),
    ]
    schema = {"code_ancien": pl.String, "code_commune": pl.String, "date_effet": pl.Date, "part": pl.Float64}
    passage = Passage(pl.DataFrame(changes, schema=schema, orient="row"), ["01001"])
    assert passage.parts(["01001", "01002"], 2015) == {"01002": {"01001": 1.0}}


def test_a_commune_that_was_split_twice_is_followed() -> None:
    """A piece of the second split is joined to the rest of the first."""
    first, second = date(2010, 1, 1), date(2020, 1, 1)
    twice = passage_of(
        [
            ("01907", "01908", first, 0.6),
            ("01907", "01909", first, 0.4),
            ("01908", "01001", second, 0.5),
            ("01908", "01002", second, 0.5),
            ("01909", "01001", second, 1.0),
        ]
    )
    assert twice.parts(["01907"], None) == {"01907": pytest.approx({"01001": 0.7, "01002": 0.3})}


def sales(*rows: tuple[str | None, ...]) -> pl.LazyFrame:
    columns = ["code_commune", "nb_mutations", "prix_moyen"]
    return pl.LazyFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row").with_columns(
        pl.lit(None, pl.List(pl.String)).alias("codes_anciens")
    )


def brought(frame: pl.LazyFrame, passage: Passage, year: int | None = None) -> list[tuple[object, ...]]:
    table = tables()["mutations_immo_latest"]
    return bring_to_current(frame, table, "dvf_indicateurs_communes", passage, year).collect().rows()


def test_counts_add_up_and_means_are_weighted(passage: Passage) -> None:
    merged = [("01901", "40", "200000"), ("01001", "30", "100000"), ("01902", "7", "300000")]
    assert brought(sales(*merged, ("75056", "9", "1"), (None, "5", "1")), passage) == [
        ("75056", "9", "1", None),
        (None, "5", "1", None),
        ("01001", "77", "170130.0", ["01901", "01001", "01902"]),
    ]


def test_a_mean_has_the_decimals_of_the_file(passage: Passage) -> None:
    rows = sales(("01901", "1", "100"), ("01001", "2", "100.0"), ("01902", "4", "101"), ("75056", "9", "1.250"))
    assert ("01001", "7", "100.57", ["01902", "01001", "01901"]) in brought(rows, passage)


def test_a_mean_with_an_unknown_part_stays(passage: Passage) -> None:
    """The largest part's: a value or a weight is missing, or there are no sales at all."""
    assert brought(sales(("01901", "4", "100"), ("01001", "3", None)), passage)[0][2] == "100"
    assert brought(sales(("01901", None, "100"), ("01001", "3", "300")), passage)[0][2] == "300"
    assert brought(sales(("01901", "0", "100"), ("01001", "0", "300")), passage)[0][2] == "300"
    assert brought(sales(("01901", "1", "100"), ("01001", "0", "300")), passage)[0][2] == "100.0", "one sale suffices"
    assert brought(sales(("01901", "4", "viele"), ("01001", "3", "300")), passage)[0][2] == "viele"
    assert brought(sales(("01901", "4", "100"), ("01001", "3", "viele")), passage)[0][2] == "viele", "to be refused"
    assert brought(sales(("01901", "4", "100"), ("01001", "-8", "300")), passage)[0][2] == "100", "no weights"


def split_and_joined() -> Passage:
    """01002 is split, and 01904 is joined to the smaller part of it."""
    return passage_of([*CHANGES[3:5], ("01904", "01003", date(2024, 1, 1), 1.0)])


def test_a_mean_weighs_the_share_of_a_split_commune() -> None:
    assert brought(sales(("01002", "10", "500"), ("01904", "1", "100")), split_and_joined(), 2023) == [
        ("01002", "7", "500", ["01002"]),
        ("01003", "4", "400.0", ["01002", "01904"]),
    ]


@pytest.mark.parametrize(
    ("split", "joined", "order"), [("10", "4", ["01904", "01002"]), ("100", "10", ["01002", "01904"])]
)
def test_the_largest_part_is_first_by_its_share(split: str, joined: str, order: list[str]) -> None:
    """Of 10 sales, 3 are of the smaller part."""
    rows = brought(sales(("01002", split, "500"), ("01904", joined, "100")), split_and_joined(), 2023)
    assert {row[0]: row[3] for row in rows}["01003"] == order


def test_the_first_count_says_which_part_is_the_largest(passage: Passage) -> None:
    columns = ["code_commune", "nb_mutations", "nb_appartements"]
    frame = pl.LazyFrame([("01901", "6", "1"), ("01001", "2", "2")], schema=columns, orient="row")
    with_former = frame.with_columns(pl.lit(None, pl.List(pl.String)).alias("codes_anciens"))
    assert brought(with_former, passage) == [("01001", "8", "3", ["01901", "01001"])]


def test_of_equal_parts_the_one_with_the_same_code_is_first() -> None:
    """The others follow by their codes, wherever they are in the file."""
    others = ["01000", *(f"019{number}" for number in range(10, 40))]
    merged = passage_of([(code, "01001", date(2019, 1, 1), 1.0) for code in ("01001", *others)])
    rows = brought(sales(*((code, None, code) for code in reversed(others)), ("01001", None, "0")), merged)
    assert rows == [("01001", None, "0", ["01001", *others])]
    assert brought(sales(("01000", "1", "2")), merged) == [("01001", "1", "2", ["01000"])], "though nothing else came"


def test_nothing_known_is_less_than_0(passage: Passage) -> None:
    rows = brought(sales(("01001", None, "1"), ("01901", "0", "2")), passage)
    assert rows == [("01001", None, "2", ["01901", "01001"])]


def test_the_largest_communes_come_first() -> None:
    """Whatever the order of the file, the result has one order."""
    codes = [f"02{number:03}" for number in range(40)]
    renamed = passage_of([(code.replace("02", "03", 1), code, date(2019, 1, 1), 1.0) for code in codes], codes)
    given = [(code.replace("02", "03", 1), str(number), "1") for number, code in enumerate(codes)]
    assert [row[0] for row in brought(sales(*given), renamed)] == codes[::-1]


def test_shares_follow_their_counts_half_to_even(passage: Passage) -> None:
    columns = ["code_commune", "nb_mutations", "nb_maisons", "nb_appartements", "prop_maison", "prop_appart"]
    rows = [("01901", "6", "1", "5", "17", "83"), ("01001", "2", "0", "2", "0", "100")]
    frame = pl.LazyFrame(rows, schema=columns, orient="row").with_columns(
        pl.lit(None, pl.List(pl.String)).alias("codes_anciens")
    )
    result = bring_to_current(frame, tables()["mutations_immo_latest"], "dvf_indicateurs_communes", passage, None)
    assert result.collect().rows() == [("01001", "8", "1", "7", "12.0", "88.0", ["01901", "01001"])]


def test_a_split_commune_is_shared_out_by_population(passage: Passage) -> None:
    assert brought(sales(("01002", "10", "500")), passage, 2023) == [
        ("01002", "7", "500", ["01002"]),
        ("01003", "3", "500", ["01002"]),
    ]


def test_a_row_that_nothing_comes_to_is_as_published(passage: Passage) -> None:
    given = sales(("01901", "40", "200000"), ("01004", "007", "5"), ("01904", "1", "6"))
    assert ("01001", "40", "200000", ["01901"]) in brought(given, passage)
    assert brought(sales(("01004", "007", "5")), passage) == [("01004", "007", "5", None)]
    assert brought(sales(("01904", "007", "5")), passage) == [("01004", "007", "5", ["01904"])]


def test_rows_that_occur_twice_are_not_added_up(passage: Passage) -> None:
    given = sales(("01901", "40", "1"), ("01901", "41", "2"), ("01001", "30", "3"), ("01904", "5", "6"))
    assert sorted(brought(given, passage)) == [
        ("01001", "30", "3", None),
        ("01001", "40", "1", None),
        ("01001", "41", "2", None),
        ("01004", "5", "6", ["01904"]),
    ]
    alike = sales(("01901", "40", "2"), ("01901", "40", "1"))
    assert [row[2] for row in brought(alike, passage)] == ["2", "1"], "in the order of the file"


def test_a_hidden_value_is_not_0_and_text_stays_to_be_refused(passage: Passage) -> None:
    assert brought(sales(("01001", "30", "1"), ("01901", None, "2")), passage) == [
        ("01001", None, "1", ["01001", "01901"])
    ]
    assert brought(sales(("01001", "30", "1"), ("01901", "viele", "2")), passage) == [
        ("01001", "viele", "1", ["01001", "01901"])
    ]


@pytest.mark.parametrize("number", ["9" * 40, "1e400", "NaN", "-inf"])
def test_a_number_that_cannot_be_added_stays_to_be_refused(passage: Passage, number: str) -> None:
    for rows in ([("01001", "30", "1"), ("01901", number, "2")], [("01002", "30", "1"), ("01904", number, "2")]):
        assert number in [row[1] for row in brought(sales(*rows), passage)]


def test_a_code_that_leads_nowhere_stays(passage: Passage) -> None:
    given = sales(("01905", "3", "1"), ("01999", "4", "1"), (None, "5", "1"))
    assert brought(given, passage) == [("01905", "3", "1", None), ("01999", "4", "1", None), (None, "5", "1", None)]


def test_the_key_of_several_columns(passage: Passage) -> None:
    """Crime: years and indicators stay apart; typed columns keep their types."""
    frame = pl.LazyFrame(
        {
            "code_commune": ["01901", "01001", "01001"],
            "annee": ["2023", "2023", "2024"],
            "indicateur": ["a"] * 3,
            "nombre": [4, 6, 8],
            "taux_pour_mille": [1.5, 2.5, 3.5],
            "codes_anciens": [None, None, None],
        },
        schema_overrides={"codes_anciens": pl.List(pl.String)},
    )
    rows = bring_to_current(frame, tables()["criminalite_2024"], "ssmsi_communale", passage, None).collect()
    assert rows.schema == frame.collect_schema()
    assert rows.rows() == [
        ("01001", "2024", "a", 8, 3.5, None),
        ("01001", "2023", "a", 10, 2.5, ["01001", "01901"]),
    ]


def schools(frame: pl.LazyFrame, passage: Passage, year: int | None = None) -> list[tuple[object, ...]]:
    table = tables()["annuaire_education"]
    return bring_to_current(frame, table, "fr_en_annuaire_education", passage, year).collect().rows()


def test_the_commune_of_a_school_is_replaced(passage: Passage) -> None:
    """In its own column only."""
    codes, uais = ["01902", "01002", None], ["0010001A", "0010002B", "0010003C"]
    frame = pl.LazyFrame({"uai": uais, "code_commune": codes, "nom_etablissement": codes})
    replaced = ["01001", "01002", None]
    assert schools(frame, passage) == list(zip(uais, replaced, codes, strict=True))


def test_a_file_without_the_column_is_as_published(passage: Passage) -> None:
    assert schools(pl.LazyFrame({"uai": ["0010001A"]}), passage) == [("0010001A",)]


def test_a_school_of_a_split_commune_keeps_its_code() -> None:
    """No publisher says in which part it is; no part of 01910 has its code."""
    divided = passage_of([*CHANGES, *[("01910", code, date(2024, 1, 1), 0.5) for code in ("01003", "01004")]])
    frame = pl.LazyFrame({"uai": ["0010002B", "0010004D"], "code_commune": ["01002", "01910"]})
    assert schools(frame, divided, 2023) == [("0010002B", "01002"), ("0010004D", "01910")]


def crimes(*rows: tuple[str | None, ...]) -> pl.LazyFrame:
    """Rows of code, indicator, population, dwellings, number and rate."""
    columns = ["code_commune", "indicateur", "insee_pop", "insee_log", "nombre", "taux_pour_mille"]
    frame = pl.LazyFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    return frame.with_columns(pl.lit("2024").alias("annee"), pl.lit(None, pl.List(pl.String)).alias("codes_anciens"))


@pytest.mark.parametrize(
    ("rows", "merged"),
    [
        ([("01901", "a", "900", "300", "9", "10"), ("01001", "a", "4000", "2000", "2", "0.5")], ("11", "2.2")),
        (
            [
                ("01901", "Cambriolages de logement", "900", "300", "9", "30"),
                ("01001", "Cambriolages de logement", "4000", "2000", "2", "1.0000000"),
                ("01004", "a", "1", "1", "0", "0.00"),
                ("01003", "a", "8", "1", "1", "1.1250000"),
            ],
            ("11", "4.783"),
        ),
        (
            [
                ("01901", "Autres vols", "900", "300", "9", "10"),
                ("01001", "Autres vols", "4000", "2000", "2", "0.5"),
            ],
            ("11", "2.2"),
        ),
        ([("01901", "a", "900", "300", "viele", "10"), ("01001", "a", "4000", "2000", "2", "0.5")], ("viele", "0.5")),
        ([("01901", "a", "1", "0", "2", "5"), ("01001", "a", "0", "0", "0", None)], ("2", "2000.0")),
        ([("01901", "a", "-900", "300", "9", "10"), ("01001", "a", "400", "2000", "2", "0.5")], ("11", "0.5")),
        ([("01901", "a", "900", "300", None, None), ("01001", "a", "4000", "2000", "2", "0.5")], (None, "0.5")),
        ([("01901", "a", "900", "300", "9", "10"), ("01001", "a", "4000", "2000", None, None)], (None, None)),
        ([("01901", "a", "0", "0", "0", None), ("01001", "a", "0", "0", "0", None)], ("0", None)),
        ([("01901", "a", "900", "300", "9", "10"), ("01001", "a", "4000", "2000", "2", "viele")], ("11", "viele")),
    ],
)
def test_a_rate_of_crimes_follows_from_the_sums(
    passage: Passage, rows: list[tuple[str | None, ...]], merged: tuple[str | None, str | None]
) -> None:
    table = tables()["criminalite_2024"]
    result = bring_to_current(crimes(*rows), table, "ssmsi_communale", passage, None).collect()
    assert result.filter(code_commune="01001").select("nombre", "taux_pour_mille").rows() == [merged]


def test_the_rate_of_a_split_commune_is_as_published(passage: Passage) -> None:
    frame = crimes(("01002", "a", "1001", "300", "9", "8.9910090"))
    rows = bring_to_current(frame, tables()["criminalite_2024"], "ssmsi_communale", passage, 2023).collect()
    assert rows["taux_pour_mille"].to_list() == ["8.9910090"] * 2


def contours(codes: list[str], shapes: list[str]) -> pl.LazyFrame:
    """A file of contours; the communes are named by their codes."""
    return pl.LazyFrame(
        {"code_commune": codes, "nom_commune": codes, "geometry": shapes, "codes_anciens": [None for _ in codes]},
        schema_overrides={"codes_anciens": pl.List(pl.String)},
    )


def united(frame: pl.LazyFrame, passage: Passage, year: int | None = None) -> list[dict[str, Any]]:
    """The rows of the contours."""
    rows = bring_to_current(frame, tables()["commune_boundaries"], "contours_communes", passage, year)
    return rows.collect().to_dicts()


@pytest.mark.parametrize("contour", ["00", "zz"])
def test_an_unreadable_contour_stays_to_be_refused(passage: Passage, contour: str) -> None:
    whole = shapely.to_wkb(shapely.box(0, 45, 1, 46), hex=True)
    (merged,) = united(contours(["01901", "01001"], [contour, whole]), passage)
    assert merged["geometry"] is None
    (alone,) = united(contours(["01904"], [contour]), passage)
    assert (alone["code_commune"], alone["geometry"]) == ("01004", contour)


def test_contours_are_united(passage: Passage) -> None:
    west, east = shapely.box(0, 45, 1, 46), shapely.box(1, 45, 2, 46)
    shapes = [shapely.to_wkb(shape, hex=True) for shape in (west, east)]
    (row,) = united(contours(["01901", "01001"], shapes), passage)
    assert (row["code_commune"], row["nom_commune"]) == ("01001", "01001")
    assert row["codes_anciens"] == ["01001", "01901"]
    assert shapely.from_wkb(row["geometry"]).equals(shapely.union(west, east))


@pytest.mark.parametrize(
    ("codes", "year", "expected"),
    [
        (["01002", "01003"], 2023, {"01002": True, "01003": True}),  # after the split, whatever the catalogue says
        (["01002", "01003", "01907"], None, {"01002": True, "01003": True, "01907": True}),
        (["01002"], 2023, {"01002": False, "01003": False}),
    ],
)
def test_a_contour_is_not_divided(codes: list[str], year: int | None, expected: dict[str, bool]) -> None:
    """01907 went into 01002, which was split later; whether each contour is known afterwards."""
    later_split = passage_of([*CHANGES, ("01907", "01002", date(2018, 9, 28), 1.0)])
    shapes = [shapely.to_wkb(shapely.box(number, 45, number + 1, 46), hex=True) for number in range(len(codes))]
    rows = united(contours(codes, shapes), later_split, year)
    assert {row["code_commune"]: row["geometry"] is not None for row in rows} == expected


def test_the_year_of_a_files_communes() -> None:
    crime, census = files_by_parameter()["ssmsi_communale"], files_by_parameter()["insee_rp__logement"]
    assert year_of(crime, "donnee-data.gouv-2025-geographie2026-produit-le2026-06-25.csv.gz") == 2026
    assert year_of(crime, "another.csv") is None
    assert year_of(census, "base-cc-logement-2021_csv.zip") == 2024
    assert year_of(files_by_parameter()["dvf_indicateurs_communes"], "communesdvf2024.csv") is None
