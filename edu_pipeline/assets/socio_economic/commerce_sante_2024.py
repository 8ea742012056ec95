"""commerce_sante_2024: the number of shops, schools and services in each commune.

Does not belong here: where each of them is (INSEE's file BPE24.csv), pupils or results (educational).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.flow import newest
from edu_pipeline.long_form import figure
from edu_pipeline.table import table


def _kind(meaning: str, *types: str) -> Any:
    """A number of facilities of some of INSEE's types (TYPEQU); the grouping is ours, by INSEE's labels.

    Of two D2 codes the first is that of the nomenclature since 2024, the second that of 2023. A type that no commune
    has is no error: the file then has no row of it.
    """
    return c.integer(
        f"{meaning} (types {', '.join(types)}).",
        required=True,
        optional=True,
        min=0,
        max=20_000,
        unit="establishments",
        upstream=figure(BPE_MEASURE="FACILITIES", FACILITY_TYPE=types),
        adds_up=True,
    )


IN_DOUBT = pl.lit("expected that all rows of the file about this commune can be read, found one that cannot")
"""Why a commune is refused of which only some rows can be read."""


class CommerceSante2024(c.Contract):
    """Numbers of shops, schools, health professionals and sports facilities in a commune (INSEE, BPE).

    Every commune of a département that the file covers has a row, with 0 where INSEE counts none. Health professionals
    are counted by place of practice and only if self-employed, not if employed by hospitals or health centres. Paris,
    Lyon and Marseille appear both as cities (75056, 69123, 13055) and by arrondissement: use only one of the two in a
    sum. The file is replaced every year: the table has the newest edition (see `annee`), whatever its name says, and
    INSEE advises against comparing editions. The codes of health professionals changed in 2024; both sets are
    recognised. `lycee` leaves out C304 and C305, general and vocational sections within a school that counts by
    itself; INSEE's own counts of lycées include them (Lyon: 69, here 66).
    """

    code_commune = c.code_commune(key=True, upstream="GEO")
    codes_anciens = c.codes_anciens()
    commune = c.text("Name, from info_communes; a row whose code is not in force there is refused.", required=True)
    police_gendarmerie = _kind("Police stations and gendarmeries", "A101", "A104")
    banque_caisse_epargne = _kind("Banks and savings banks", "A203")
    grande_surface = _kind("Hypermarkets, department stores and supermarkets", "B104", "B105")
    superette_epicerie = _kind("Small supermarkets and grocers", "B201", "B202")
    boulangerie_patisserie = _kind("Bakeries", "B207")
    ecole_maternelle_primaire_elementaire = _kind("Nursery, elementary and primary schools", "C107", "C108", "C109")
    college = _kind("Collèges", "C201")
    urgences = _kind("Emergency departments", "D106")
    lycee = _kind("Lycées: general, technological, vocational, agricultural", "C301", "C302", "C303")
    medecin_generaliste = _kind("General practitioners", "D265", "D201")
    chirurgien_dentiste = _kind("Dentists", "D277", "D221")
    masseur_kinesitherapeute = _kind("Physiotherapists", "D279", "D233")
    infirmier = _kind("Nurses", "D281", "D244")
    pharmacie = _kind("Pharmacies", "D307")
    personnes_agees_hebergement = _kind("Care homes for the elderly", "D401")
    eaje_accueil_jeune_enfant = _kind("Day nurseries (EAJE)", "D502")
    bassin_natation = _kind("Swimming pools", "F101")
    salles_multisports = _kind("Multi-sport halls", "F121")
    annee = c.year("Year of the edition.", required=True, upstream="TIME_PERIOD")


@table(CommerceSante2024)
def commerce_sante_2024(insee_bpe: pl.LazyFrame, info_communes: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the newest edition, and add communes and arrondissements without any facility.

    A missing count means 0 only where the file covers the place: its département, and arrondissements at all.
    """
    counted = newest(insee_bpe, "annee").with_columns(pl.col("codes_anciens").list.sort())
    kinds = [name for name, spec in c.specs(CommerceSante2024).items() if spec.adds_up]
    return _with_all_communes(counted, info_communes, kinds)


def _with_all_communes(counted: pl.LazyFrame, info_communes: pl.LazyFrame, kinds: list[str]) -> pl.LazyFrame:
    """The counts, and 0 for all other communes and arrondissements of a département in which some are counted.

    A commune of which a row was refused is refused as a whole, since what it lacks is not known to be 0.
    """
    code = pl.col("code_commune")
    own_reason = [name for name in counted.collect_schema() if name == c.REFUSED_BECAUSE]
    is_good = pl.all_horizontal(code.str.contains(c.COMMUNE), *(pl.col(name).is_null() for name in own_reason))
    refused, counted = counted.filter(~is_good.fill_null(False)), counted.filter(is_good)
    in_doubt = refused.select(code.str.extract(c.COMMUNE_WITHIN), **{c.REFUSED_BECAUSE: IN_DOUBT}).drop_nulls()
    places = info_communes.with_columns(
        level=pl.when(pl.col("type_commune") == "commune").then(pl.lit("COM")).otherwise(pl.lit("ARM"))
    )
    covered = places.join(counted, on="code_commune", how="semi").select("code_departement", "level").unique()
    complete = (
        places.join(covered, on=["code_departement", "level"], how="semi")
        .select("code_commune", commune="nom_commune")
        .join(counted.drop(own_reason), on="code_commune", how="full", coalesce=True)
        .with_columns(pl.col(kinds).fill_null("0"), pl.col("annee").max())
        .join(in_doubt.unique(), on="code_commune", how="left")
    )
    return pl.concat([complete, refused], how="diagonal")
