"""Segments and zones from the publishers' real files: every line is accounted for."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.catalogue import catalogue, files_by_parameter
from edu_pipeline.parts import Parts
from edu_pipeline.sectors import rules
from edu_pipeline.sectors.addresses import COLUMNS
from edu_pipeline_tests.assets.inputs import conformed, taken_in
from edu_pipeline_tests.real_files import real_file, upstream

COLLEGES = "fr-en-carte-scolaire-colleges-publics"
OCCITANIE = "fr-en-occitanie-carte-scolaire-des-colleges-lycees-publics"


def ban_of(streets: pl.DataFrame) -> Parts:
    """Addresses laid out like the BAN's, made from the labels of the streets: four numbers each."""
    rows = (
        streets.with_row_index("street")
        .join(pl.DataFrame({"number": [1, 2, 3, 4]}), how="cross")
        .select(
            code_insee="code_commune",
            numero=pl.col("number").cast(pl.String),
            rep=pl.lit(None, pl.String),
            nom_voie=pl.col("libelle_rue").str.to_titlecase(),
            nom_afnor="libelle_rue",
            lon=(pl.lit(-1.7) + pl.col("street") % 70 * 0.001 + pl.col("number") * 0.0002).cast(pl.String),
            lat=(pl.lit(48.0) + pl.col("street") // 70 * 0.001).cast(pl.String),
        )
    )
    parts = {
        str(departement): part.select(COLUMNS)
        for (departement,), part in rows.group_by(departement=pl.col("code_insee").str.head(2), maintain_order=True)
    }
    return Parts(list(parts), lambda name: parts[name].lazy())


def real(table: str, source: str, folder: Path) -> pl.LazyFrame:
    """What the transform of ``table`` receives from a source's real file."""
    parameter = catalogue()[source].slug
    path = real_file(files_by_parameter()[parameter])
    if path is None:
        pytest.skip(f"EDU_UPSTREAM ({upstream()}) has no file of {source}")
    return taken_in(table, parameter, path, folder)


def test_every_line_of_ille_et_vilaine_is_accounted_for(tmp_path: Path) -> None:
    """Located, about a whole commune, or refused with a reason: the three add up. Four lines contradict each other."""
    colleges = real("sectorisation_segments", COLLEGES, tmp_path)
    streets = colleges.filter(secteur_unique="N").collect()
    ban = ban_of(streets.select("code_commune", "libelle_rue").unique(maintain_order=True))
    segments = conformed("sectorisation_segments", fr_en_carte_scolaire_colleges_publics=colleges, ban=ban)
    contours = real("commune_boundaries", "contours-communes", tmp_path)
    zones = conformed(
        "sectorisation_zones",
        fr_en_carte_scolaire_colleges_publics=real("sectorisation_zones", COLLEGES, tmp_path),
        sectorisation_segments=segments.frame.lazy(),
        commune_boundaries=contours,
        ban=ban,
    )
    refused = int(segments.refused["row"].str.json_path_match("$.lignes").cast(pl.Int64).sum())
    located = int(segments.frame.filter(pl.col("geometry").is_not_null())["lignes"].sum())
    whole = int(zones.frame["lignes"].sum())
    assert (streets.height, located, refused, whole) == (5_068, 5_064, 4, 348)
    assert zones.refused.is_empty()
    assert located + whole + refused == colleges.collect().height == 5_416
    shared = segments.frame.filter(pl.col("uai_colleges").list.len() > 1)
    assert shared["lignes"].sum() == 450 * 3 - 3 + 14 * 2
    assert segments.frame["uai_lycees"].null_count() == segments.frame.height, "no rule for lycées is open there"


def test_the_lycees_of_occitanie(tmp_path: Path) -> None:
    lines = real("sectorisation_segments", OCCITANIE, tmp_path)
    streets = lines.collect()
    nothing = lines.clear().drop("type_etablissement").with_columns(secteur_unique=pl.lit("N")).collect().lazy()
    result = conformed(
        "sectorisation_segments",
        fr_en_carte_scolaire_colleges_publics=nothing.head(0),
        fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics=lines,
        ban=ban_of(streets.select("code_commune", "libelle_rue").unique(maintain_order=True)),
    )
    assert result.refused.is_empty()
    assert (streets.height, result.frame.height) == (19, 19)
    assert result.frame["uai_lycees_1"].null_count() == 0
    assert result.frame["rule"].unique().to_list() == [rules.OCCITANIE]
    assert result.frame.filter(code_commune="81004").select("libelle_rue", "uai_lycees_1", "side").rows() == [
        ("IMPASSE ALBERT THOMAS", "0810006S", "tous")
    ]
