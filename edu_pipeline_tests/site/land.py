"""What the map of the tests shows: the contours of the communes, schools with results, and sectors of two communes.

Belongs here: rows for the map. Does not belong here: the communes themselves (``communes.py``).
"""

from __future__ import annotations

import shapely

from edu_pipeline.database.connection import Connection, Database
from edu_pipeline_tests.database.rows import put
from edu_pipeline_tests.site.communes import COUNT, name_of

COLUMNS, SIDE, WEST, SOUTH = 12, 0.06, 4.0, 45.6
"""The communes are squares in a lattice; degrees."""

NEAR, FAR, COLLEGE = "0010101A", "0010102B", "0010103C"
"""Two lycées in ``WITH_STREETS``, and a collège."""

WITH_STREETS, WHOLE = "01105", "01106"
"""A commune whose streets lead to lycées, and one that leads to one as a whole."""

STREETS = (
    ("RUE DES LILAS", 1, 99, "impair", [NEAR], "direct"),
    ("RUE DES LILAS", 2, 98, "pair", [FAR, NEAR], "direct"),
    ("RUE DES LILAS", None, None, "tous", [FAR], "colleges > lycees"),
    ("AVENUE DU MARECHAL FOCH", None, None, "tous", [FAR], "colleges > lycees"),
    ("PLACE DU 11 NOVEMBRE", None, 10, "tous", None, "direct"),
)
"""Street, first and last number, side, lycées, rule."""

ADDRESSES = (
    ("RUE DES LILAS", 7),
    ("RUE DES LILAS", 8),
    ("RUE DES LILAS", 100),
    ("AVENUE DU MARECHAL FOCH", 3),
    ("PLACE DU 11 NOVEMBRE", 3),
    ("RUE INCONNUE", 3),
)
"""Some that have lycées for different reasons, and some that have none."""


def square(number: int) -> shapely.Polygon:
    """The contour of a commune of ``communes.py``."""
    x, y = WEST + SIDE * (number % COLUMNS), SOUTH + SIDE * (number // COLUMNS)
    return shapely.box(x, y, x + SIDE, y + SIDE)


def put_land(database: Database) -> None:
    """Put contours, incomes, schools and sectors into the country; every fourth commune has no income."""
    with database.connect() as connection:
        for number in range(COUNT):
            code = f"01{number + 100:03}"
            contour = _hex(shapely.MultiPolygon([square(number)]))
            put(connection, "commune_boundaries", code_commune=code, nom_commune=name_of(number), geometry=contour)
            if number % 4:
                income = {"mediane_niveau_vie": 15_000 + 100 * number}
                put(connection, "merged_revenu_commune_bassin_2021", code_commune=code, **income)
        _put_schools(connection)
        _put_sectors(connection)


def _put_schools(connection: Connection) -> None:
    middle = square(5).centroid
    for number, (uai, name) in enumerate({NEAR: "LYCEE DES LILAS", FAR: "LYCEE FOCH"}.items()):
        place = {"latitude": middle.y, "longitude": middle.x + 0.01 * number, "code_commune": WITH_STREETS}
        put(connection, "annuaire_education", uai=uai, nom_etablissement=name, address="1 rue des Lilas", **place)
        result = {"annee": 2024, "taux_reussite_toutes_series": 90 + number, "code_departement": "01"}
        put(connection, "aggregated_data_lycees_2024", uai=uai, etablissement=name, secteur="public", **result)
    put(connection, "specialites_lycees", uai=NEAR, specialites_array=["Mathématiques", "Physique-chimie"])


def _put_sectors(connection: Connection) -> None:
    where = {"code_departement": "01", "code_commune": WITH_STREETS}
    for number, (street, first, last, side, lycees, rule) in enumerate(STREETS, start=10):
        numbers = {"number_from": first, "number_to": last, "side": side}
        schools = {"uai_lycees": lycees, "uai_colleges": [COLLEGE], "rule": rule}
        put(connection, "sectorisation_segments", id=number, libelle_rue=street, **where, **numbers, **schools)
    for number, (code, nature, shape) in enumerate(
        ((WITH_STREETS, "partie", square(5)), (WHOLE, "commune", square(6))), start=20
    ):
        zone = {"code_departement": "01", "code_commune": code, "nature": nature, "geometry": _hex(shape)}
        put(connection, "sectorisation_zones", id=number, zone_name=f"Zone {number}", uai_lycees=[NEAR], **zone)


def _hex(shape: shapely.Geometry) -> str:
    return str(shapely.to_wkb(shapely.set_srid(shape, 4326), hex=True, include_srid=True))
