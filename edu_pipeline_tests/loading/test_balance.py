"""Every row of every file is accounted for: what the ledger says of it, and which balance stops a load."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from edu_pipeline import table as registry
from edu_pipeline.errors import EduError, FileShrank, NoRows, NothingFound, RowsUnaccounted
from edu_pipeline.loading.balance import Balance
from edu_pipeline.parts import Parts
from edu_pipeline.sectors.addresses import of_communes
from edu_pipeline_tests.stand_in import StandIn, sale

TABLE = "mutations_immo_latest"
ACADEMIES = "code_departement;departement;code_academie;academie;code_region_academique;region_academique;derived_from"


def put_academies(stand_in: StandIn, *rows: str) -> None:
    stand_in.put("departement-academie", "departement_academie.csv", "\n".join([ACADEMIES, *rows, ""]))


def error_of(stand_in: StandIn, name: str, kind: type[EduError]) -> str:
    with pytest.raises(kind) as caught:
        stand_in.load(name)
    failed = stand_in.failed(name)
    assert failed is not None and failed.error == str(caught.value)
    return str(caught.value)


def change_transform(monkeypatch: pytest.MonkeyPatch, name: str, transform: Callable[..., pl.LazyFrame]) -> None:
    table = registry.tables()[name]
    functools.update_wrapper(transform, table.transform, updated=(), assigned=("__name__", "__module__"))
    del transform.__dict__["__wrapped__"]
    monkeypatch.setitem(registry.tables(), name, replace(table, transform=transform))


def test_merged_rows_are_in_the_row_they_were_added_to(loaded: StandIn) -> None:
    loaded.put_sales([*(sale(f"01{number:03d}") for number in range(1, 31)), sale("01999")])
    done = loaded.load(TABLE).load
    parameter = "dvf_indicateurs_communes"
    assert done.balance == {parameter: {"rows": 31, "published": 30, "added to another row": 1}}


def test_looked_up_rows_are_those_that_were_used(loaded: StandIn) -> None:
    put_academies(loaded, "01;AIN;10;LYON;1;A;x", "75;PARIS;01;PARIS;10;B;x", "99;MONDE;02;X;1;C;x")
    done = loaded.load("departements").load
    assert done.balance["departement_academie"] == {"rows": 3, "looked up": 2, "not looked up": 1}
    assert done.look_ups == {"the académie": [2, 2]}


def test_a_side_file_that_matches_nothing_stops_the_load(loaded: StandIn) -> None:
    put_academies(loaded, "0 1;AIN;10;LYON;1;A;x", "7 5;PARIS;01;PARIS;10;B;x")
    assert "expected the académie for most of 2 rows, found it for none." in error_of(
        loaded, "departements", NothingFound
    )


def test_a_side_file_without_rows_stops_the_load(loaded: StandIn) -> None:
    put_academies(loaded)
    text = error_of(loaded, "departements", NoRows)
    assert "departement_academie.csv: expected rows, found none (a header alone)." in text


def test_a_side_file_that_is_cut_stops_the_load(loaded: StandIn) -> None:
    put_academies(loaded, "01;AIN;10;LYON;1;A;x")
    text = error_of(loaded, "departements", FileShrank)
    assert "expected at least 80% of the 2 rows of departement_academie that counted in the last load, found 1." in text
    assert loaded.load("departements", accept_shrink=True).load.look_ups == {"the académie": [2, 1]}


def test_a_row_that_a_transform_forgets_stops_the_load(loaded: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    change_transform(monkeypatch, TABLE, lambda dvf_indicateurs_communes: dvf_indicateurs_communes.slice(2))
    loaded.put_sales([sale(f"01{number:03d}", houses=5) for number in range(1, 31)])
    text = error_of(loaded, TABLE, RowsUnaccounted)
    assert "found 2 of which nothing is known: row 1: {" in text
    assert "01002" in text and "01003" not in text, "the first of these rows are shown, and no other"


def test_a_transform_that_drops_the_column_stops_the_load(loaded: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def transform(dvf_indicateurs_communes: pl.LazyFrame) -> pl.LazyFrame:
        return dvf_indicateurs_communes.drop("source_row")

    change_transform(monkeypatch, TABLE, transform)
    loaded.put_sales([sale(f"01{number:03d}", houses=5) for number in range(1, 31)])
    assert "found 30 of which nothing is known" in error_of(loaded, TABLE, RowsUnaccounted)


def test_the_check_shows_the_figures(loaded: StandIn) -> None:
    (result,) = loaded.check(TABLE, ["balance"])
    assert result.passed
    assert result.metadata == {"rows of dvf_indicateurs_communes": {"rows": 30, "published": 30}}


def test_rows_of_a_part_are_counted_once() -> None:
    balance = Balance()
    rows = pl.DataFrame({"code_insee": ["01001", "01002", "01003"], "numero": ["1", "99999", "3"]})
    addresses = rows.with_columns(
        *(pl.lit("rue A").alias(name) for name in ("rep", "nom_voie", "nom_afnor")),
        lon=pl.Series(["4.9", "4.9", "x"]),
        lat=pl.lit("46.1"),
    )
    ban = Parts(["01"], lambda part: balance.opened_part("ban", part, "adresses-01.csv.gz", addresses))
    for commune in ("01001", "01002"):
        of_communes(ban, "01", [commune])
    assert balance.files == {
        "ban 01": {
            "rows": 3,
            "looked up": 1,
            "a number that says that there is none": 1,
            "of a commune that is not asked for": 1,
        }
    }
    assert of_communes(ban, "01", ["01003"]).is_empty()
    assert balance.files["ban 01"]["without a number or a position"] == 1 and balance.unaccounted() == {}
