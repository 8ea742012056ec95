"""The invented country: what is true of it whoever publishes it.

Belongs here: départements, communes and their former codes, contours, and the random numbers that publishers draw
from. Everything follows from scale, seed and releases. Does not belong here: how the land is cut (`lattice.py`), how
the schools are made (`schools.py`), what is not invented (`territory.py`), any publisher's form (`publishers/`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Literal, get_args

import geopandas
import numpy as np
import polars as pl
import shapely

from edu_pipeline.sample import lattice, territory
from edu_pipeline.sample.schools import schools_of
from edu_pipeline.sample.streets import all_streets
from edu_pipeline.vocabulary import regions
from edu_pipeline.vocabulary.arrondissements import COMMUNES as CITY_OF_ARRONDISSEMENT

Scale = Literal["sample", "national"]

STEMS = (
    "Exempleville", "Modèlebourg", "Saint-Spécimen", "L'Essai-sur-Rivière", "La Chapelle-Fictive",
    "Échantillon-le-Vieux", "Témoigny", "Cœur-d'Exemple", "Le Mesnil-Imaginé", "Sainte-Maquette-les-Bains",
    "Prototypes", "Villeneuve-l'Inventée",
)  # fmt: skip
CITY_NAMES = {"13055": "Marseille", "69123": "Lyon", "75056": "Paris"}

MEDIAN, SPREAD, LARGEST = 420, 1.4, 480_000
"""Inhabitants of the communes: log-normal, about as in France."""
DENSE_SPREAD = 0.6
"""Their spread where all communes are towns."""
CAPITAL = 4
"""How many times as populous as drawn the largest commune of a département is."""
ARRONDISSEMENT, ARRONDISSEMENT_SPREAD = 75_000, 0.5
"""Inhabitants of a municipal arrondissement, likewise."""
DWELLINGS = 0.55
"""Dwellings per inhabitant."""

SECOND_POSTAL_CODE = 0.011
"""Share of the communes with two postal codes."""

BASSIN, EPCI = (4, 5), (5, 6)
"""Rows and columns of cells in a bassin de vie and in a group of communes."""

DESTROYED = {"national": {"55": 6}, "sample": {"35": 2}}
"""Number of communes that were never rebuilt after 1918 and have 0 inhabitants, by scale and département."""
UNKNOWN = {"national": {"984": 5, "989": 1}, "sample": {"2A": 1}}
"""Number of communes without a known population, by scale and département."""
WITHOUT_POSTAL_CODE = {"national": "984", "sample": "2A"}
"""Département in which those have no postal code either."""

MERGED = 0.03
"""Share of the communes into which others were merged."""
PERIODS = (
    ("2018", "2019", "2019-01-01"), ("2015", "2016", "2016-01-01"), ("2016", "2017", "2017-01-01"),
    ("2015", "2016", "2015-12-31"), ("2023", "2024", "2024-01-01"), ("2018", "2019", "2018-03-01"),
    ("2015", "2016", "2016-01-01"), ("2021", "2022", "2022-01-01"), ("2012", "2013", "2013-01-01"),
    ("2016", "2017", "2016-06-30"),
)  # fmt: skip
"""Geographies before and after, and the day between, of one merger after the other."""

LAST_OF_TABLE = "2024-01-01"
"""Day of the last changes that INSEE's table of passage has; the later ones are in its list of events only."""

MOVED, MOVED_BY = 0.01, 0.1
"""Share of the rows that a release changes, and by how much at most."""


class World:
    """The invented country at a scale: eight départements, or the whole.

    Args:
        releases: number of new releases since the first, by source; 0 where it is not named.

    All frames are made when first asked for, sorted by their code, and the same for the same arguments.
    """

    def __init__(self, scale: Scale = "sample", seed: int = 1, releases: Mapping[str, int] | None = None) -> None:
        if scale not in get_args(Scale):
            raise ValueError(f"scale must be one of {', '.join(get_args(Scale))}; found {scale!r}")
        self.scale: Scale = scale
        self.seed = seed
        self._releases = dict(releases or {})

    def rng(self, *names: str) -> np.random.Generator:
        """Random numbers of their own for each purpose, whatever was drawn before for another."""
        digest = hashlib.sha256("\n".join([str(self.seed), *names]).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big"))

    def release(self, source: str) -> int:
        """How many new releases of the source have been published since the first."""
        return self._releases.get(source, 0)

    def moved(self, frame: pl.DataFrame, source: str, *columns: str) -> pl.DataFrame:
        """The frame as of the source's release: each one gives a hundredth of the rows other values.

        A value comes up to a tenth nearer to 0, so that it stays within its bounds, with as many decimals as the
        column has; only a smallest value, such as a count of 1, is doubled. Nulls and zeros stay.
        """
        for release in range(1, self.release(source) + 1):
            rng = self.rng("moved", source, *columns, str(release))
            share = rng.uniform(0, MOVED_BY, frame.height)
            share[rng.permutation(frame.height)[round(MOVED * frame.height + 0.5) :]] = 0
            frame = frame.with_columns(_nearer_to_zero(frame[name], pl.Series(share)) for name in columns)
        return frame

    @cached_property
    def departements(self) -> pl.DataFrame:
        """Départements and collectivities with their region (code_, nom_region), académie and région académique.

        The four collectivities of no académie have null there; a collectivity's region has its own code and name.
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
        alone = collectivity | (pl.col("code") == self._island)
        own_number = pl.col("code").str.strip_prefix(pl.col("code_departement")).str.strip_chars_start("0")
        cells = self._cells.join(
            self.departements.select("code_region", code_departement="code"), on="code_departement"
        ).sort("code")
        count = cells.height
        shift = self.rng("communes", "centre").uniform(-0.08, 0.08, (2, count))
        stems = pl.Series(self.rng("communes", "nom").choice(STEMS, count))
        frame = (
            cells.with_columns(
                nom=pl.coalesce(pl.col("code").replace_strict(CITY_NAMES, default=None), stems + "-" + own_number)
                + pl.lit(" (inventée)"),
                population=self._population(cells),
                longitude=(pl.col("longitude") + pl.col("width") * pl.Series(shift[0])).round(4),
                latitude=(pl.col("latitude") + pl.col("height") * pl.Series(shift[1])).round(4),
                bassin=_block(BASSIN),
                epci=_block(EPCI).rank("dense"),
                siren=pl.when(~collectivity).then(_with_check_digit(_siren_digits())),
            )
            .with_columns(
                logements=self._dwellings("communes", count),
                code_epci=pl.when(~alone).then(
                    _with_check_digit(pl.lit("2000") + pl.col("epci").cast(pl.String).str.zfill(4))
                ),
            )
            .join(self._cities, on="code", how="left", maintain_order="left")
            .with_columns(pl.coalesce(f"{name}_right", name).alias(name) for name in ("population", "logements"))
            .with_columns(code_bassin=pl.col("code").sort_by("population", nulls_last=False).last().over("bassin"))
        )
        return frame.select(
            "code", "nom", "code_departement", "code_region",
            self._postal_codes(count),
            "population", "logements", "longitude", "latitude", "siren", "code_epci", "code_bassin",
        )  # fmt: skip

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
        city = pl.col("code_commune_parent").replace(CITY_NAMES)
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
        """Communes and arrondissements: the cities are in it twice, whole and in parts."""
        columns = ["code", "nom", "code_departement", "code_region", "population", "logements", "longitude", "latitude"]
        parts = self.arrondissements.join(
            self.communes.select("code_bassin", code_commune_parent="code"), on="code_commune_parent"
        )
        frames = [self.communes.select(*columns, "code_bassin"), parts.select(*columns, "code_bassin")]
        return pl.concat(frames).sort("code")

    @cached_property
    def passages(self) -> pl.DataFrame:
        """How former codes became those in force: geo_ini, geo_fin, cod_ini, cod_fin, date, typemodif, ratio.

        One former commune was merged into another that was merged itself three years later, one commune was split, one
        changed its code. A commune into which others were merged has a row from its code to itself. After
        ``LAST_OF_TABLE`` there are one merger and one split more, of which the ratios follow today's populations.
        """
        rng = self.rng("passages")
        _, free = self._numbers
        left = {code: rng.permutation(codes).tolist() for code, codes in free.items() if len(code) == 2}
        wholes = self.communes.filter(
            pl.col("code_departement").is_in(list(left)),
            ~pl.col("code").is_in(list(CITY_NAMES)),
            pl.col("population") > 0,
        )
        chosen = rng.permutation(wholes["code"].to_list()).tolist()
        count = round(MERGED * self.communes.height)
        rows: list[tuple[str, str, str, str, str, str, float]] = []
        for number, pole in enumerate(chosen[:count]):
            numbers = left[pole[:2]]
            formers = [numbers.pop() for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15])) if numbers]
            if not formers:
                continue
            since, until, day = PERIODS[number % len(PERIODS)]
            rows += [(since, until, code, pole, day, "f", 1.0) for code in (*formers, pole)]
            if number == 0:
                earlier = (numbers.pop(), formers[0])
                rows += [("2015", "2016", code, formers[0], "2016-01-01", "f", 1.0) for code in earlier]
        split, *others = chosen[count:]
        splinter = next(code for code in others if code[:2] == split[:2])
        recoded = next(code for code in others if code != splinter and left[code[:2]])
        rows += [
            ("2023", "2024", split, code, "2024-01-01", "d", part) for code, part in ((split, 0.7), (splinter, 0.3))
        ]
        rows.append(("2022", "2023", left[recoded[:2]].pop(), recoded, "2023-01-01", "c", 1.0))
        unchanged = [code for code in others if code not in (splinter, recoded)]
        rows += self._latest_passages(unchanged, left)
        names = ["geo_ini", "geo_fin", "cod_ini", "cod_fin", "date", "typemodif", "ratio"]
        return pl.DataFrame(rows, schema=names, orient="row").sort("date", "cod_fin", "cod_ini")

    def _latest_passages(
        self, unchanged: list[str], free: Mapping[str, list[str]]
    ) -> list[tuple[str, str, str, str, str, str, float]]:
        """A merger in 2025 and a split in 2026, of communes that nothing has happened to before."""
        pole = next(code for code in unchanged if free[code[:2]])
        rows = [("2024", "2025", code, pole, "2025-01-01", "f", 1.0) for code in (free[pole[:2]][-1], pole)]
        split, *others = (code for code in unchanged if code != pole)
        parts = [split, next(code for code in others if code[:2] == split[:2])]
        people = self.communes.filter(pl.col("code").is_in(parts)).select("code", "population").rows()
        total = sum(count for _, count in people)
        return rows + [("2025", "2026", split, code, "2026-01-01", "d", count / total) for code, count in people]

    @cached_property
    def contours(self) -> geopandas.GeoDataFrame:
        """code, nom, geometry (WGS 84) of the communes: cells that have the points of their borders in common.

        One commune of Guadeloupe is an island, one of Corse-du-Sud has an islet before its coast.
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
    def schools(self) -> pl.DataFrame:
        """Every open school, collège, lycée and service, by its code."""
        return schools_of(self)

    @cached_property
    def colleges(self) -> pl.DataFrame:
        """The schools that are collèges."""
        return self.schools.filter(pl.col("type") == "Collège")

    @cached_property
    def lycees(self) -> pl.DataFrame:
        """The schools that are lycées."""
        return self.schools.filter(pl.col("type") == "Lycée")

    @cached_property
    def lycees_gt(self) -> pl.DataFrame:
        """The lycées with a general or a technological track."""
        return self.lycees.filter(pl.col("voie_generale") | pl.col("voie_technologique"))

    @cached_property
    def streets(self) -> pl.DataFrame:
        """Every street of every place that is no city in parts, as ``streets.all_streets`` says."""
        return all_streets(self)

    @cached_property
    def _counts(self) -> dict[str, int]:
        """Number of communes by département."""
        if self.scale == "sample":
            return territory.SAMPLE
        return {code: row.communes for code, row in territory.DEPARTEMENTS.items()}

    @cached_property
    def _numbers(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The codes in force and those that are not, by département."""
        taken, free = {}, {}
        for departement, count in self._counts.items():
            digits = 5 - len(departement)
            highest = min(10**digits - 1, count + max(2, -(-count * 3 // 20)))
            city = [code for code in CITY_NAMES if code.startswith(departement)]
            others = [f"{departement}{number:0{digits}}" for number in range(1, highest + 1)]
            others = (
                self.rng("numbers", departement).permutation([code for code in others if code not in city]).tolist()
            )
            taken[departement] = city + others[: count - len(city)]
            free[departement] = sorted(others[count - len(city) :])
        return taken, free

    @cached_property
    def _cells(self) -> pl.DataFrame:
        """The communes' cells; a city with arrondissements has the one in the middle of its département."""
        everything = territory.DEPARTEMENTS
        cells = lattice.cells(
            territory.LANDS,
            {code: row.communes for code, row in everything.items()},
            {code: (row.longitude, row.latitude) for code, row in everything.items()},
        )
        cells = lattice.from_the_middle(cells, self._counts)
        taken, _ = self._numbers
        codes = [code for (departement,), _ in cells.group_by("code_departement", maintain_order=True)
                 for code in taken[str(departement)]]  # fmt: skip
        island = cells.with_row_index().filter(pl.col("code_departement") == "971").sort("longitude")["index"][-1]
        return (
            cells.with_columns(code=pl.Series(codes))
            .with_columns(is_island=pl.int_range(pl.len()) == island)
            .with_columns(longitude=pl.col("longitude") + 2 * pl.col("width") * pl.col("is_island"))
            .sort("code")
        )

    @property
    def cell_sizes(self) -> pl.DataFrame:
        """code, width and height (degrees): how large a commune is, roughly."""
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
        """Inhabitants of the communes, before those of the cities are added up from their arrondissements."""
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
                there = (cells["code_departement"] == departement).arg_true().to_numpy()
                population = population.scatter(rng.choice(there, count, replace=False), value)
        return population

    def _dwellings(self, name: str, count: int) -> pl.Expr:
        """Dwellings for the column ``population`` of ``count`` rows."""
        factor = pl.Series(DWELLINGS * self.rng("dwellings", name).lognormal(0, 0.15, count))
        return (pl.col("population").fill_null(0) * factor).round().cast(pl.Int64).alias("logements")

    def _postal_codes(self, count: int) -> pl.Expr:
        """The postal codes of ``count`` rows: those of a city's arrondissements, else one or two of its bassin."""
        departement = pl.col("code_departement")
        overseas = departement.str.len_chars() == 3
        number = pl.col("bassin").rank("dense").over("code_departement").cast(pl.Int64) * 10
        number = number + departement.replace_strict({"2A": 0, "2B": 200}, default=100)
        code = (
            pl.when(overseas)
            .then(departement + (number % 100).cast(pl.String).str.zfill(2))
            .otherwise(departement.str.replace("[AB]", "0") + number.cast(pl.String).str.zfill(3))
        )
        has_two = pl.Series(self.rng("postal").random(count) < SECOND_POSTAL_CODE)
        second = pl.when(has_two).then(code.str.slice(0, 4) + "5")
        has_none = pl.col("population").is_null() & (departement == WITHOUT_POSTAL_CODE[self.scale])
        of_cities = self.arrondissements.group_by("code_commune_parent").agg(pl.col("code_postal").sort())
        listed = dict(of_cities.iter_rows())
        return (
            pl.when(pl.col("code").is_in(list(listed)))
            .then(pl.col("code").replace_strict(listed, default=None, return_dtype=pl.List(pl.String)))
            .when(has_none)
            .then(pl.lit([], dtype=pl.List(pl.String)))
            .otherwise(pl.concat_list(code, second).list.drop_nulls())
            .alias("codes_postaux")
        )


def _block(size: tuple[int, int]) -> pl.Expr:
    """A number for each block of so many rows and columns of cells."""
    rows, columns = size
    return pl.col("land") * 1_000_000 + (pl.col("row") + 500) // rows * 1_000 + (pl.col("column") + 500) // columns


def _siren_digits() -> pl.Expr:
    """The first eight digits of a municipality's SIREN, which are those of its code."""
    departement, code = pl.col("code_departement"), pl.col("code")
    overseas = pl.format("21{}1{}", departement, code.str.slice(3))
    mainland = pl.format(
        "21{}{}{}", departement.str.replace("[AB]", "0"), (departement == "2B").cast(pl.Int8), code.str.slice(2)
    )
    return pl.when(departement.str.len_chars() == 3).then(overseas).otherwise(mainland)


def _with_check_digit(digits: pl.Expr) -> pl.Expr:
    """Eight digits and the ninth that makes a valid SIREN of them (Luhn)."""
    weighed = [digits.str.slice(place, 1).cast(pl.Int64) * (1 + place % 2) for place in range(8)]
    total = pl.sum_horizontal(weight // 10 + weight % 10 for weight in weighed)
    return digits + ((10 - total % 10) % 10).cast(pl.String)


def _nearer_to_zero(column: pl.Series, share: pl.Series) -> pl.Series:
    """The column with its values diminished by ``share`` where that is positive, in steps of its last decimal."""
    decimals = 0
    if column.dtype.is_float():
        decimals = next((number for number in range(6) if (column.round(number) - column).abs().sum() < 1e-9), 6)
    units = (column.cast(pl.Float64) * 10**decimals).round()
    step = pl.when(pl.col("units").abs() == 1).then(-1.0).otherwise((pl.col("units").abs() * pl.col("share")).clip(1))
    moved = (
        pl.when((pl.col("share") > 0) & (pl.col("units") != 0))
        .then(pl.col("units") - pl.col("units").sign() * step.floor())
        .otherwise("units")
    )
    frame = pl.DataFrame({"units": units, "share": share})
    return frame.select((moved / 10**decimals).round(decimals).cast(column.dtype).alias(column.name)).to_series()
