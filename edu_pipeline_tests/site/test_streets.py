"""School sectors by address: the rows of the two tables as the page looks them up."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from edu_pipeline.site.atlas import streets

SEGMENT = {
    "code_commune": "31555",
    "libelle_rue": "R DU MAL FOCH",
    "lieu_dit": None,
    "nom_voie": "Rue du Maréchal Foch",
    "number_from": 1,
    "number_to": None,
    "side": "impair",
    "id": 7,
    "uai_lycees": ["0310041X"],
    "uai_colleges": None,
    "rule": "a-rule",
    "rentree_scolaire": "2026-2027",
}


def put_segments(folder: Path, *changes: dict[str, object]) -> None:
    rows = pl.DataFrame([SEGMENT | change for change in changes], infer_schema_length=None)
    rows.cast({"uai_colleges": pl.List(pl.String)}).write_parquet(folder / "sectorisation_segments.parquet")


def test_a_street_has_one_key_however_it_is_written() -> None:
    assert streets.key("R DU MAL FOCH") == streets.key("Rue du Maréchal Foch") == "RUE MAL FOCH"
    assert streets.key("Place du 11 Novembre") == "PLACE 11 NOVEMBRE"
    assert streets.key(None) == ""


def test_rows_that_say_the_same_share_a_sector(tmp_path: Path) -> None:
    put_segments(tmp_path, {}, {"id": 8, "side": "pair", "uai_lycees": ["0310047D"]}, {"id": 9, "number_from": 5})
    ((commune, content),) = streets.by_commune(tmp_path)
    assert commune == "31555"
    first = content["streets"][0]
    assert first[: len(streets.STREET)] == ["R DU MAL FOCH", None, "Rue du Maréchal Foch", 1, None, "impair", 7]
    assert first[len(streets.STREET) + 1 :] == ["RUE MAL FOCH", "RUE MAL FOCH"]
    led_to = [content["sectors"][street[len(streets.STREET)]]["lycees"] for street in content["streets"]]
    assert led_to == [["0310041X"], ["0310047D"], ["0310041X"]] and len(content["sectors"]) == 2


def test_every_commune_has_its_own_file(tmp_path: Path) -> None:
    put_segments(tmp_path, {}, {"code_commune": "31001", "id": 8})
    assert [(code, len(content["streets"])) for code, content in streets.by_commune(tmp_path)] == [
        ("31001", 1),
        ("31555", 1),
    ]


def test_typed_words_are_read_as_the_keys_are() -> None:
    vocabulary = streets.vocabulary()
    assert vocabulary["first"]["R"] == "RUE" and vocabulary["words"]["MARECHAL"] == "MAL"
    assert "DU" in vocabulary["small"]
