"""merged_revenu_commune_bassin_2021: incomes in each commune and in its bassin de vie.

Does not belong here: other years.
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.flow import look_up, pick
from edu_pipeline.table import table

COMMUNES, BASSINS, MEASURES = "insee_filosofi_2021", "insee_bassins_de_vie", "insee_filosofi_2021__bv"
WHERE = {COMMUNES: "commune", MEASURES: "bassin de vie"}
MOST = {COMMUNES: c.MOST_PEOPLE, MEASURES: 10_000_000}
"""More households than any of them has."""


def _households(source: str) -> Any:
    upstream = {source: "NBMENFISC21"}
    return c.integer(
        f"Tax households in the {WHERE[source]}.",
        min=0,
        max=MOST[source],
        unit="households",
        upstream=upstream,
        adds_up=True,
    )


def _income(meaning: str, source: str, upstream: str) -> Any:
    description = f"{meaning} in the {WHERE[source]}."
    return c.numeric(description, 10, 2, min=1_000, max=1_000_000, unit="€ a year", upstream={source: upstream})


def _poverty(source: str, **rest: Any) -> Any:
    description = f"Share of people in the {WHERE[source]} below 60 % of the national median."
    return c.percentage(description, upstream={source: "TP6021"}, **rest)


def _ratio(source: str) -> Any:
    return c.numeric(
        f"Ninth decile divided by the first in the {WHERE[source]}.", min=1, max=100, upstream={source: "RD21"}
    )


def _share(description: str, upstream: str, **rest: Any) -> Any:
    return c.percentage(description, upstream={COMMUNES: upstream}, **rest)


def _poverty_by_age(ages: str, upstream: str) -> Any:
    return _share(f"Poverty rate of people in households whose reference person is {ages}.", upstream)


def _part(what: str, upstream: str) -> Any:
    description = f"Share of {what} in disposable income; losses are negative, and what they offset is over 100 %."
    return c.numeric(description, unit="%", min=-200, max=300, upstream={COMMUNES: upstream})


class MergedRevenuCommuneBassin2021(c.Contract):
    """Income and poverty of a commune's households in 2021 (INSEE, Filosofi), and the same for its bassin de vie.

    The `_bassin` columns are INSEE's own figures for the bassin de vie (2022 zoning): medians and rates cannot be
    averaged over communes, so these columns are NULL if INSEE's file of the bassins is missing. Any other NULL is a
    figure that INSEE withholds: the median below some 50 households, the rest below some 1,000. Guadeloupe, Guyane and
    Mayotte are missing. Paris, Lyon and Marseille appear both as cities (75056, 69123, 13055) and by arrondissement:
    use only one of the two in a sum of households. An arrondissement has its city's bassin. Incomes are per consumption
    unit, after taxes and benefits. The table stays at 2021: since then INSEE gives the median and the poverty rate of
    communes alone, which are in revenu_pauvrete.
    """

    code_commune = c.code_commune(key=True, upstream={COMMUNES: "CODGEO", BASSINS: "CODGEO"})
    codes_anciens = c.codes_anciens()
    code_bassin_vie = c.text(
        "Code of the bassin de vie (2022), which is that of its main commune.",
        length=5,
        pattern=c.COMMUNE,
        normalise=normalise.code_commune,
        upstream={BASSINS: "BV2022", MEASURES: "CODGEO"},
    )
    libelle_bassin_vie = c.text(
        "Name of the bassin de vie, which is that of its main commune.", upstream={BASSINS: "LIBGEO"}
    )
    nb_menages_fiscaux = _households(COMMUNES)
    mediane_niveau_vie = _income("Median standard of living", COMMUNES, "MED21")
    d1 = _income("First decile of the standard of living (10 % live on less)", COMMUNES, "D121")
    d9 = _income("Ninth decile of the standard of living (10 % live on more)", COMMUNES, "D921")
    taux_pauvrete = _poverty(COMMUNES, mean_over="nbpersmenfisc21")
    rapport_interdecile = _ratio(COMMUNES)
    nb_menages_fiscaux_bassin = _households(MEASURES)
    mediane_niveau_vie_bassin = _income("Median standard of living", MEASURES, "MED21")
    d1_bassin = _income("First decile of the standard of living (10 % live on less)", MEASURES, "D121")
    d9_bassin = _income("Ninth decile of the standard of living (10 % live on more)", MEASURES, "D921")
    taux_pauvrete_bassin = _poverty(MEASURES)
    rapport_interdecile_bassin = _ratio(MEASURES)
    nbpersmenfisc21 = c.integer(
        "People in the tax households.",
        min=0,
        max=c.MOST_PEOPLE,
        unit="people",
        upstream={COMMUNES: "NBPERSMENFISC21"},
        adds_up=True,
    )
    pimp21 = _share("Share of tax households that pay income tax.", "PIMP21", mean_over="nb_menages_fiscaux")
    tp60age121 = _poverty_by_age("under 30", "TP60AGE121")
    tp60age221 = _poverty_by_age("30 to 39", "TP60AGE221")
    tp60age321 = _poverty_by_age("40 to 49", "TP60AGE321")
    tp60age421 = _poverty_by_age("50 to 59", "TP60AGE421")
    tp60age521 = _poverty_by_age("60 to 74", "TP60AGE521")
    tp60age621 = _poverty_by_age("75 or over", "TP60AGE621")
    tp60tol121 = _share("Poverty rate of people in households that own their dwelling.", "TP60TOL121")
    tp60tol221 = _share("Poverty rate of people in households that rent their dwelling.", "TP60TOL221")
    pact21 = _part("income from work and unemployment benefits", "pact21")
    ptsa21 = _part("wages", "ptsa21")
    pcho21 = _part("unemployment benefits", "pcho21")
    pben21 = _part("income from self-employment", "pben21")
    ppen21 = _part("pensions", "ppen21")
    ppat21 = _part("income from property", "ppat21")
    ppsoc21 = _part("social benefits", "ppsoc21")
    ppfam21 = _part("family benefits", "ppfam21")
    ppmini21 = _part("minimum social benefits", "ppmini21")
    pplogt21 = _part("housing benefits", "pplogt21")
    pimpot21 = _part("taxes (negative)", "pimpot21")


@table(MergedRevenuCommuneBassin2021)
def merged_revenu_commune_bassin_2021(
    insee_filosofi_2021: pl.LazyFrame,
    insee_bassins_de_vie: pl.LazyFrame,
    info_communes: pl.LazyFrame,
    insee_filosofi_2021__bv: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Look up each commune's bassin de vie (an arrondissement has its city's) and join INSEE's figures of both.

    The zoning has no names of bassins: a bassin has the code of its main commune, hence also its name.
    """
    zoning = pick(insee_bassins_de_vie, "code_bassin_vie", city="code_commune")
    names = pick(insee_bassins_de_vie, "libelle_bassin_vie", code_bassin_vie="code_commune")
    measures = [name for name in MergedRevenuCommuneBassin2021.columns() if name.endswith("_bassin")]
    parents = info_communes.select("code_commune", "code_commune_parent")
    communes = insee_filosofi_2021.join(parents, on="code_commune", how="left").with_columns(
        city=pl.coalesce("code_commune_parent", "code_commune")
    )
    placed = look_up(communes, zoning, "city", "the bassin de vie of the commune")
    named = look_up(placed, names, "code_bassin_vie", "the name of the bassin de vie")
    if insee_filosofi_2021__bv is None:
        return named.with_columns(pl.lit(None, pl.String).alias(name) for name in measures)
    return look_up(named, insee_filosofi_2021__bv, "code_bassin_vie", "the figures of the bassin de vie")
