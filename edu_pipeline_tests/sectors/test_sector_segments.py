"""The segments of all communes: the same rows, however they are divided among pieces and processes."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from edu_pipeline.sectors import addresses, piecewise, rules
from edu_pipeline.sectors.placing import PLACED
from edu_pipeline.sectors.segments import segments

ADDRESSES = ("code_commune", "lieu_dit", "libelle_rue", "number_from", "number_to", "side")
NATIONAL = (*ADDRESSES, "secteur_unique", "uai_colleges")
NO_LYCEES = rules.lycees_of_colleges(None)
SCHOOLS = ["0350001A", "0350002B"]


def lines() -> pl.LazyFrame:
    """Lines about streets of three départements: some share a street, some contradict each other, some are wrong."""

    def rows() -> Iterator[tuple[str | None, ...]]:
        for street in range(12):
            for number in range(40):
                code = ("01", "35", "2A")[number % 3] + f"{number % 10:03d}"
                upper = "20" if street % 4 else str(100 + number // 30)
                yield code, None, f"RUE NUMERO {street}", "1", upper, "I", "N", SCHOOLS[(street + number // 30) % 2]
        yield None, None, "RUE SANS COMMUNE", None, None, None, "N", SCHOOLS[0]
        yield "35001", None, "RUE NUMERO 1", "un", None, None, "N", SCHOOLS[0]
        yield "35001", None, "RUE NUMERO 1", "201", "299", "P", "N", None

    frame = pl.DataFrame(list(rows()), dict.fromkeys(NATIONAL, pl.String), orient="row")
    return rules.lines(frame.lazy())


def ban() -> dict[str, pl.LazyFrame]:
    """Addresses on both sides of every second street of two of the départements."""
    places = lines().select("code_commune", "libelle_rue").unique(maintain_order=True).drop_nulls().collect()
    houses = places.with_row_index().gather_every(2).join(pl.DataFrame({"number": range(1, 30, 3)}), how="cross")
    addresses = houses.select(
        code_insee="code_commune",
        numero=pl.col("number").cast(pl.String),
        rep=pl.lit(None, pl.String),
        nom_voie=pl.col("libelle_rue").str.to_titlecase(),
        nom_afnor="libelle_rue",
        lon=(1.5 + pl.col("index") * 0.01 + pl.col("number") * 0.0002).cast(pl.String),
        lat=(48 + pl.col("number") % 2 * 0.0001).cast(pl.String),
    )
    return {code: addresses.filter(pl.col("code_insee").str.starts_with(code)).lazy() for code in ("01", "35")}


def test_rows_are_the_same_in_pieces_and_by_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = segments(lines(), NO_LYCEES, ban())
    schema = whole.collect_schema()
    at_once = whole.collect()
    assert set(PLACED) < set(schema) and at_once.schema == schema
    assert at_once["id"].n_unique() == at_once.height
    assert set(at_once["placed"]) == {"addresses", None} and at_once["reason"].n_unique() > 10
    assert at_once["refused_because"].is_not_null().sum() > 2
    communes: list[int] = []
    in_parts = addresses.in_parts

    def counted(rows: pl.DataFrame, ban: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        for part, near in in_parts(rows, ban):
            communes.append(part["code_commune"].n_unique())
            yield part, near

    monkeypatch.setattr(addresses, "in_parts", counted)
    monkeypatch.setattr(addresses, "AT_ONCE", 20)
    monkeypatch.setattr(piecewise, "FEW", 0)
    monkeypatch.setattr("loky.cpu_count", lambda: 2)
    in_pieces = segments(lines(), NO_LYCEES, ban()).collect()
    assert len(communes) > 4 and max(communes) < 10
    without_lines = pl.exclude(rules.LINE)
    assert in_pieces.select(without_lines).sort("id").equals(at_once.select(without_lines).sort("id"))


def test_without_a_line_there_is_no_row() -> None:
    empty = segments(lines().head(0), NO_LYCEES, {})
    assert empty.collect().schema == segments(lines(), NO_LYCEES, {}).collect_schema()
