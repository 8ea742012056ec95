"""The three tables of the sectorisation, from files laid out like the publishers'."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, LiteralString

import polars as pl
import pytest
import shapely
from psycopg import sql

from edu_pipeline.checks import CheckResult, overlaps, running
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.errors import SourceMissing
from edu_pipeline.monitoring import plots
from edu_pipeline.normalise import UAI_LETTERS
from edu_pipeline.parts import Parts
from edu_pipeline.sample.publishers.addresses import NAMES as ADDRESS_NAMES
from edu_pipeline.sample.publishers.ministry_sectors import COLLEGE_NAMES, OCCITANIE_NAMES
from edu_pipeline_tests.assets.inputs import conformed, from_text
from edu_pipeline_tests.database.rows import put
from edu_pipeline_tests.stand_in import StandIn, copy_of, new_stand_in

COLLEGES = "fr-en-carte-scolaire-colleges-publics"
OCCITANIE = "fr-en-occitanie-carte-scolaire-des-colleges-lycees-publics"
DOCUMENT = Path(__file__).parents[2] / "docs" / "sectorisation.md"
TABLES = ("sectorisation_segments", "sectorisation_zones", "data_quality_metrics")

SUPPLIED = ("code_commune", "libelle_rue", "number_from", "number_to", "side", "uai_colleges", "uai_lycees_1", "rule")


def uai(number: int) -> str:
    """The code with this number and its check letter."""
    return f"{number:07}{UAI_LETTERS[number % len(UAI_LETTERS)]}"


WEST, EAST, PARISIAN = uai(10001), uai(10002), uai(750001)
LYCEE, OTHER, THIRD, WHOLE = uai(10011), uai(10012), uai(10013), uai(10014)


def csv_of(header: Sequence[str], *rows: dict[str, Any]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, header, delimiter=";", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def street(
    code: str, name: str, school: str, first: str = "1.0", last: str = "9999.0", side: str = "PI"
) -> dict[str, str]:
    return {
        "code_insee": code,
        "type_et_libelle": name,
        "n_de_voie_debut": first,
        "n_de_voie_fin": last,
        "parite": side,
        "code_rne": school,
        "secteur_unique": "N",
    }


def regional(code: str, name: str, school: str, kind: str = "LYCEE") -> dict[str, str]:
    return {
        "code_insee": code,
        "type_et_libelle": name,
        "no_de_voie_debut": "1",
        "no_de_voie_fin": "9999",
        "parite": "Tous les N°, de",
        "code_rne": school,
        "type_etablissement": kind,
    }


def whole(code: str, school: str) -> dict[str, str]:
    return {"code_insee": code, "code_rne": school, "secteur_unique": "O"}


def west_of(code: str) -> float:
    """The western edge of a commune, which is a square of a tenth of a degree."""
    return 5 + 0.1 * int(code[2:])


def houses(code: str, name: str, east: float, numbers: Sequence[int] = range(1, 9)) -> list[dict[str, str]]:
    """Addresses on a straight street through the commune, from south to north."""
    return [
        {
            "numero": str(number),
            "nom_voie": name,
            "nom_afnor": name.upper().replace("É", "E"),
            "code_insee": code,
            "lon": f"{west_of(code) + east:.6f}",
            "lat": f"{46 + 0.01 * number:.6f}",
        }
        for number in numbers
    ]


def contour(code: str) -> dict[str, Any]:
    west = west_of(code)
    return {
        "type": "Feature",
        "properties": {"code": code, "nom": f"Commune {code}"},
        "geometry": shapely.geometry.mapping(shapely.box(west, 46, west + 0.1, 46.1)),
    }


@pytest.fixture(scope="module")
def made_communes(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Communes of the Ain with square contours, in a database to be copied."""
    with new_stand_in(cluster, template, tmp_path_factory.mktemp("communes")) as stand_in:
        codes = stand_in.put_communes(5)
        features = {"type": "FeatureCollection", "features": [contour(code) for code in codes]}
        stand_in.put("contours-communes", "communes-100m.geojson", json.dumps(features))
        stand_in.load_communes()
        stand_in.load("commune_boundaries")
        yield stand_in


@pytest.fixture
def communes(made_communes: StandIn, cluster: Cluster, tmp_path: Path) -> Iterator[StandIn]:
    """Communes of the Ain with square contours, in this test's own database."""
    with copy_of(made_communes, cluster, tmp_path) as stand_in:
        yield stand_in


LINES = [
    whole("01001", WEST),
    street("01002", "RUE DU BAC", WEST),
    street("01002", "RUE DU LAC", EAST, "1", "5", "I"),
    street("01002", "RUE DU LAC", WEST, "2", "6", "P"),
    street("01002", "RUE INTROUVABLE", WEST),
    street("01003", "RUE DU BAC", PARISIAN),
]
REGION = [
    regional("01002", "RUE DU BAC", LYCEE),
    regional("01002", "RUE DU BAC", OTHER),
    regional("01004", "", WHOLE),
    regional("01002", "RUE DU BAC", WEST, "COLLEGE"),
]
MARKER, FAR_OFF = houses("01003", "Rue du Bac", 0.05, (99999, 4))
MARKER["lat"], FAR_OFF["lat"] = "46.02", "46.6"
ADDRESSES = [
    MARKER,
    FAR_OFF,
    *houses("01002", "Rue du Bac", 0.02),
    *houses("01002", "Rue du Lac", 0.08),
    *houses("01003", "Rue du Bac", 0.05),
]


def paris(*rows: tuple[str, str, str]) -> str:
    """The layer of Paris: collège, lycée, sector."""
    point = {"type": "Point", "coordinates": [2.3, 48.8]}
    features = [
        {"type": "Feature", "geometry": point, "properties": {"Réseau": college, "UAI": lycee, "secteur": sector}}
        for college, lycee, sector in rows
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


@pytest.fixture(scope="module")
def made(made_communes: StandIn, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The three tables, from a file of each source, in a database to be copied."""
    with copy_of(made_communes, cluster, tmp_path_factory.mktemp("made")) as stand_in:
        stand_in.put(COLLEGES, f"{COLLEGES}.csv", csv_of(COLLEGE_NAMES, *LINES))
        stand_in.put(OCCITANIE, f"{OCCITANIE}.csv", csv_of(OCCITANIE_NAMES, *REGION))
        layer = paris((PARISIAN, PARISIAN, "Tête"), (PARISIAN, OTHER, "2"), (PARISIAN, THIRD, "1"))
        stand_in.put("paris-affectation-lycees", "paris-affectation-lycees.geojson", layer)
        stand_in.put("ban", "adresses-01.csv.gz", gzip.compress(csv_of(ADDRESS_NAMES, *ADDRESSES).encode()))
        put_supplied(stand_in, "Secteur de la Mairie", OTHER)
        stand_in.load(*TABLES)
        yield stand_in


@pytest.fixture
def filled(made: StandIn, cluster: Cluster, tmp_path: Path) -> Iterator[StandIn]:
    """The three tables, from a file of each source, in this test's own database."""
    with copy_of(made, cluster, tmp_path) as stand_in:
        yield stand_in


def put_supplied(stand_in: StandIn, name: str, lycee: str) -> None:
    """An operator's street in 01003, and an operator's zone in the west of 01005."""
    line = {
        "code_commune": "01003",
        "libelle_rue": "Allée de la Mairie",
        "side": "tous",
        "uai_lycees_1": lycee,
        "rule": name,
    }
    stand_in.put("editorial-sectorisation-segments", "sectorisation_segments.csv", csv_of(SUPPLIED, line))
    west = west_of("01005")
    zone = {
        "code_commune": "01005",
        "zone_name": name,
        "uai_lycees_1": lycee,
        "geometry": shapely.box(west, 46, west + 0.05, 46.1).wkt,
    }
    header = ["code_commune", "zone_name", "uai_colleges", "uai_lycees_1", "geometry"]
    stand_in.put("editorial-sectorisation-zones", "sectorisation_zones.csv", csv_of(header, zone))


def test_segments_of_every_source(filled: StandIn) -> None:
    rows = filled.rows(
        "SELECT code_commune, libelle_rue, number_from, number_to, side, uai_colleges, uai_lycees, rule, lignes, "
        "geometry IS NOT NULL FROM sectorisation_segments ORDER BY code_commune, libelle_rue, side, uai_lycees"
    )
    assert rows == [
        ("01002", "RUE DU BAC", 1, None, "tous", None, [LYCEE, OTHER], OCCITANIE, 2, True),
        ("01002", "RUE DU BAC", 1, None, "tous", [WEST], None, COLLEGES, 1, True),
        ("01002", "RUE DU LAC", 1, 5, "impair", [EAST], None, COLLEGES, 1, True),
        ("01002", "RUE DU LAC", 2, 6, "pair", [WEST], None, COLLEGES, 1, True),
        ("01002", "RUE INTROUVABLE", 1, None, "tous", [WEST], None, COLLEGES, 1, False),
        ("01003", "Allée de la Mairie", None, None, "tous", None, [OTHER], "Secteur de la Mairie", 1, False),
        (
            "01003",
            "RUE DU BAC",
            1,
            None,
            "tous",
            [PARISIAN],
            [THIRD, OTHER],
            f"{COLLEGES} > paris-affectation-lycees",
            1,
            True,
        ),
    ]
    assert filled.rows("SELECT count(*) FROM sectorisation_segments WHERE (motif IS NULL) = (geometry IS NULL)") == [
        (0,)
    ]


def test_zones_of_every_nature(filled: StandIn) -> None:
    rows = filled.rows(
        "SELECT code_commune, zone_name, nature, uai_lycees, lignes, postgis.ST_Area(geometry) "
        "FROM sectorisation_zones ORDER BY code_commune, zone_name"
    )
    assert rows == [
        ("01001", WEST, "commune", None, 1, pytest.approx(0.01)),
        ("01002", f"{LYCEE} + {OTHER}", "partie", [LYCEE, OTHER], None, pytest.approx(0.01)),
        ("01003", PARISIAN, "partie", [THIRD, OTHER], None, pytest.approx(0.01)),
        ("01004", WHOLE, "commune", [WHOLE], 1, pytest.approx(0.01)),
        ("01005", "Secteur de la Mairie", "fournie", [OTHER], 1, pytest.approx(0.005)),
    ]


def test_how_many_streets_were_matched(filled: StandIn) -> None:
    assert filled.rows("SELECT * FROM data_quality_metrics") == [("01", 7, 5, 100)]
    ((balance,),) = filled.rows("SELECT balance FROM edu_pipeline.loads WHERE table_name = 'sectorisation_segments'")
    left_out = {"a number that says that there is none": 1, "far from its street": 1}
    assert left_out.items() <= balance["ban 01"].items()
    longest = filled.rows("SELECT max(postgis.ST_Length(geometry)) FROM sectorisation_segments")
    assert longest == [(pytest.approx(0.07),)], "of an address 60 km away the line would be ten times as long"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("01002", "rue du Bac", 3), [(1, LYCEE, "segment", "RUE DU BAC"), (2, OTHER, "segment", "RUE DU BAC")]),
        (("01003", "R. du BAC", 400), [(1, THIRD, "segment", "RUE DU BAC"), (2, OTHER, "segment", "RUE DU BAC")]),
        (("01003", "all. de la mairie", 1), [(1, OTHER, "segment", "Allée de la Mairie")]),
        (("01004", "une rue quelconque", 1), [(1, WHOLE, "commune", WHOLE)]),
        (("01002", "rue du Lac", 1), []),
        (("01001", "rue du Bac", 1), []),
        ((5.22, 46.05), [(1, LYCEE, "zone", f"{LYCEE} + {OTHER}"), (2, OTHER, "zone", f"{LYCEE} + {OTHER}")]),
        ((5.42, 46.05), [(1, WHOLE, "commune", WHOLE)]),
        ((5.52, 46.05), [(1, OTHER, "zone", "Secteur de la Mairie")]),
        ((5.12, 46.05), []),
        ((2.35, 48.85), []),
    ],
)
def test_the_lycees_of_an_address(filled: StandIn, arguments: tuple[Any, ...], expected: list[tuple[Any, ...]]) -> None:
    assert lycees_of(filled, *arguments) == expected


def lycees_of(filled: StandIn, *arguments: str | float) -> list[tuple[Any, ...]]:
    """What the SQL function returns for these arguments, without the rule and the row's number."""
    placeholders = sql.SQL(", ").join([sql.Placeholder()] * len(arguments))
    statement = sql.SQL("SELECT rang, uai, evidence, evidence_label FROM educational_data.lycees_de_secteur({})")
    with filled.database.connect() as connection:
        connection.execute("SET search_path = pg_catalog")
        return connection.execute(statement.format(placeholders), arguments).fetchall()


def test_the_evidence_is_a_row_of_the_table(filled: StandIn) -> None:
    for call, table in (
        ("lycees_de_secteur('01002', 'rue du Bac', 3)", "sectorisation_segments"),
        ("lycees_de_secteur(5.42, 46.05)", "sectorisation_zones"),
    ):
        statement = sql.SQL(
            "SELECT e.rule = t.rule AND e.uai = t.uai_lycees[e.rang] FROM {} e JOIN {} t ON t.id = evidence_id"
        )
        with filled.database.connect() as connection:
            answers = connection.execute(statement.format(sql.SQL(call), sql.Identifier(table))).fetchall()
        assert answers and set(answers) == {(True,)}


def test_every_segment_is_found_by_its_own_numbers(filled: StandIn) -> None:
    """Whatever the spelling of the street, and at both bounds."""
    rows = filled.rows(
        "SELECT s.libelle_rue, n, s.uai_lycees, array(SELECT uai::varchar FROM "
        "lycees_de_secteur(s.code_commune, s.libelle_rue, n)) FROM sectorisation_segments AS s, "
        "unnest(ARRAY[coalesce(number_from, 1), coalesce(number_to, 9999)]) AS n WHERE uai_lycees IS NOT NULL"
    )
    assert len(rows) == 6
    assert all(lycees == answer for _, _, lycees, answer in rows)


@pytest.mark.parametrize("call", ["lycees_de_secteur('01002', 'rue du Bac', 3)", "lycees_de_secteur(5.42, 46.05)"])
def test_answers_come_from_indexes(filled: StandIn, call: LiteralString) -> None:
    with filled.database.connect() as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(sql.SQL("EXPLAIN SELECT * FROM {}").format(sql.SQL(call))).fetchall()
    text = "\n".join(str(line) for (line,) in plan)
    assert "Seq Scan" not in text
    assert "Index" in text


def test_answers_are_the_same_after_schemas_swap_names(filled: StandIn) -> None:
    with filled.database.connect() as connection:
        connection.execute("ALTER SCHEMA educational_data RENAME TO former")
        connection.execute("SET search_path = pg_catalog")
        for call in ("lycees_de_secteur('01002', 'rue du Bac', 3)", "lycees_de_secteur(5.42, 46.05)"):
            statement = sql.SQL("SELECT count(*) > 0 FROM former.{}").format(sql.SQL(call))
            assert connection.execute(statement).fetchone() == (True,)


def test_the_checks_pass_or_say_what_is_wrong(filled: StandIn) -> None:
    codes = {WEST: "Collège", EAST: "Collège", PARISIAN: "Collège", LYCEE: "Lycée", THIRD: "Lycée", WHOLE: "Lycée"}
    with filled.database.connect() as connection:
        for code, kind in codes.items():
            put(connection, "annuaire_education", uai=code, type_etablissement=kind, nom_etablissement="x")
        connection.commit()
    results = {(result.table, result.name): result for name in TABLES for result in filled.check(name)}
    red = {key for key, result in results.items() if not result.passed}
    assert red == {
        ("sectorisation_segments", "open_schools"),
        ("sectorisation_zones", "open_schools"),
        ("sectorisation_zones", "covered"),
    }
    assert results["sectorisation_segments", "open_schools"].metadata["examples"] == [f"{OTHER} (3 rows)"]
    assert results["sectorisation_zones", "covered"].metadata["examples"] == ["01005 (50%)"]
    assert results["sectorisation_zones", "overlaps"].passed and results["sectorisation_zones", "geometries"].passed
    assert results["data_quality_metrics", "match_rate"].metadata["rates"] == {"01": 0.7143}


def test_overlaps_and_communes_without_zone_are_found(filled: StandIn) -> None:
    with filled.database.connect() as connection:
        connection.execute(
            "UPDATE sectorisation_zones SET geometry = postgis.ST_Translate(geometry, 0.01, 0) WHERE nature = 'fournie'"
        )
        connection.execute(
            "UPDATE sectorisation_zones SET geometry = postgis.ST_Expand(geometry, 0.02) WHERE code_commune = '01003'"
        )
        connection.execute("DELETE FROM sectorisation_zones WHERE code_commune = '01001'")
        connection.execute("UPDATE data_quality_metrics SET osm_matched = 3")
        connection.commit()
    results = {result.name: result for result in filled.check("sectorisation_zones")}
    assert results["overlaps"].metadata["pairs"] == 2
    assert (results["overlaps"].passed, results["overlaps"].severity) == (False, "error")
    assert results["covered"].metadata["examples"][0] == "01001 (0%)"
    (rate,) = filled.check("data_quality_metrics", ["match_rate"])
    assert (rate.passed, rate.metadata["low"]) == (False, ["01 42.9%"])


def test_a_strip_narrower_than_rounding_is_no_overlap(filled: StandIn) -> None:
    with filled.database.connect() as connection:
        connection.execute(
            "DELETE FROM sectorisation_zones WHERE id NOT IN (SELECT id FROM sectorisation_zones LIMIT 2)"
        )
        (first,), (second,) = connection.execute("SELECT id FROM sectorisation_zones").fetchall()
        statement = sql.SQL(
            "UPDATE sectorisation_zones SET geometry = postgis.ST_MakeEnvelope({}, {}, {}, 1, 4326) WHERE id = {}"
        )
        connection.execute(statement.format(0, 0, 1, first))
        for width, pairs in ((0.5e-7, 0), (3e-7, 1)):
            connection.execute(statement.format(1 - width, 0, 2, second))
            connection.commit()
            (check,) = filled.check("sectorisation_zones", ["overlaps"])
            assert check.metadata["pairs"] == pairs


def test_overlaps_are_recomputed_only_for_changed_rows(filled: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    overlapping = overlaps.overlapping

    def spy(zones: Any) -> Any:
        computed.append(len(zones))
        return overlapping(zones)

    monkeypatch.setattr(overlaps, "overlapping", spy)

    def check() -> tuple[CheckResult, bool]:
        computed.clear()
        (result,) = filled.check("sectorisation_zones", ["overlaps"])
        return result, any(computed)

    first, _ = check()
    assert check() == (first, False)
    with filled.database.connect() as connection:
        connection.execute("UPDATE sectorisation_zones SET geometry = postgis.ST_Expand(geometry, 0.02)")
        connection.commit()
    again, recomputed = check()
    assert recomputed and first.passed and not again.passed
    assert check() == (again, False)
    monkeypatch.setattr(running, "module_digest", lambda module: f"other code of {module}")
    assert check()[1]


def test_maps_are_drawn(filled: StandIn) -> None:
    for name in TABLES[:2]:
        picture = plots.plot(name, filled.database)
        assert picture is not None and picture.startswith(b"\x89PNG")


def test_a_second_load_changes_only_changed_rows(filled: StandIn) -> None:
    again = filled.load("sectorisation_zones", force=True).load
    assert (again.strategy, again.added, again.changed, again.removed) == ("nothing", 0, 0, 0)
    put_supplied(filled, "Secteur de la Mairie", THIRD)
    changed = filled.load("sectorisation_segments").load
    assert (changed.added, changed.changed, changed.removed) == (0, 1, 0)


def test_unusable_lines_are_refused_unmatched_ones_explained(communes: StandIn) -> None:
    good = [street("01002", f"RUE {number}", WEST) for number in range(40)]
    other = [street("01002", "RUE DU LAC", ""), street("01777", "RUE DU BAC", WEST), whole("01001", WEST)]
    communes.put(COLLEGES, f"{COLLEGES}.csv", csv_of(COLLEGE_NAMES, *good, *other))
    communes.put("ban", "adresses-01.csv.gz", gzip.compress(csv_of(ADDRESS_NAMES, *ADDRESSES).encode()))
    loaded = communes.load("sectorisation_segments").load
    assert (loaded.rows, loaded.refused, loaded.unknown) == (41, 1, {"code_commune": 1})
    ((reasons, row),) = communes.rows("SELECT reasons, row FROM edu_pipeline.refused_rows")
    assert "expected the code of a school (UAI), found none" in reasons
    assert row["libelle_rue"] == "RUE DU LAC"
    assert communes.rows("SELECT motif, geometry FROM sectorisation_segments WHERE code_commune = '01777'") == [
        ("no address of commune 01777 in the BAN", None)
    ]
    ((motif,),) = communes.rows("SELECT motif FROM sectorisation_segments WHERE libelle_rue = 'RUE 7'")
    assert motif.startswith("no street like RUE 7 among the 2 streets of 01002")


def test_the_example_in_the_guide_is_read_and_refused(tmp_path: Path) -> None:
    """Its code does not exist, so that it cannot be loaded by mistake."""
    (block,) = re.findall(r"```csv\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    example = from_text("sectorisation_segments", "editorial_sectorisation_segments", block.splitlines(), tmp_path)
    refused = conformed(
        "sectorisation_segments",
        fr_en_carte_scolaire_colleges_publics=example.clear().with_columns(secteur_unique=pl.lit("N")),
        editorial_sectorisation_segments=example,
        ban=Parts([], lambda _: pl.LazyFrame()),
    ).refused
    (reasons,) = refused["reasons"].to_list()
    assert "uai_lycees_1: expected check letter, found 9990001A" in reasons


def test_without_any_address_file_the_tables_wait(communes: StandIn) -> None:
    communes.put(COLLEGES, f"{COLLEGES}.csv", csv_of(COLLEGE_NAMES, *LINES))
    with pytest.raises(SourceMissing, match="a part of ban"):
        communes.load("sectorisation_segments")
    communes.put("ban", "adresses-75.csv.gz", gzip.compress(csv_of(ADDRESS_NAMES).encode()))
    assert communes.load("sectorisation_segments").load.rows == 5
    assert communes.rows("SELECT count(*) FROM sectorisation_segments WHERE motif IS NOT NULL") == [(5,)]


def test_parts_are_read_on_access() -> None:
    read_parts = []

    def read(name: str) -> pl.LazyFrame:
        read_parts.append(name)
        return pl.LazyFrame({"part": [name]})

    parts = Parts(["01", "75"], read)
    assert (list(parts), "75" in parts, parts.get("13"), read_parts) == (["01", "75"], True, None, [])
    assert parts["01"].collect()["part"].to_list() == ["01"]
    assert read_parts == ["01"]
