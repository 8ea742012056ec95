"""The sectors of the collèges of Paris: names become codes, and areas shapes; stretches of the Hauts-de-Seine."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import shapely

from edu_pipeline import ewkb
from edu_pipeline.parts import Parts
from edu_pipeline.sample.publishers.college_maps import PARIS_NAMES, STRETCHES, sectors_of_paris, stretches_of
from edu_pipeline.sample.world import World
from edu_pipeline.sectors import stretches
from edu_pipeline.sectors.addresses import COLUMNS
from edu_pipeline_tests.assets.inputs import conformed, from_text
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.sample.sample_files import produced, sample_world

ANNUAIRE = ("uai", "nom_etablissement", "type_etablissement", "statut_public_prive", "code_departement", "address")
SHAPE = json.dumps({"coordinates": [[[2.3, 48.8], [2.4, 48.8], [2.4, 48.9], [2.3, 48.8]]], "type": "Polygon"})
RODIN, NORTH, SOUTH = "0750001U", "0750002V", "0750003W"
WEST, EAST = "0920001B", "0920002C"


def directory(*others: tuple[str, ...]) -> pl.LazyFrame:
    rows = [
        (RODIN, "Collège Auguste Rodin", "Collège", "public", "75", "70 rue Corvisart, 75013 Paris"),
        (NORTH, "Collège Marie Curie", "Collège", "public", "75", "1 rue du Nord, 75018 Paris"),
        (SOUTH, "Collège Marie Curie", "Collège", "public", "75", "2 rue du Sud, 75014 Paris"),
        ("0750004X", "Collège privé Auguste Rodin", "Collège", "privé", "75", "9 rue Corvisart, 75013 Paris"),
        (WEST, "Collège Auguste Rodin", "Collège", "public", "92", "70 rue Corvisart, 92000 Nanterre"),
        ("0750005Y", "Lycée Auguste Rodin", "Lycée", "public", "75", "70 rue Corvisart, 75013 Paris"),
        *others,
    ]
    return pl.LazyFrame(rows, schema=list(ANNUAIRE), orient="row")


def sector(*schools: tuple[str, str], year: str = "2026-2027", shape: str = SHAPE) -> str:
    """A line of the publisher's file."""
    values = {"libelle": " / ".join(name for name, _ in schools), "annee_scol": year, "geo_shape": shape}
    for place, (name, address) in enumerate(schools, 1):
        values |= {f"lib_etab_{place}": name, f"adr_etab_{place}": address}
    return ";".join('"{}"'.format(values.get(name, "").replace('"', '""')) for name in PARIS_NAMES)


def sectors(lines: list[str], folder: Path) -> Conformed:
    return conformed(
        "secteurs_colleges",
        paris_secteurs_colleges=from_text(
            "secteurs_colleges", "paris_secteurs_colleges", [";".join(PARIS_NAMES), *lines], folder
        ),
        annuaire_education=directory(),
    )


def test_sectors_have_codes_and_areas(tmp_path: Path) -> None:
    result = sectors(
        [
            sector(("AUGUSTE RODIN", "70 RUE CORVISART"), year="2025-2026"),
            sector(("AUGUSTE RODIN", "70 RUE CORVISART")),
            sector(("MARIE CURIE", "2 RUE DU SUD"), ("AUGUSTE RODIN", "70 RUE CORVISART")),
        ],
        tmp_path,
    )
    assert result.refused.is_empty()
    assert result.frame.select("nom_secteur", "uai_colleges", "rentree_scolaire", "rule").rows() == [
        ("AUGUSTE RODIN", [RODIN], "2026-2027", "paris-secteurs-colleges"),
        ("MARIE CURIE / AUGUSTE RODIN", [RODIN, SOUTH], "2026-2027", "paris-secteurs-colleges"),
    ]
    assert all(shape.geom_type == "MultiPolygon" for shape in ewkb.decoded(result.frame["geometry"]))
    assert result.balance.files == {"paris_secteurs_colleges": {"rows": 3, "published": 2, "older rentree_scolaire": 1}}


def test_a_sector_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    rodin, elsewhere = ("AUGUSTE RODIN", "70 RUE CORVISART"), SHAPE.replace("48.9", "48.85")
    result = sectors([sector(rodin), sector(rodin), sector(rodin, shape=elsewhere)], tmp_path)
    assert result.frame["uai_colleges"].to_list() == [[RODIN], [RODIN]] and result.refused.is_empty()
    assert result.frame["id"].to_list() == [54281593, 1764516456], "as in the databases that have them"
    assert result.balance.files == {"paris_secteurs_colleges": {"rows": 3, "published": 2, "the same row again": 1}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            sector(("MARIE CURIE", "5 RUE DE L OUEST")),
            f"found {NORTH} Collège Marie Curie, {SOUTH} Collège Marie Curie",
        ),
        (sector(("AUGUSTE RODAIN", "")), f"found none; closest: {RODIN} Collège Auguste Rodin, "),
        (sector(("AUGUSTE RODIN", ""), ("MARIE", "")), "expected one school named MARIE"),
        (sector(), "lib_etab_1: expected the name of a collège, found none"),
        (sector(("AUGUSTE RODIN", ""), shape="x"), "geo_shape: expected a polygon as GeoJSON, found something else"),
    ],
)
def test_what_cannot_be_told_is_refused(line: str, reason: str, tmp_path: Path) -> None:
    good = sector(("AUGUSTE RODIN", "70 RUE CORVISART"))
    result = sectors([good, line], tmp_path)
    assert result.frame.height == 1
    (reasons,) = result.refused["reasons"].to_list()
    assert reason in " ".join(reasons)


def test_the_sample_leads_from_paris_to_lycees() -> None:
    """Nobody hands in a file: every address of Paris has a segment with lycées."""
    published = produced("secteurs_colleges")
    assert published.refused.is_empty()
    paris = published.frame.filter(rule="paris-secteurs-colleges")
    assert {len(codes) for codes in paris["uai_colleges"]} == {1, 2}
    assert paris["id"].to_list() == [371722228, 1678115730, 1372860389], "as in the databases that have them"
    segments = produced("sectorisation_segments").frame.filter(code_departement="75")
    assert set(segments["rule"]) == {"paris-secteurs-colleges > paris-affectation-lycees"}
    assert segments["uai_lycees_1"].null_count() == segments["motif"].count() == 0
    assert set(segments["code_commune"]) == set(
        sample_world().arrondissements.filter(code_commune_parent="75056")["code"]
    )


def test_a_new_release_of_paris_names_other_colleges() -> None:
    before = sectors_of_paris(World())
    after = sectors_of_paris(World(releases={"paris-secteurs-colleges": 1}))
    assert before.equals(sectors_of_paris(World(releases={"else": 1})))
    assert before.height == after.height and not before.equals(after)
    assert before["geo_shape"].equals(after["geo_shape"])


# ---------------------------------------------------------------------------------------------- Hauts-de-Seine

NATIONAL, TRONCONS = "fr_en_carte_scolaire_colleges_publics", "hauts_de_seine_carte_scolaire_troncons"
HEADER = "code_insee;type_et_libelle;n_de_voie_debut;n_de_voie_fin;parite;secteur_unique;code_rne"
LINE = json.dumps({"coordinates": [[2.2, 48.9], [2.21, 48.9]], "type": "LineString"})


def ways(*rows: tuple[str | None, ...]) -> pl.DataFrame:
    """The stretches from streets and collèges of either side, and a shape."""
    frame = pl.LazyFrame(list(rows), schema=dict.fromkeys(stretches.COLUMNS, pl.String), orient="row")
    return stretches.stretches(frame)


def test_a_stretch_has_two_sides() -> None:
    rows = ways(
        ("AV DE PARIS", WEST.lower(), "AV DE PARIS", EAST, LINE),
        ("AV DE PARIS", WEST, None, None, LINE),
        (None, None, "RUE DU PORT", None, LINE),
        ("RUE DU PORT", WEST, None, None, "x"),
        ("RUE DU PORT", WEST, None, None, None),
    )
    assert rows.select("libelle_rue", "odd", "uai_colleges").rows() == [
        ("AV DE PARIS", True, [WEST]),
        ("AV DE PARIS", True, [WEST]),
        ("AV DE PARIS", False, [EAST]),
    ]
    assert [shapely.get_num_points(shape) for shape in ewkb.decoded(rows["geometry"])] == [2, 2, 2]


def test_the_stretches_of_the_sample() -> None:
    rows = stretches_of(sample_world(), "35")
    assert stretches.stretches(rows.lazy()).height == 2 * rows.height
    assert set(rows["code_pair"]) <= set(sample_world().colleges["uai"])
    assert not rows.equals(stretches_of(World(releases={STRETCHES: 1}), "35"))


def test_stretches_become_segments(tmp_path: Path) -> None:
    """In communes that the national file leaves out; stretches are looked up by addresses."""
    way = ("AV DE PARIS", WEST, "AV DE PARIS", EAST, LINE.replace('"', '""'))
    lines = [";".join(stretches.COLUMNS), ";".join(f'"{value}"' for value in way), ';;;;"{}"']
    addresses = pl.LazyFrame(
        [
            (code, str(number), None, "Avenue de Paris", None, "2.205", "48.9001")
            for code in ("92001", "92002")
            for number in (1, 2)
        ],
        schema=dict.fromkeys(COLUMNS, pl.String),
        orient="row",
    )
    national = from_text("sectorisation_segments", NATIONAL, [HEADER, f"92002;RUE X;;;PI;N;{WEST}"], tmp_path).collect()
    result = conformed(
        "sectorisation_segments",
        fr_en_carte_scolaire_colleges_publics=national.lazy(),
        hauts_de_seine_carte_scolaire_troncons=from_text("sectorisation_segments", TRONCONS, lines, tmp_path),
        ban=Parts(["92"], lambda _: addresses),
    )
    mapped = result.frame.filter(rule=STRETCHES).sort("side")
    assert mapped.select("code_commune", "libelle_rue", "side", "uai_colleges", "match_method").rows() == [
        ("92001", "Avenue de Paris", "impair", [WEST], "exact"),
        ("92001", "Avenue de Paris", "pair", [EAST], "exact"),
    ]
    assert result.balance.files[TRONCONS] == {"rows": 2, "looked up": 1, "no side with a street and a collège": 1}
