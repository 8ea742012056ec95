"""The invented country: what is true of it no matter who publishes it.

Belongs here: départements, communes, arrondissements, their former codes and contours. Does not belong here: how the
land is divided into cells (`lattice.py`), the events behind the former codes (`passages.py`), schools and streets
(`world.py`), what is not invented (`territory.py`), any publisher's form (`publishers/`).
"""

from __future__ import annotations

from functools import cached_property

import geopandas
import numpy as np
import polars as pl
import shapely

from edu_pipeline.sample import lattice, territory
from edu_pipeline.sample.edition import Edition
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.numbering import municipal_digits, postal_code, with_check_digit
from edu_pipeline.sample.passages import passages_of
from edu_pipeline.vocabulary import regions
from edu_pipeline.vocabulary.arrondissements import COMMUNES as CITY_OF_ARRONDISSEMENT

STEMS = items("""
    Exempleville; Modèlebourg; Saint-Spécimen; L'Essai-sur-Rivière; La Chapelle-Fictive; Échantillon-le-Vieux;
    Témoigny; Cœur-d'Exemple; Le Mesnil-Imaginé; Sainte-Maquette-les-Bains; Prototypes; Villeneuve-l'Inventée
""")

MEDIAN, SPREAD, LARGEST = 420, 1.4, 480_000
"""Inhabitants of the communes: log-normal, about as in France."""
DENSE_SPREAD = 0.6
"""Their spread where all communes are towns."""
CAPITAL = 4
"""Factor by which the largest commune of each département grows beyond what was drawn."""
ARRONDISSEMENT, ARRONDISSEMENT_SPREAD = 75_000, 0.5
"""Inhabitants of the municipal arrondissements, likewise."""
DWELLINGS = 0.55
"""Dwellings per inhabitant."""

SECOND_POSTAL_CODE = 0.011
"""Share of the communes with two postal codes."""

BASSIN, EPCI = (4, 5), (5, 6)
"""Rows and columns of cells in a bassin de vie and in a group of communes."""

DESTROYED = {"national": {"55": 6}, "sample": {"35": 2}}
"""Number of communes destroyed in the First World War, with 0 inhabitants, by scale and département."""
UNKNOWN = {"national": {"984": 5, "989": 1}, "sample": {"2A": 1}}
"""Number of communes without a known population, by scale and département."""
WITHOUT_POSTAL_CODE = {"national": "984", "sample": "2A"}
"""Département whose communes of unknown population have no postal code either."""


class Country(Edition):
    """The invented country.

    All frames are made when first needed, and sorted by code.
    """

    @cached_property
    def departements(self) -> pl.DataFrame:
        """Départements and collectivities with their region, académie and région académique.

        A collectivity is its own region; the four collectivities outside any académie have null there.
        """
        rows = [territory.DEPARTEMENTS[code] for code in sorted(self._counts)]
        frame = pl.DataFrame(
            {
                "code": [row.code for row in rows],
                "nom": [row.nom for row in rows],
                "code_region": [row.code_region for row in rows],
                "nom_region": [regions.REGIONS.get(row.code_region, row.nom) for row in rows],
                "code_academie": [row.code_academie or None for row in rows],
            }
        )
        academies = pl.DataFrame(
            [(code, *values) for code, values in territory.ACADEMIES.items()],
            schema=["code_academie", "nom_academie", "code_region_academique"],
            orient="row",
        )
        return frame.join(academies, on="code_academie", how="left", maintain_order="left").with_columns(
            nom_region_academique=pl.col("code_region_academique").replace_strict(
                territory.REGIONS_ACADEMIQUES, default=None
            )
        )

    @cached_property
    def communes(self) -> pl.DataFrame:
        """The communes in force, Paris, Lyon and Marseille whole."""
        collectivity = pl.col("code_region") == pl.col("code_departement")
        without_group = collectivity | (pl.col("code") == self._island)
        own_number = pl.col("code").str.strip_prefix(pl.col("code_departement")).str.strip_chars_start("0")
        cells = self._cells.join(
            self.departements.select("code_region", code_departement="code"), on="code_departement"
        ).sort("code")
        count = cells.height
        shift = self.rng("communes", "centre").uniform(-0.08, 0.08, (2, count))
        stems = pl.Series(self.rng("communes", "nom").choice(STEMS, count))
        city = pl.col("code").replace_strict(territory.CITY_NAMES, default=None)
        frame = (
            cells.with_columns(
                nom=pl.coalesce(city, stems + "-" + own_number) + pl.lit(" (inventée)"),
                population=self._population(cells),
                longitude=(pl.col("longitude") + pl.col("width") * pl.Series(shift[0])).round(4),
                latitude=(pl.col("latitude") + pl.col("height") * pl.Series(shift[1])).round(4),
                bassin=_block(BASSIN),
                epci=_block(EPCI).rank("dense"),
                siren=pl.when(~collectivity).then(with_check_digit(municipal_digits())),
            )
            .with_columns(
                logements=self._dwellings("communes", count),
                code_epci=pl.when(~without_group).then(
                    with_check_digit(pl.lit("2000") + pl.col("epci").cast(pl.String).str.zfill(4))
                ),
            )
            .join(self._cities, on="code", how="left", maintain_order="left")
            .with_columns(pl.coalesce(f"{name}_right", name).alias(name) for name in ("population", "logements"))
            .with_columns(code_bassin=pl.col("code").sort_by("population", nulls_last=False).last().over("bassin"))
        )
        return frame.select(
            *("code", "nom", "code_departement", "code_region"),
            self._postal_codes(count),
            *("population", "logements", "longitude", "latitude", "siren", "code_epci", "code_bassin"),
        )

    @cached_property
    def arrondissements(self) -> pl.DataFrame:
        """All 45 municipal arrondissements, each within its city's cell."""
        codes = sorted(CITY_OF_ARRONDISSEMENT)
        numbers = [int(code[-1:] if code.startswith("69") else code[-2:]) for code in codes]
        rng = self.rng("arrondissements")
        population = np.round(ARRONDISSEMENT * rng.lognormal(0, ARRONDISSEMENT_SPREAD, len(codes))).astype(int)
        place = np.array([divmod(number - 1, 5) for number in numbers]) / [3, 4] - 0.5
        frame = pl.DataFrame(
            {
                "code": codes,
                "code_commune_parent": [CITY_OF_ARRONDISSEMENT[code] for code in codes],
                "number": numbers,
                "population": population,
                "shift_y": place[:, 0] * 0.24,
                "shift_x": place[:, 1] * 0.24,
            }
        ).with_columns(code_departement=pl.col("code").str.slice(0, 2))
        cities = self._cells.select("longitude", "latitude", "width", "height", code_commune_parent="code")
        regions_of = self.departements.select("code_region", code_departement="code")
        ending = pl.when(pl.col("number") == 1).then(pl.lit("er")).otherwise(pl.lit("e"))
        city = pl.col("code_commune_parent").replace(territory.CITY_NAMES)
        two_digits = pl.col("number").cast(pl.String).str.zfill(2)
        return (
            frame.join(cities, on="code_commune_parent", maintain_order="left")
            .join(regions_of, on="code_departement", maintain_order="left")
            .select(
                "code",
                pl.format("{} {}{} Arrondissement (inventé)", city, "number", ending).alias("nom"),
                "code_commune_parent",
                pl.format("{}0{}", "code_departement", two_digits).alias("code_postal"),
                "population",
                self._dwellings("arrondissements", len(codes)),
                (pl.col("longitude") + pl.col("shift_x") * pl.col("width")).round(4),
                (pl.col("latitude") + pl.col("shift_y") * pl.col("height")).round(4),
                "code_departement",
                "code_region",
            )
        )

    @cached_property
    def places(self) -> pl.DataFrame:
        """Communes and arrondissements: the three cities are there twice, whole and in parts."""
        columns = ["code", "nom", "code_departement", "code_region", "population", "logements", "longitude", "latitude"]
        parts = self.arrondissements.join(
            self.communes.select("code_bassin", code_commune_parent="code"), on="code_commune_parent"
        )
        frames = [self.communes.select(*columns, "code_bassin"), parts.select(*columns, "code_bassin")]
        return pl.concat(frames).sort("code")

    @cached_property
    def postal_codes(self) -> pl.DataFrame:
        """code and code_postal of the places: the first one, where a commune has several."""
        communes = self.communes.select("code", code_postal=pl.col("codes_postaux").list.first())
        return pl.concat([communes, self.arrondissements.select("code", "code_postal")])

    @cached_property
    def passages(self) -> pl.DataFrame:
        """How former codes became those in force: see ``passages.passages_of``."""
        _, unused = self._numbers
        return passages_of(self.communes, unused, self.rng("passages"))

    @cached_property
    def contours(self) -> geopandas.GeoDataFrame:
        """code, nom, geometry (WGS 84) of the communes: neighbours share the points of their border.

        One commune of Guadeloupe is an island of its own, one of Corse-du-Sud has an islet off its coast.
        """
        codes: list[str] = []
        shapes = []
        for number, land in enumerate(territory.LANDS):
            cells = self._cells.filter(pl.col("land") == number)
            if cells.is_empty():
                continue
            rings = lattice.rings(
                cells["row"].to_numpy(), cells["column"].to_numpy(), land, self.rng("contours", str(number))
            )
            rings[cells["is_island"].to_numpy(), :, 0] += 2 * land.width
            codes += cells["code"].to_list()
            shapes.append(shapely.polygons(np.round(rings, 5)))
        frame = geopandas.GeoDataFrame({"code": codes}, geometry=np.concatenate(shapes), crs=4326).sort_values("code")
        whole = frame.loc[frame["code"] == self._coast, "geometry"].item()
        width, height = (0.2 * side for side in (territory.LANDS[1].width, territory.LANDS[1].height))
        west, south = whole.centroid.x, whole.bounds[1] - 3 * height
        islet = shapely.set_precision(shapely.box(west, south, west + width, south + height), 1e-5)
        frame["geometry"] = frame["geometry"].where(frame["code"] != self._coast, shapely.MultiPolygon([whole, islet]))
        frame.insert(1, "nom", self.communes["nom"].to_list())
        return frame.reset_index(drop=True)

    @cached_property
    def _counts(self) -> dict[str, int]:
        """Number of communes by département."""
        if self.scale == "sample":
            return territory.SAMPLE
        return {code: row.communes for code, row in territory.DEPARTEMENTS.items()}

    @cached_property
    def _numbers(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The codes in force, and the unused ones, by département."""
        in_force, unused = {}, {}
        for departement, count in self._counts.items():
            digits = 5 - len(departement)
            highest = min(10**digits - 1, count + max(2, -(-count * 3 // 20)))
            city = [code for code in territory.CITY_NAMES if code.startswith(departement)]
            others = [f"{departement}{number:0{digits}}" for number in range(1, highest + 1)]
            others = (
                self.rng("numbers", departement).permutation([code for code in others if code not in city]).tolist()
            )
            in_force[departement] = city + others[: count - len(city)]
            unused[departement] = sorted(others[count - len(city) :])
        return in_force, unused

    @cached_property
    def _cells(self) -> pl.DataFrame:
        """The communes' cells; a city with arrondissements has the one in the middle of its département."""
        departements = territory.DEPARTEMENTS
        cells = lattice.cells(
            territory.LANDS,
            {code: row.communes for code, row in departements.items()},
            {code: (row.longitude, row.latitude) for code, row in departements.items()},
        )
        cells = lattice.from_the_middle(cells, self._counts)
        in_force, _ = self._numbers
        groups = cells.group_by("code_departement", maintain_order=True)
        codes = [code for (departement,), _ in groups for code in in_force[str(departement)]]
        island = cells.with_row_index().filter(pl.col("code_departement") == "971").sort("longitude")["index"][-1]
        return (
            cells.with_columns(code=pl.Series(codes))
            .with_columns(is_island=pl.int_range(pl.len()) == island)
            .with_columns(longitude=pl.col("longitude") + 2 * pl.col("width") * pl.col("is_island"))
            .sort("code")
        )

    @property
    def cell_sizes(self) -> pl.DataFrame:
        """code, width and height (degrees): roughly how large each commune is."""
        return self._cells.select("code", "width", "height")

    @cached_property
    def _island(self) -> str:
        """The commune that is an island."""
        return str(self._cells.filter("is_island")["code"].item())

    @cached_property
    def _coast(self) -> str:
        """The commune with an islet: the southernmost of Corsica."""
        return str(self._cells.filter(pl.col("code_departement") == "2A").sort("latitude", "code")["code"][0])

    @cached_property
    def _cities(self) -> pl.DataFrame:
        """Population and dwellings of the cities with arrondissements, by code."""
        return self.arrondissements.group_by(code="code_commune_parent").agg(pl.col("population", "logements").sum())

    def _population(self, cells: pl.DataFrame) -> pl.Series:
        """Inhabitants of the communes; those of the three cities are replaced by the sums of their arrondissements."""
        rng = self.rng("population")
        factor = cells["code_departement"].replace_strict(territory.DENSE, default=1).to_numpy()
        drawn = np.exp(np.where(factor < 20, SPREAD, DENSE_SPREAD) * rng.standard_normal(cells.height))
        population = pl.Series("population", MEDIAN * factor * drawn)
        frame = cells.select("code_departement", population)
        largest = pl.col("population") == pl.col("population").max().over("code_departement")
        grown = pl.when(largest).then(pl.col("population") * CAPITAL).otherwise("population")
        population = frame.select(grown.clip(12, LARGEST).round().cast(pl.Int64)).to_series()
        for values, value in ((DESTROYED, 0), (UNKNOWN, None)):
            for departement, count in values[self.scale].items():
                rows = (cells["code_departement"] == departement).arg_true().to_numpy()
                population = population.scatter(rng.choice(rows, count, replace=False), value)
        return population

    def _dwellings(self, name: str, count: int) -> pl.Expr:
        """Dwellings that go with the column ``population`` of ``count`` rows."""
        factor = pl.Series(DWELLINGS * self.rng("dwellings", name).lognormal(0, 0.15, count))
        return (pl.col("population").fill_null(0) * factor).round().cast(pl.Int64).alias("logements")

    def _postal_codes(self, count: int) -> pl.Expr:
        """The postal codes of ``count`` rows: those of a city's arrondissements, else one or two of its bassin."""
        code = postal_code()
        has_two = pl.Series(self.rng("postal").random(count) < SECOND_POSTAL_CODE)
        second = pl.when(has_two).then(code.str.slice(0, 4) + "5")
        without_code = pl.col("code_departement") == WITHOUT_POSTAL_CODE[self.scale]
        has_none = pl.col("population").is_null() & without_code
        arrondissements = self.arrondissements.group_by("code_commune_parent").agg(pl.col("code_postal").sort())
        cities = dict(arrondissements.iter_rows())
        return (
            pl.when(pl.col("code").is_in(list(cities)))
            .then(pl.col("code").replace_strict(cities, default=None, return_dtype=pl.List(pl.String)))
            .when(has_none)
            .then(pl.lit([], dtype=pl.List(pl.String)))
            .otherwise(pl.concat_list(code, second).list.drop_nulls())
            .alias("codes_postaux")
        )


def _block(size: tuple[int, int]) -> pl.Expr:
    """The number of the block that a cell lies in, of blocks of so many rows and columns."""
    rows, columns = size
    return pl.col("land") * 1_000_000 + (pl.col("row") + 500) // rows * 1_000 + (pl.col("column") + 500) // columns
