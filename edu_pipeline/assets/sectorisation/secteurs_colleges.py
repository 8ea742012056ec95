"""secteurs_colleges: the sectors of collèges that a city publishes as areas, with the collèges' codes.

Does not belong here: the streets and zones that follow from them (sectorisation_segments, sectorisation_zones), layers
that have codes and no areas.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dataframely as dy
import polars as pl
import shapely

from edu_pipeline import contracts as c
from edu_pipeline import ewkb
from edu_pipeline.flow import newest, once
from edu_pipeline.sectors import numbering, rules, schools, zoning
from edu_pipeline.sectors.schools import School
from edu_pipeline.table import table

SECTORS = "paris_secteurs_colleges"
PARIS = "75"
COLLEGES = 4
"""A sector has at most so many collèges."""


class SecteursColleges(c.Contract):
    """The area that a city assigns to one collège, or to several that share it, in the latest school year published.

    The publisher gives names and addresses; the codes are those of the only public collèges of the département that
    these mean. A sector of which one name is unknown or ambiguous is refused, with the candidates. The areas leave out
    the width of streets: an address outside all of them belongs to the nearest one within 30 m. Paris only. The areas
    are under the ODbL.
    """

    id = c.integer("Number of the row, the same at every load.", key=True, min=1, max=numbering.LARGEST)
    code_departement = c.code_departement(required=True)
    nom_secteur = c.text("The publisher's name for the sector.", upstream={SECTORS: "libelle"})
    noms_colleges = c.texts("Names of the collèges as the publisher writes them.", required=True, min_length=1)
    uai_colleges = c.texts(
        "Collèges of the sector, sorted by code.", length=8, pattern=c.UAI, required=True, min_length=1
    )
    rentree_scolaire = c.text(
        "School year, e.g. 2026-2027.",
        length=9,
        required=True,
        pattern="^[0-9]{4}-[0-9]{4}$",
        upstream={SECTORS: "annee_scol"},
    )
    rule = c.text("The source.", required=True)
    geometry = c.geometry(
        "The sector as published, WGS 84.", "MultiPolygon", required=True, upstream={SECTORS: "geo_shape"}
    )

    @dy.rule()
    def schools_have_codes(cls) -> pl.Expr:
        """codes of schools (UAI) with valid check letters"""
        return rules.are_codes("uai_colleges")


NAMES, ADDRESSES = ([f"{what}_etab_{number}" for number in range(1, COLLEGES + 1)] for what in ("lib", "adr"))


@table(
    SecteursColleges,
    needs={SECTORS: [*NAMES, *ADDRESSES]},  # and all of the directory, which is not to stop for what this table lacks
    may_be_empty=[*NAMES[1:], *ADDRESSES],
    max_refused=0.1,
)
def secteurs_colleges(
    annuaire_education: pl.LazyFrame, paris_secteurs_colleges: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """Find the collèges of each sector in the directory, and read its area; without the file there are no rows."""
    if paris_secteurs_colleges is None:
        return SecteursColleges.create_empty(lazy=True)
    rows = once(newest(paris_secteurs_colleges, "rentree_scolaire"), []).collect()
    colleges = annuaire_education.filter(
        type_etablissement="Collège", statut_public_prive="public", code_departement=PARIS
    )
    known = [schools.school(*row) for row in colleges.select("uai", "nom_etablissement", "address").collect().rows()]
    read = [_sector(row, known) for row in rows.iter_rows(named=True)]
    texts, text = pl.List(pl.String), pl.String()
    columns = {"noms_colleges": texts, "uai_colleges": texts, "geometry": text, "refused_because": text}
    sectors = (
        rows.drop("geometry")
        .hstack(pl.DataFrame(read, schema=columns))
        .with_columns(code_departement=pl.lit(PARIS), rule=pl.lit(rules.PARIS_SECTORS))
    )
    (numbered,) = numbering.numbered([sectors.with_columns(numbering.hashed(sectors, ["rule", "nom_secteur"]))])
    return numbered.drop(NAMES, ADDRESSES).lazy()


def _sector(row: Mapping[str, Any], known: list[School]) -> dict[str, Any]:
    """Names, codes and area of a sector, or what is wrong with it."""
    names = [(row[name], row[address]) for name, address in zip(NAMES, ADDRESSES, strict=True) if row[name]]
    found = [schools.find(name, address, known) for name, address in names]
    area = zoning.polygons(row["geometry"])
    codes = sorted({one.uai for one in found if one.uai})
    return {
        "noms_colleges": [name for name, _ in names],
        "uai_colleges": codes,
        "geometry": ewkb.encoded([shapely.multipolygons(area)])[0] if area else None,
        "refused_because": "; ".join(_complaints(bool(names), [one.reason for one in found], bool(area))) or None,
    }


def _complaints(has_names: bool, reasons: list[str | None], has_area: bool) -> Iterator[str]:
    if not has_names:
        yield "lib_etab_1: expected the name of a collège, found none"
    yield from filter(None, reasons)
    if not has_area:
        yield "geo_shape: expected a polygon as GeoJSON, found something else"
