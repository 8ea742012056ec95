"""passage_communes: on a few literal rows, and on the publishers' real files."""

import datetime
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.assets.reference.passage_communes import passage_communes
from edu_pipeline.catalogue import File
from edu_pipeline.table import RELEASE, tables
from edu_pipeline_tests.assets.inputs import taken_in
from edu_pipeline_tests.conformed import conform, transformed
from edu_pipeline_tests.real_files import csv_rows, made_from, produced, real_file, upstream

CHANGE = ("code_ancien", "code_commune", "date_effet", "nature", "part")


def passage_rows(*rows: tuple[str | None, ...]) -> pl.LazyFrame:
    columns = ["code_ancien", "code_commune", "date_effet", "nature", "part"]
    frame = pl.LazyFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    return frame.with_columns(geo_ini=pl.lit("2015"), geo_fin=pl.lit("2016"), vintage=pl.lit(None, pl.String))


def test_natures_and_dates_of_the_table_of_changes() -> None:
    rows = passage_rows(
        ("26091", "26091", "2002-01-01", "f", "1.0"),
        ("26158", "26091", "2002-01-01", "f", "1.0"),
        ("10054", "10038", "2000-01-01", "d", "0.314031180400891"),
        ("27676", "27058", "01/01/2021", "c", "1.0"),
        ("01001", "01002", "31/12/2019", "x", "1.0"),
    )
    result = conform(passage_communes(rows), tables()["passage_communes"])
    assert result.frame.select(*CHANGE).rows() == [
        ("26091", "26091", datetime.date(2002, 1, 1), "fusion", 1.0),
        ("26158", "26091", datetime.date(2002, 1, 1), "fusion", 1.0),
        ("10054", "10038", datetime.date(2000, 1, 1), "scission", 0.314031180400891),
        ("27676", "27058", datetime.date(2021, 1, 1), "changement de code", 1.0),
    ]
    assert result.refused["key"].to_list() == ["01001 / 01002 / 2019-12-31"]


def test_the_table_de_passage_adds_codes_that_nothing_explains(tmp_path: Path) -> None:
    """INSEE's workbook, as CSV: it has neither days nor kinds, which the movements have."""
    path = tmp_path / "table_passage_geo2003_geo2026.csv"
    lines = ["CODGEO_INI,CODGEO_2026,LIBGEO_2026", "01001,01001,A", "01901,01001,A", "01902,01001,A", "01903,01001,A"]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    movements = movement_rows(("32", "2016-01-01", "COM", "01901", "COM", "01001"))
    cog = pl.LazyFrame({"typecom": ["COM", "COMD"], "com": ["01001", "01902"], "comparent": ["", "01001"]})
    inputs = {
        "insee_table_passage": taken_in("passage_communes", "insee_table_passage", path, tmp_path),
        "insee_cog": cog.with_columns(vintage=pl.lit("2026")),
        "insee_cog__mouvements": movements,
        "geo_api_communes": pl.LazyFrame({"code": ["01001"], "population": ["9"]}),
    }
    result = transformed(tables()["passage_communes"], inputs)
    assert result.refused.is_empty()
    assert sorted(result.frame.select("code_ancien", "code_commune", "date_effet", "nature").rows()) == [
        ("01901", "01001", datetime.date(2016, 1, 1), "fusion"),
        ("01902", "01001", datetime.date(2026, 1, 1), "fusion"),
        ("01903", "01001", datetime.date(2026, 1, 1), "fusion"),
    ]
    assert result.balance.files["insee_table_passage"]["the code has not changed"] == 1


def test_a_list_of_changes_counts_when_codes_alone_have_come_since() -> None:
    """INSEE's shares of a split are kept."""
    shares = [("01001", "01001", "2024-01-01", "d", "0.9"), ("01001", "01002", "2024-01-01", "d", "0.1")]
    codes = passage_rows(("01001", "01001", *[None] * 3)).with_columns(vintage=pl.lit("2026"))
    movements = movement_rows(*[("21", "2024-01-01", "COM", "01001", "COM", code) for code in ("01001", "01002")])
    people = pl.LazyFrame({"code": ["01001", "01002"], "population": ["5", "5"]})
    result = conform(
        passage_communes(of_releases(codes, passage_rows(*shares)), None, movements, people),
        tables()["passage_communes"],
    )
    assert sorted(result.frame.select("code_commune", "part", "part_estimee").rows()) == [
        ("01001", 0.9, False),
        ("01002", 0.1, False),
    ]


def movement_rows(*rows: tuple[str | None, str, str, str, str, str]) -> pl.LazyFrame:
    columns = ["mod", "date_eff", "typecom_av", "com_av", "typecom_ap", "com_ap"]
    return pl.LazyFrame(rows, schema=columns, orient="row")


def test_later_movements_and_communes_deleguees_are_added() -> None:
    table = passage_rows(("26158", "26091", "2024-01-01", "f", "1.0"), ("26091", "26091", "2024-01-01", "f", "1.0"))
    movements = movement_rows(
        ("32", "2025-01-01", "COM", "01901", "COM", "01001"),
        ("32", "2025-01-01", "COM", "01001", "COM", "01001"),
        ("32", "2025-01-01", "COM", "01901", "COMD", "01901"),
        ("21", "2026-01-01", "COM", "01002", "COM", "01002"),
        ("21", "2026-01-01", "COM", "01002", "COM", "01003"),
        ("10", "2025-06-01", "COM", "01004", "COM", "01004"),
        ("41", "2025-02-01", "COM", "38999", "COM", "01005"),
        ("32", "2019-01-01", "COM", "01910", "COM", "01001"),
    )
    listed = [
        ("COM", "01001", ""),
        ("COMD", "01001", "01001"),
        ("COMD", "01901", "01001"),
        ("COMA", "01910", "01001"),
        ("COMD", "26158", "26091"),
    ]
    cog = pl.LazyFrame(listed, schema=["typecom", "com", "comparent"], orient="row").with_columns(
        vintage=pl.lit("2026")
    )
    people = pl.LazyFrame({"code": ["01001", "01002", "01003"], "population": ["9", "300", "100"]})
    result = conform(passage_communes(table, cog, movements, people), tables()["passage_communes"])
    assert result.refused.is_empty()
    day = datetime.date
    assert set(result.frame.select(*CHANGE).rows()) == {
        ("26158", "26091", day(2024, 1, 1), "fusion", 1.0),
        ("26091", "26091", day(2024, 1, 1), "fusion", 1.0),
        ("01901", "01001", day(2025, 1, 1), "fusion", 1.0),
        ("01001", "01001", day(2025, 1, 1), "fusion", 1.0),
        ("01002", "01002", day(2026, 1, 1), "scission", 0.75),
        ("01002", "01003", day(2026, 1, 1), "scission", 0.25),
        ("38999", "01005", day(2025, 2, 1), "changement de code", 1.0),
        ("01910", "01001", day(2026, 1, 1), "fusion", 1.0),
    }


@pytest.mark.parametrize("wrong", ["2099-01-01", "inconnue", "31/12/9999"])
def test_a_wrong_day_hides_no_movement(wrong: str) -> None:
    table = passage_rows(("26158", "26091", "2024-01-01", "f", "1.0"), ("01990", "01991", wrong, "f", "1.0"))
    movements = movement_rows(
        ("32", "2025-01-01", "COM", "01901", "COM", "01001"), ("32", "00/13/2025", "COM", "01902", "COM", "01001")
    )
    people = pl.LazyFrame({"code": ["01001"], "population": ["9"]})
    result = conform(passage_communes(table, None, movements, people), tables()["passage_communes"])
    assert ("01901", "01001") in result.frame.select("code_ancien", "code_commune").rows()
    assert "01902 / 01001 / 00/13/2025" in result.refused["key"].to_list(), (
        "a movement without a day is refused, not left out"
    )


@pytest.mark.parametrize("mod", ["<5", "000≤4", "3", None])
def test_a_movement_of_an_unreadable_kind_is_refused(mod: str | None) -> None:
    """It is no merger, and the list of communes does not take its place."""
    movements = movement_rows(
        ("32", "2025-01-01", "COM", "01901", "COM", "01001"), (mod, "2025-01-01", "COM", "38999", "COM", "01005")
    )
    cog = cog_rows("2026", ("COM", "01001", ""), ("COM", "01005", ""), ("COMD", "38999", "01005"))
    people = pl.LazyFrame({"code": ["01001", "01005"], "population": ["9", "9"]})
    result = conform(passage_communes(passage_rows(), cog, movements, people), tables()["passage_communes"])
    assert result.frame.select("code_ancien", "nature").rows() == [("01901", "fusion")]
    assert result.refused["reasons"].to_list() == [
        [f"mod: expected a kind of movement, two digits, found {mod or 'nothing'}"]
    ]


def test_a_code_that_cannot_be_read_makes_no_former_commune() -> None:
    """The list of communes has 01025 as a commune and as a commune déléguée of it; a spreadsheet lost the former."""
    cog = cog_rows("2025", ("COM", "#REF!", ""), ("COMD", "01025", "01025"), ("COMD", "01144", "01025"))
    inputs = {"insee_table_passage": passage_rows(("26158", "26091", "2016-01-01", "f", "1.0")), "insee_cog": cog}
    result = transformed(tables()["passage_communes"], inputs)
    assert sorted(result.frame["code_ancien"]) == ["01144", "26158"]
    assert result.balance.files["insee_cog"]["unknown word in com"] == 1


def test_a_refused_change_does_not_come_back_from_the_list() -> None:
    table = passage_rows(("26158 (p)", "26091", "2016-01-01", "f", "1.0"))
    cog = pl.LazyFrame(
        [("COM", "26091", ""), ("COMD", "26158", "26091"), ("COMD", "01901", "01001")],
        schema=["typecom", "com", "comparent"],
        orient="row",
    ).with_columns(vintage=pl.lit("2025"))
    result = conform(passage_communes(table, cog), tables()["passage_communes"])
    assert result.frame["code_ancien"].to_list() == ["01901"]
    assert result.refused["key"].to_list() == ["26158 (p) / 26091 / 2016-01-01"]


def of_releases(*frames: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of all releases, newest first, as a transform receives them."""
    numbered = [frame.with_columns(pl.lit(number).alias(RELEASE)) for number, frame in enumerate(frames)]
    return pl.concat(numbered, how="diagonal_relaxed")


def cog_rows(vintage: str, *rows: tuple[str, str, str]) -> pl.LazyFrame:
    frame = pl.LazyFrame(rows, schema=dict.fromkeys(["typecom", "com", "comparent"], pl.String), orient="row")
    return frame.with_columns(vintage=pl.lit(vintage))


def test_what_earlier_releases_said_of_lost_codes_is_kept() -> None:
    """Codes 019xx are gone; the newest files explain 01901 and 01905, and 01002 is in force again."""
    merged = ("2019-01-01", "f", "1.0")
    table = of_releases(
        passage_rows(("01901", "01001", *merged)),
        passage_rows(("01902", "01001", *merged), ("01901", "01999", *merged), ("01002", "01001", *merged)),
        passage_rows(("01902", "01999", *merged)),
    )
    movements = of_releases(
        movement_rows(),
        movement_rows(
            ("32", "2025-01-01", "COM", "01903", "COM", "01003"),
            ("32", "2025-01-01", "COM", "01902", "COM", "01003"),
            ("21", "2025-01-01", "COM", "01906", "COM", "01001"),
            ("21", "2025-01-01", "COM", "01906", "COM", "01003"),
            ("32", "2025-01-01", "COM", "01002", "COM", "01003"),
        ),
        movement_rows(("32", "2024-06-01", "COM", "01903", "COM", "01001")),
    )
    cog = of_releases(
        cog_rows("2026", ("COM", "01001", ""), ("COM", "01002", ""), ("COMD", "01905", "01001")),
        cog_rows("2025", ("COMD", "01904", "01001"), ("COMD", "01905", "01003"), ("COMD", "01903", "01001")),
        cog_rows("2024", ("COM", "01904", ""), ("COM", "01907", ""), ("COMD", "01904", "01003")),
    )
    people = pl.LazyFrame({"code": ["01001", "01002", "01003"], "population": ["300", "1", "100"]})
    result = conform(passage_communes(table, cog, movements, people), tables()["passage_communes"])
    assert result.refused.is_empty()
    in_2019, in_2025, in_2026 = (datetime.date(year, 1, 1) for year in (2019, 2025, 2026))
    assert sorted(result.frame.select(*CHANGE).rows()) == [
        ("01901", "01001", in_2019, "fusion", 1.0),
        ("01902", "01001", in_2019, "fusion", 1.0),
        ("01903", "01003", in_2025, "fusion", 1.0),
        ("01904", "01001", in_2025, "fusion", 1.0),
        ("01905", "01001", in_2026, "fusion", 1.0),
        ("01906", "01001", in_2025, "scission", 0.75),
        ("01906", "01003", in_2025, "scission", 0.25),
    ]
    without_lists = passage_communes(of_releases(passage_rows(), passage_rows(("01902", "01001", *merged))))
    assert conform(without_lists, tables()["passage_communes"]).frame.is_empty(), "nobody knows what is in force"


def test_real_movements_of_an_earlier_release_are_kept(tmp_path: Path) -> None:
    """The newest release lacks the optional file; the release before had it."""
    files = {parameter: real_file(file) for parameter, file in tables()["passage_communes"].files.items()}
    inputs = {name: taken_in("passage_communes", name, path, tmp_path) for name, path in files.items() if path}
    assert len(inputs) == len(files) == 4
    inputs["insee_cog__mouvements"] = inputs["insee_cog__mouvements"].with_columns(pl.lit(1).alias(RELEASE))
    kept = conform(passage_communes(**inputs), tables()["passage_communes"]).frame
    in_force = produced("info_communes").frame["code_commune"].implode()
    lost = (pl.col("code_ancien") != pl.col("code_commune")) & ~pl.col("code_ancien").is_in(in_force)
    assert kept.filter(lost).sort(*CHANGE[:3]).equals(real_passage().filter(lost).sort(*CHANGE[:3]))


def test_equal_shares_of_a_split_are_a_placeholder() -> None:
    """Three splits: with equal shares, with INSEE's own, and with parts of which one is gone; and a merger."""
    rows = passage_rows(
        ("01010", "01010", "01/01/2024", "d", "0.5"),
        ("01010", "01011", "01/01/2024", "d", "0.5"),
        ("01020", "01020", "01/01/2024", "d", "0.4"),
        ("01020", "01011", "01/01/2024", "d", "0.6"),
        ("01030", "01030", "2003-01-01", "d", "0.5"),
        ("01030", "01999", "2003-01-01", "d", "0.5"),
        ("01040", "01011", "2003-01-01", "f", "1.0"),
    )
    codes = ["01010", "01011", "01020", "01030"]
    people = pl.LazyFrame({"code": codes, "population": ["339", "542", "7", "8"]})
    result = conform(passage_communes(rows, None, None, people), tables()["passage_communes"])
    assert result.refused.is_empty()
    shares = result.frame.select("code_ancien", pl.col("part").round(4), "part_estimee")
    assert shares.sort("code_ancien", "part").rows() == [
        ("01010", 0.3848, True),
        ("01010", 0.6152, True),
        ("01020", 0.4, False),
        ("01020", 0.6, False),
        ("01030", 0.5, False),
        ("01030", 0.5, False),
        ("01040", 1.0, False),
    ]


def test_real_shares_of_2024_are_by_population() -> None:
    frame = real_passage().filter("part_estimee", pl.col("date_effet") == datetime.date(2024, 1, 1))
    assert frame.select("code_ancien", "code_commune", pl.col("part").round(2)).rows() == [
        ("60054", "60054", 0.38),
        ("60054", "60694", 0.62),
        ("85084", "85084", 0.72),
        ("85084", "85165", 0.13),
        ("85084", "85212", 0.14),
    ]


def test_a_split_without_populations_is_refused() -> None:
    movements = movement_rows(*(("21", "2026-01-01", "COM", "01002", "COM", code) for code in ("01002", "01003")))
    people = pl.LazyFrame({"code": ["01002"], "population": ["300"]})
    result = conform(passage_communes(passage_rows(), None, movements, people), tables()["passage_communes"])
    assert result.refused["reasons"].to_list() == [["part: expected a value, found nothing"]] * 2


TABLE_OF_CHANGES, MOVEMENTS, COG = (
    ("insee-table-passage/passage_1999_2024.csv", ","),
    ("insee-cog/v_mvt_commune_2026.csv", ","),
    ("insee-cog/v_commune_2025.csv", ","),
)
COG_2024 = ("insee-bassins-de-vie/table_appartenance_2024.csv", ",")
RENAMED = "10"
IN_2025 = datetime.date(2025, 1, 1)


def real_passage(with_movements: bool = True) -> pl.DataFrame:
    """The table made from the real files, in the order of its key; nothing is refused."""

    def find(file: File) -> Path | None:
        return real_file(file) if with_movements or file.part != "mouvements" else None

    result = produced("passage_communes") if with_movements else made_from("passage_communes", find, produced)
    assert result.refused.is_empty()
    return result.frame.sort("code_ancien", "date_effet", "code_commune")


def real_movements() -> list[dict[str, str]]:
    """INSEE's movements from commune to commune that are more than a new name."""
    rows = csv_rows(*MOVEMENTS)
    return [row for row in rows if (row["TYPECOM_AV"], row["TYPECOM_AP"]) == ("COM", "COM") and row["MOD"] != RENAMED]


def real_former_communes() -> dict[str, str]:
    """The communes déléguées and associées with a code of their own, and the communes they are part of."""
    rows = list(csv_rows(*COG))
    in_force = {row["COM"] for row in rows if row["TYPECOM"] in ("COM", "ARM")}
    parents = {row["COM"]: row["COMPARENT"] for row in rows if row["TYPECOM"] in ("COMD", "COMA")}
    return {code: parent for code, parent in parents.items() if code not in in_force}


def changed_in_table() -> set[str]:
    """The codes that INSEE's table of changes replaces by another one."""
    return {row["cod_ini"] for row in csv_rows(*TABLE_OF_CHANGES) if row["cod_ini"] != row["cod_fin"]}


def test_all_real_changes() -> None:
    rows = list(csv_rows(*TABLE_OF_CHANGES))
    frame = real_passage().filter(pl.col("geo_ini").is_not_null())
    assert frame.height == len(rows) == 2724
    assert dict(frame["nature"].value_counts().rows()) == {"fusion": 2660, "scission": 61, "changement de code": 3}
    assert frame.filter(pl.col("code_ancien") == pl.col("code_commune")).height == 896
    assert frame["date_effet"].min() == min(
        datetime.date.fromisoformat(row["annee"]) for row in rows if "-" in row["annee"]
    )
    assert frame["date_effet"].max() == datetime.date(2024, 1, 1)
    shares: dict[tuple[str, str], float] = defaultdict(float)
    for row in rows:
        shares[row["cod_ini"], row["annee"]] += float(row["ratio"])
    totals = frame.group_by("code_ancien", "date_effet").agg(pl.col("part").sum())
    assert totals.height == len(shares)
    assert ((totals["part"] - 1).abs() < 1e-9).all()


def test_all_real_movements() -> None:
    movements = real_movements()
    populations = dict(produced("info_communes").frame.select("code_commune", "population").iter_rows())
    of_split = ["15031", "15035", "15047", "15141", "15171"]
    people = sum(populations[code] for code in of_split)
    expected = {(row["COM_AV"], row["COM_AP"], IN_2025, "fusion", 1.0) for row in movements if row["MOD"] == "32"}
    expected |= {("15141", code, IN_2025, "scission", populations[code] / people) for code in of_split}
    expected |= {("49069", "49126", IN_2025, "changement de code", 1.0)}
    assert Counter(row["MOD"] for row in movements) == {"32": 110, "21": 5, "50": 1}
    frame = real_passage().filter(pl.col("geo_ini").is_null(), pl.col("geo_fin").is_null())
    assert set(frame.select(*CHANGE).rows()) == expected
    assert frame.height == len(movements) == 116


def test_all_real_communes_deleguees_and_associees() -> None:
    frame = real_passage().filter(pl.col("geo_ini").is_null(), pl.col("geo_fin").is_not_null())
    moved = {row["COM_AV"] for row in real_movements() if row["COM_AV"] != row["COM_AP"]}
    known = changed_in_table() | moved
    expected = {
        (code, parent, IN_2025, "fusion", 1.0) for code, parent in real_former_communes().items() if code not in known
    }
    assert set(frame.select(*CHANGE).rows()) == expected
    assert frame.height == 535


def test_no_real_code_of_2024_is_lost() -> None:
    """Eight are neither commune déléguée nor associée: only the movements say where they went."""
    in_2024 = {row["CODGEO"] for row in csv_rows(*COG_2024) if row["CODGEO"]}
    in_force = {row["COM"] for row in csv_rows(*COG) if row["TYPECOM"] == "COM"}
    gone = in_2024 - in_force
    assert len(gone) == 68

    def successors(frame: pl.DataFrame) -> dict[str, str]:
        later = frame.filter(pl.col("code_ancien").is_in(list(gone)), pl.col("date_effet") == IN_2025)
        assert later.select("code_ancien").is_unique().all()
        return dict(later.select("code_ancien", "code_commune").iter_rows())

    with_movements, without = successors(real_passage()), successors(real_passage(with_movements=False))
    assert with_movements.keys() == gone
    assert set(with_movements.values()) <= in_force
    only_in_movements = {code: with_movements[code] for code in gone - without.keys()}
    assert only_in_movements == {
        "02311": "02589",
        "08300": "08439",
        "16238": "16023",
        "25297": "25364",
        "26371": "26289",
        "42072": "42217",
        "71131": "71566",
        "72287": "72155",
    }


def test_without_movements_the_other_rows_stay_the_same() -> None:
    frame, without = real_passage(), real_passage(with_movements=False)
    from_table = pl.col("geo_ini").is_not_null()
    assert without.filter(from_table).equals(frame.filter(from_table))
    known = changed_in_table()
    former = {
        (code, parent, IN_2025, "fusion", 1.0) for code, parent in real_former_communes().items() if code not in known
    }
    assert set(without.filter(~from_table).select(*CHANGE).rows()) == former
    assert without.height == 2724 + len(former) == 3316


def test_movements_are_read_with_the_real_line_ends(tmp_path: Path) -> None:
    """The excerpt has LF, the real file CRLF."""
    excerpt = upstream() / MOVEMENTS[0]
    text = excerpt.read_bytes()
    assert b"\r" not in text
    path = tmp_path / excerpt.name
    path.write_bytes(text.replace(b"\n", b"\r\n"))
    parameter = "insee_cog__mouvements"
    lf, crlf = (taken_in("passage_communes", parameter, file, tmp_path).collect() for file in (excerpt, path))
    assert crlf.equals(lf)
    assert crlf.height == 297
