"""Corrections: what is put right and what is left alone, what is reported, and the texts for typing errors."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

from edu_pipeline.errors import CorrectionInvalid
from edu_pipeline.loading.corrections import (
    Correction,
    as_recorded,
    correct,
    corrections,
    corrections_for,
    read_corrections,
)

TABLE, FILE = "mutations_immo_latest", "dvf_indicateurs_communes"
ENTRY = {"table": TABLE, "file": FILE, "column": "prix_moyen", "reason": "A digit too many.", "reported": "nowhere"}
BOURG = {"key": {"code_commune": "01053"}, "wrong": "1943320", "right": "194332"}
SWAP = {
    "column": "prop_maison",
    "swap_with": "prop_appart",
    "where": "annee = '2024'",
    "witnesses": "TRY_CAST(nb_maisons AS DOUBLE) > 0 AND nb_appartements = '0'",
    "expect": "prop_maison = '0'",
}


def correction(**fields: Any) -> Correction:
    return Correction(**(ENTRY | fields))


def sales(*rows: tuple[str | None, ...]) -> pl.LazyFrame:
    names = ["code_commune", "annee", "nb_maisons", "nb_appartements", "prop_maison", "prop_appart", "prix_moyen"]
    return pl.LazyFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def toml(**fields: Any) -> str:
    lines = []
    for name, value in (ENTRY | fields).items():
        inside = ", ".join(f'{key} = "{one}"' for key, one in value.items()) if isinstance(value, dict) else ""
        lines.append(f"{name} = {{ {inside} }}" if inside else f'{name} = "{value}"')
    return "\n".join(["[[correction]]", *lines])


ROWS = sales(
    ("01053", "2024", "4", "0", "0", "100", "1943320"),
    ("01004", "2024", "1", "3", "75", "25", "1943320"),
    (None, "2024", None, None, None, None, None),
)


def test_a_wrong_value_is_replaced_in_its_row_and_in_no_other() -> None:
    frame, (applied,) = correct(ROWS, [correction(**BOURG)])
    assert frame.collect()["prix_moyen"].to_list() == ["194332", "1943320", None]
    assert (applied.rows, applied.text) == (1, "prix_moyen set to '194332' in 1 rows. A digit too many.")


def test_a_value_fixed_upstream_stays_and_is_reported() -> None:
    fixed = ROWS.with_columns(prix_moyen=pl.lit("194333"))
    frame, (applied,) = correct(fixed, [correction(**BOURG)])
    assert frame.collect().equals(fixed.collect())
    assert applied.rows == 0
    assert f"{FILE} no longer has the error that corrections.toml expects in prix_moyen" in applied.text
    assert "remove the correction" in applied.text


def test_an_empty_text_stands_for_nothing() -> None:
    gone, (first,) = correct(ROWS, [correction(**BOURG | {"right": ""})])
    back, (second,) = correct(gone, [correction(**BOURG | {"wrong": "", "right": "7"})])
    assert (first.rows, second.rows) == (1, 1)
    assert gone.collect()["prix_moyen"].to_list() == [None, "1943320", None]
    assert back.collect()["prix_moyen"].to_list() == ["7", "1943320", None]


def test_columns_are_swapped_in_the_rows_of_a_file_that_shows_it() -> None:
    other_year = sales(("01001", "2023", "2", "0", "100", "0", "1"))
    frame, (applied,) = correct(pl.concat([ROWS, other_year]), [correction(**SWAP)])
    shares = frame.select("prop_maison", "prop_appart").collect().rows()
    assert shares == [("100", "0"), ("25", "75"), (None, None), ("100", "0")]
    assert applied.rows == 3


@pytest.mark.parametrize(
    "row",
    [("01001", "2024", "2", "0", "100", "0", "1"), ("01053", "2024", "2", "0", None, None, "1")],
    ids=["a witness against it", "no witness that says anything"],
)
def test_columns_stay_where_the_file_does_not_show_the_swap(row: tuple[str | None, ...]) -> None:
    sound = pl.concat([ROWS.slice(1), sales(row)])
    if row[4] is not None:
        sound = pl.concat([ROWS, sales(row)])
    frame, (applied,) = correct(sound, [correction(**SWAP)])
    assert applied.rows == 0
    assert frame.collect().equals(sound.collect())


def test_a_correction_sees_what_those_before_it_made() -> None:
    again = correction(**BOURG | {"wrong": "194332", "right": "1"})
    frame, applied = correct(ROWS, [correction(**BOURG), again])
    assert [one.rows for one in applied] == [1, 1]
    assert frame.collect()["prix_moyen"][0] == "1"


def test_a_file_without_the_column_has_nothing_to_correct() -> None:
    frame, (applied,) = correct(ROWS.drop("annee"), [correction(**SWAP)])
    assert applied.rows == 0
    assert "annee" not in frame.collect_schema()


def test_without_corrections_the_frame_is_not_even_looked_at() -> None:
    def fail(rows: pl.DataFrame) -> pl.DataFrame:
        raise AssertionError("read")

    unread = ROWS.map_batches(fail, schema=ROWS.collect_schema())
    frame, applied = correct(unread, corrections_for("info_communes"))
    assert frame is unread
    assert applied == ()


def test_the_first_is_that_of_the_property_sales() -> None:
    (swap,) = corrections_for(TABLE)
    assert (swap.column, swap.swap_with, swap.where) == ("prop_maison", "prop_appart", "annee = '2024'")
    assert corrections_for(TABLE, FILE) == (swap,)
    assert corrections_for(TABLE, "another_file") == ()


def test_what_the_ledger_keeps_says_the_same() -> None:
    (swap,) = corrections_for(TABLE)
    assert swap.name.startswith(f"{FILE}.prop_maison where annee = '2024': In communesdvf2024.csv")
    assert correction(**BOURG).name == f"{FILE}.prix_moyen where code_commune = '01053': A digit too many."
    _, applied = correct(ROWS, [swap])
    assert as_recorded(TABLE, {one.correction.name: one.rows for one in applied}) == applied
    assert as_recorded(TABLE, {"of an entry that is gone": 0}) == ()


def test_every_entry_of_the_file_is_sound() -> None:
    corrections.cache_clear()
    assert corrections()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (toml(**BOURG, table="mutations_imo"), r"correction 1 \(mutations_imo\): expected the name of a table, found"),
        (toml(**BOURG, file="insee_rp"), rf"expected a file that the table reads \({FILE}\), found 'insee_rp'"),
        (
            toml(**BOURG, column="prix"),
            rf"takes from {FILE} \(code_commune, annee, .*prix_moyen.*\), found prix\. Fix",
        ),
        (toml(**BOURG | {"key": {"insee_com": "01053"}}), r"found insee_com\."),
        (toml(**SWAP | {"where": "anne = 2024"}), r"found anne\."),
        (toml(**SWAP | {"where": "annee = = 2"}), r"expected conditions in SQL, found: .*annee = = 2"),
        (toml(**SWAP | {"swap_with": "prop_apart"}), r"found prop_apart\."),
        (toml(**BOURG, colum="prix_moyen"), r"colum: Extra inputs are not permitted"),
        (toml(**BOURG, swap_with="annee"), r"exactly one of right and swap_with"),
        (toml(**BOURG | {"right": "1943320"}), r"wrong and right are the same"),
        (toml(right="1", wrong="2"), r"say in which rows"),
        (toml(right="1", where="annee = '2024'"), r"say what it expects to find"),
        (toml(**BOURG, witnesses="annee = '2024'"), r"witnesses and expect go together"),
        ("[[correction]]\n", r"table: Field required"),
        ("[[corection]]\n", r"expected \[\[correction\]\] entries only, found corection"),
        ("correction = 7 7", r"CorrectionInvalid: corrections\.toml: expected TOML, found: "),
    ],
)
def test_a_typing_error_has_a_text_that_says_where(text: str, expected: str) -> None:
    with pytest.raises(CorrectionInvalid) as failure:
        read_corrections(text)
    assert re.search(expected, str(failure.value), re.DOTALL), str(failure.value)


def test_a_sound_entry_is_read() -> None:
    assert read_corrections(toml(**BOURG)) == (correction(**BOURG),)
