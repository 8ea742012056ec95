"""merged_revenu_commune_bassin_2021: a commune's income beside that of its bassin de vie. Not here: other years."""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.table import table

COMMUNES, BASSINS, MEASURES = "insee_filosofi_2021", "insee_bassins_de_vie", "insee_filosofi_2021__bv"


def _share(description: str, upstream: str) -> Any:
    return c.numeric(description, unit="%", upstream={COMMUNES: upstream})


class MergedRevenuCommuneBassin2021(c.Contract):
    """Income and poverty of a commune's households in 2021 (INSEE, Filosofi) beside those of its bassin de vie.

    `_bassin` columns are INSEE's own figures of the bassin de vie (2022 zoning): medians and rates cannot be averaged
    from communes, so they are NULL where INSEE's file of the bassins is missing. NULL elsewhere is a figure that INSEE
    hides: the median below some 50 households, the rest below some 1,000. Guadeloupe, Guyane and Mayotte are missing.
    Paris, Lyon and Marseille are here as cities (75056, 69123, 13055) and by arrondissement: a sum of households must
    take one of the two. An arrondissement has its city's bassin. Incomes are per unit of consumption, after taxes and
    benefits.
    """

    code_commune = c.code_commune(key=True, upstream={COMMUNES: "CODGEO", BASSINS: "CODGEO"})
    codes_anciens = c.codes_anciens()
    code_bassin_vie = c.text(
        "Code of the bassin de vie (2022), which is that of its main commune.", length=5,
        pattern=r"^(\d{2}|2[AB])\d{3}$", normalise=normalise.code_commune,
        upstream={BASSINS: "BV2022", MEASURES: "CODGEO"},
    )  # fmt: skip
    libelle_bassin_vie = c.text("Name of the bassin de vie, which is that of its main commune.",
                                upstream={BASSINS: "LIBGEO"})  # fmt: skip
    for _suffix, _source, _whose in (("", COMMUNES, "commune"), ("_bassin", MEASURES, "bassin de vie")):
        vars()[f"nb_menages_fiscaux{_suffix}"] = c.integer(
            f"Tax households of the {_whose}.",
            min=0,
            unit="households",
            upstream={_source: "NBMENFISC21"},
            adds_up=True,
        )
        for _name, _meaning, _column in (
            ("mediane_niveau_vie", "Median standard of living", "MED21"),
            ("d1", "First decile of the standard of living: 10 % live on less", "D121"),
            ("d9", "Ninth decile of the standard of living: 10 % live on more", "D921"),
        ):
            vars()[f"{_name}{_suffix}"] = c.numeric(
                f"{_meaning}, in the {_whose}.", 10, 2, min=0, unit="€ a year", upstream={_source: _column}
            )
        vars()[f"taux_pauvrete{_suffix}"] = c.percentage(
            f"Share of people in the {_whose} below 60 % of the national median.", upstream={_source: "TP6021"}
        )
        vars()[f"rapport_interdecile{_suffix}"] = c.numeric(
            f"Ninth decile divided by the first, in the {_whose}.", min=1, upstream={_source: "RD21"}
        )
    nbpersmenfisc21 = c.integer("People in the tax households.", min=0, unit="people",
                                upstream={COMMUNES: "NBPERSMENFISC21"}, adds_up=True)  # fmt: skip
    pimp21 = _share("Share of tax households that pay income tax.", "PIMP21")
    for _number, _age in enumerate(("below 30", "30 to 39", "40 to 49", "50 to 59", "60 to 74", "75 or older"), 1):
        vars()[f"tp60age{_number}21"] = _share(
            f"Poverty rate of people in households whose reference person is {_age}.", f"TP60AGE{_number}21"
        )
    tp60tol121 = _share("Poverty rate of people in households that own their dwelling.", "TP60TOL121")
    tp60tol221 = _share("Poverty rate of people in households that rent their dwelling.", "TP60TOL221")
    for _name, _meaning in {
        "pact": "incomes from work and unemployment benefits", "ptsa": "wages", "pcho": "unemployment benefits",
        "pben": "incomes of the self-employed", "ppen": "pensions", "ppat": "incomes from property",
        "ppsoc": "social benefits", "ppfam": "family benefits", "ppmini": "minimum incomes",
        "pplogt": "housing benefits", "pimpot": "taxes (negative)",
    }.items():  # fmt: skip
        vars()[f"{_name}21"] = _share(f"Share of {_meaning} in disposable income.", f"{_name}21")


@table(MergedRevenuCommuneBassin2021)
def merged_revenu_commune_bassin_2021(
    insee_filosofi_2021: pl.LazyFrame,
    insee_bassins_de_vie: pl.LazyFrame,
    info_communes: pl.LazyFrame,
    insee_filosofi_2021__bv: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Look up each commune's bassin de vie (an arrondissement's is its city's) and put INSEE's figures of both in one.

    The zoning has no names of bassins: a bassin's code is that of its main commune, and so is its name.
    """
    zoning = insee_bassins_de_vie.filter(pl.col("code_commune").is_not_null())
    names = zoning.select(code_bassin_vie="code_commune", libelle_bassin_vie="libelle_bassin_vie")
    measures = [name for name in MergedRevenuCommuneBassin2021.columns() if name.endswith("_bassin")]
    bassins = insee_filosofi_2021__bv
    if bassins is None:
        bassins = pl.LazyFrame(schema=dict.fromkeys(["code_bassin_vie", *measures], pl.String))
    return (
        insee_filosofi_2021.join(
            info_communes.select("code_commune", "code_commune_parent"), on="code_commune", how="left"
        )
        .with_columns(city=pl.coalesce("code_commune_parent", "code_commune"))
        .join(zoning.select("code_bassin_vie", city="code_commune"), on="city", how="left")
        .join(names, on="code_bassin_vie", how="left")
        .join(bassins, on="code_bassin_vie", how="left")
    )
