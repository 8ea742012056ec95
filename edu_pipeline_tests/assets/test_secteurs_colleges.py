"""Maps of collèges' sectors: areas with names (Paris), areas with codes (31, 44), stretches of street (92)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shapely

from edu_pipeline import ewkb
from edu_pipeline.parts import Parts
from edu_pipeline.sample.publishers.college_areas import (
    COLLEGES,
    SECTORS,
    colleges_of_haute_garonne,
    sectors_of,
)
from edu_pipeline.sample.publishers.college_maps import PARIS_NAMES, STRETCHES, sectors_of_paris, stretches_of
from edu_pipeline.sample.world import World
from edu_pipeline.sectors import rules, stretches
from edu_pipeline.sectors.addresses import COLUMNS
from edu_pipeline_tests.assets.inputs import conformed, from_text, taken_in
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
        (sector(("AUGUSTE RODIN", ""), year=""), "annee_scol: expected a school year, found none"),
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


# ----------------------------------------------------------------------------- Haute-Garonne, Loire-Atlantique

NATIONAL = "fr_en_carte_scolaire_colleges_publics"
HEADER = "code_insee;type_et_libelle;n_de_voie_debut;n_de_voie_fin;parite;secteur_unique;code_rne"
COLLEGES_31, SECTORS_44 = "haute_garonne_secteurs_colleges", "loire_atlantique_secteurs_colleges"
BOLLAND, CONTI, VINCON = "0312799Z", "0442759K", "0440350S"
SQUARE = {"coordinates": [[[1.4, 43.6], [1.5, 43.6], [1.5, 43.7], [1.4, 43.6]]], "type": "Polygon"}
PARTS = {"coordinates": [SQUARE["coordinates"]], "type": "MultiPolygon"}
POINT = {"coordinates": [1.4, 43.6], "type": "Point"}

Feature = dict[str, Any]


def college(shape: Any = PARTS, **changes: Any) -> Feature:
    """A feature of the Haute-Garonne."""
    properties = {
        "uai": BOLLAND,
        "college": "Collège Adrienne Bolland",
        "adresse": "245 avenue Aimé Césaire\n31660 BESSIERES",
        "segpa": "non",
        "eff_2025": 12,
        "departement": "Haute-Garonne",
        "code_departement": "31",
        "nom_officiel_commune": "Bessières",
        "cog": None,
        "coll_siret": 22310001700423,
        "geo_point_2d": {"lon": 1.45, "lat": 43.65},
    }
    return {"type": "Feature", "geometry": shape, "properties": properties | changes}


def numbered(number: str, names: list[str], codes: Any, shape: Any = SQUARE) -> Feature:
    """A feature of the Loire-Atlantique."""
    properties = {
        "num_cs": number,
        "college": names,
        "id_etb": codes,
        "commune": ["Saint-Nazaire"],
        "st_area_shape": 1234.5,
        "st_length_shape": 234.5,
        "geo_point_2d": {"lon": 1.45, "lat": 43.65},
    }
    return {"type": "Feature", "geometry": shape, "properties": properties}


def from_features(parameter: str, features: list[Feature], folder: Path) -> pl.LazyFrame:
    path = folder / f"{parameter}.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return taken_in("secteurs_colleges", parameter, path, folder)


def areas(folder: Path, **features: list[Feature]) -> Conformed:
    files = {name: from_features(name, rows, folder) for name, rows in features.items()}
    return conformed("secteurs_colleges", annuaire_education=directory(), **files)


def test_a_college_of_haute_garonne_has_an_area(tmp_path: Path) -> None:
    new = college(SQUARE, uai="0312345f", college="Collège")
    result = areas(tmp_path, **{COLLEGES_31: [college(), new, college()]})
    assert result.refused.is_empty()
    assert result.frame.select("code_departement", "nom_secteur", "noms_colleges", "uai_colleges").rows() == [
        ("31", "Collège Adrienne Bolland", ["Collège Adrienne Bolland"], [BOLLAND]),
        ("31", "Collège", ["Collège"], ["0312345F"]),
    ]
    assert result.frame.select("rentree_scolaire", "rule").unique().rows() == [(None, COLLEGES)]
    assert all(shape.geom_type == "MultiPolygon" for shape in ewkb.decoded(result.frame["geometry"]))
    assert result.balance.files == {COLLEGES_31: {"rows": 3, "published": 2, "the same row again": 1}}


def test_a_sector_of_loire_atlantique_has_several_codes(tmp_path: Path) -> None:
    shared = numbered("1014", ["Anita Conti", "Albert Vincon"], [CONTI, VINCON])
    result = areas(tmp_path, **{SECTORS_44: [numbered("33", ["Anita Conti"], [CONTI]), shared]})
    assert result.refused.is_empty()
    assert result.frame.select("nom_secteur", "noms_colleges", "uai_colleges", "rule").rows() == [
        ("33", ["Anita Conti"], [CONTI], SECTORS),
        ("1014", ["Anita Conti", "Albert Vincon"], [VINCON, CONTI], SECTORS),
    ]


def test_sectors_keep_their_ids(tmp_path: Path) -> None:
    """By code in the Haute-Garonne, where names repeat, and by number in the Loire-Atlantique."""
    rows = {COLLEGES_31: [college(), college(uai="0312345F")], SECTORS_44: [numbered("33", ["Anita Conti"], [CONTI])]}
    before = areas(tmp_path, **rows).frame["id"].to_list()
    assert len({*before}) == 3
    renamed = {
        COLLEGES_31: [college(college="X", uai="0312345F"), college(college="Y", shape=SQUARE)],
        SECTORS_44: [numbered("33", ["Albert Vincon"], [VINCON])],
    }
    after = areas(tmp_path, **renamed).frame["id"].to_list()
    assert after == [before[1], before[0], before[2]]


@pytest.mark.parametrize(
    ("parameter", "feature", "reason"),
    [
        (COLLEGES_31, college(uai=None), "uai: expected the code of a collège, found none"),
        (COLLEGES_31, college(uai="0312799A"), "codes of schools (UAI) with valid check letters"),
        (COLLEGES_31, college(college=None), "college, uai: expected as many names as codes, found 0 and 1"),
        (COLLEGES_31, college(shape=POINT), "geometry: expected a polygon, found something else"),
        (COLLEGES_31, college(shape=None), "geometry: expected a polygon, found something else"),
        (SECTORS_44, numbered("1", ["X"], None), "id_etb: expected the code of a collège, found none"),
        (SECTORS_44, numbered("1", ["X", "Y"], [CONTI]), "college, id_etb: expected as many names as codes, found 2"),
        (SECTORS_44, numbered("1", ["X"], ["0442759A"]), "codes of schools (UAI) with valid check letters"),
        (SECTORS_44, numbered("1", ["X"], [CONTI], POINT), "geometry: expected a polygon, found something else"),
    ],
)
def test_areas_without_code_or_polygon_are_refused(
    parameter: str, feature: Feature, reason: str, tmp_path: Path
) -> None:
    good = {COLLEGES_31: college(uai="0312345F"), SECTORS_44: numbered("33", ["Anita Conti"], [CONTI])}[parameter]
    result = areas(tmp_path, **{parameter: [good, feature]})
    assert result.frame.height == 1
    (reasons,) = result.refused["reasons"].to_list()
    assert reason in " ".join(reasons)


def test_lists_that_are_one_text_are_refused(tmp_path: Path) -> None:
    """Nobody has seen how another export joins them."""
    wrong = areas(tmp_path, **{SECTORS_44: [numbered("1", ["X"], f"{CONTI}, {VINCON}")]})
    assert wrong.frame.is_empty() and wrong.refused.height == 1
    single = areas(tmp_path, **{SECTORS_44: [numbered("1", ["X"], CONTI)]})
    assert single.frame["uai_colleges"].to_list() == [[CONTI]]


def test_areas_with_codes_become_segments(tmp_path: Path) -> None:
    """In communes that the national file leaves out; the two collèges of a shared sector are both there."""
    shared = numbered("1014", ["Anita Conti", "Albert Vincon"], [CONTI, VINCON])
    sectors = areas(tmp_path, **{COLLEGES_31: [college()], SECTORS_44: [shared]}).frame
    addresses = {
        departement: pl.LazyFrame(
            [
                (code, str(number), None, "Rue du Port", None, "1.46", "43.62")
                for code in (f"{departement}001", f"{departement}002")
                for number in (1, 2)
            ],
            schema=dict.fromkeys(COLUMNS, pl.String),
            orient="row",
        )
        for departement in ("31", "44")
    }
    national = from_text("sectorisation_segments", NATIONAL, [HEADER, f"44002;RUE X;;;PI;N;{CONTI}"], tmp_path)
    result = conformed(
        "sectorisation_segments",
        fr_en_carte_scolaire_colleges_publics=national.collect().lazy(),
        secteurs_colleges=sectors.lazy(),
        ban=Parts(["31", "44"], addresses.__getitem__),
    )
    mapped = result.frame.filter(pl.col("rule") != rules.COLLEGES).sort("code_commune")
    assert mapped.select("code_commune", "libelle_rue", "side", "uai_colleges", "rule").rows() == [
        ("31001", "Rue du Port", "tous", [BOLLAND], COLLEGES),
        ("31002", "Rue du Port", "tous", [BOLLAND], COLLEGES),
        ("44001", "Rue du Port", "tous", [VINCON, CONTI], SECTORS),
    ]


def test_the_sample_has_streets_of_haute_garonne() -> None:
    """Of streets that are not in the list of Occitanie."""
    segments = produced("sectorisation_segments").frame.filter(code_departement="31")
    by_rule = {str(rule): set(rows["nom_voie"]) for (rule,), rows in segments.drop_nulls("nom_voie").group_by("rule")}
    assert by_rule.keys() == {rules.OCCITANIE, COLLEGES}
    assert len(by_rule[COLLEGES]) > 100 and not by_rule[COLLEGES] & by_rule[rules.OCCITANIE]


def test_the_sample_form_of_loire_atlantique(tmp_path: Path) -> None:
    """The sample has no such département, so another one stands for it."""
    before = sectors_of(World(), "35")
    result = areas(tmp_path, **{SECTORS_44: before})
    assert result.refused.is_empty() and result.frame.height == len(before)
    assert {len(codes) for codes in result.frame["uai_colleges"]} == {1, 2}
    assert sectors_of(World(releases={SECTORS: 1}), "35") != before


def test_a_new_release_of_haute_garonne_differs() -> None:
    before = colleges_of_haute_garonne(World())
    assert colleges_of_haute_garonne(World(releases={"else": 1})) == before
    assert colleges_of_haute_garonne(World(releases={COLLEGES: 1})) != before


# ---------------------------------------------------------------------------------------------- Hauts-de-Seine

TRONCONS = "hauts_de_seine_carte_scolaire_troncons"
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
