"""commerce_sante_2024: how many shops, schools and services a commune has. Not here: where each of them is (BPE24.csv),
and pupils or results (educational)."""

from collections.abc import Collection

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table

KINDS = {
    "police_gendarmerie": ("Police stations and gendarmeries", ("A101", "A104")),
    "banque_caisse_epargne": ("Banks and savings banks", ("A203",)),
    "grande_surface": ("Hypermarkets, department stores and supermarkets", ("B104", "B105")),
    "superette_epicerie": ("Small supermarkets and grocers", ("B201", "B202")),
    "boulangerie_patisserie": ("Bakeries", ("B207",)),
    "ecole_maternelle_primaire_elementaire": ("Schools of the first degree", ("C107", "C108", "C109")),
    "college": ("Collèges", ("C201",)),
    "urgences": ("Emergency departments", ("D106",)),
    "lycee": ("Lycées: general, technological, vocational, agricultural", ("C301", "C302", "C303")),
    "medecin_generaliste": ("General practitioners", ("D265", "D201")),
    "chirurgien_dentiste": ("Dentists", ("D277", "D221")),
    "masseur_kinesitherapeute": (
        "Physiotherapists; the code of 2024, D279, is UNVERIFIED: 0 in every commune would mean that it is wrong",
        ("D279", "D233"),
    ),
    "infirmier": ("Nurses", ("D281", "D244")),
    "pharmacie": ("Pharmacies", ("D307",)),
    "personnes_agees_hebergement": ("Homes for the elderly", ("D401",)),
    "eaje_accueil_jeune_enfant": ("Day nurseries (EAJE)", ("D502",)),
    "bassin_natation": ("Swimming pools", ("F101",)),
    "salles_multisports": ("Multi-sport halls", ("F121",)),
}
"""What is counted, and INSEE's types of equipment (TYPEQU) that it is made of: of two D2 codes the first is that of the
nomenclature since 2024, the second that of 2023. The grouping is ours, by INSEE's labels."""


class CommerceSante2024(c.Contract):
    """Numbers of shops, schools, practitioners and sports facilities in a commune (INSEE, BPE).

    Every commune of a département that the file covers has a row here, with 0 where INSEE counts none. Practitioners
    are the places where the self-employed ones practise; those employed in hospitals or centres are not counted.
    Paris, Lyon and Marseille are here as cities (75056, 69123, 13055) and by arrondissement: a sum must take one of
    the two forms. The file is replaced every year (see `annee`), and INSEE advises against comparing editions. The
    codes of practitioners changed in 2024: both are understood, of which D279, the physiotherapists' since 2024, is
    UNVERIFIED: programs that read the file have it, but no copy of the file with it was seen. If it is wrong they are
    0 everywhere.
    """

    code_commune = c.code_commune(key=True, upstream="GEO")
    codes_anciens = c.codes_anciens()
    commune = c.text(
        "Name, from info_communes. A code that is not in force there has none: its row is refused.", required=True
    )
    for _kind, (_meaning, _codes) in KINDS.items():
        vars()[_kind] = c.integer(
            f"{_meaning} (types {', '.join(_codes)}).", required=True, min=0, unit="establishments"
        )
    annee = c.year("Year of the edition.", required=True, upstream="TIME_PERIOD")


def _number(types: Collection[str]) -> pl.Expr:
    """The sum of the values of these types; a value that is no number instead, for the contract to refuse."""
    value = pl.col("obs_value").filter(pl.col("facility_type").is_in(list(types))).fill_null("nothing")
    number = value.cast(pl.Int64, strict=False)
    wrong = value.filter(number.is_null())
    return pl.when(wrong.len() > 0).then(wrong.first()).otherwise(number.sum().cast(pl.String))


@table(
    CommerceSante2024,
    needs={"insee_bpe": ["GEO_OBJECT", "FACILITY_TYPE", "BPE_MEASURE", "OBS_VALUE"]},
    needed_counts=["obs_value"],
)
def commerce_sante_2024(insee_bpe: pl.LazyFrame, info_communes: pl.LazyFrame) -> pl.LazyFrame:
    """Of the newest edition, count the types of equipment of communes and arrondissements, and add those without any.

    INSEE mixes eleven levels of geography and the totals `_T` in one column; these and all other types are left out.
    None is known to be none only where the file speaks of the place: of its département, and of arrondissements at all.
    """
    wanted = [code for _, codes in KINDS.values() for code in codes]
    counted = (
        insee_bpe.filter(
            pl.col("geo_object").is_in(["COM", "ARM"]),
            pl.col("bpe_measure") == "FACILITIES",
            pl.col("facility_type").is_in(wanted),
        )
        .filter(pl.col("annee") == pl.col("annee").max())
        .group_by("code_commune")
        .agg(
            pl.col("annee").first(),
            pl.col("codes_anciens").explode().drop_nulls().unique().sort(),
            *(_number(codes).alias(kind) for kind, (_, codes) in KINDS.items()),
        )
        .with_columns(pl.when(pl.col("codes_anciens").list.len() > 0).then("codes_anciens"))
    )
    places = info_communes.with_columns(
        level=pl.when(pl.col("type_commune") == "commune").then(pl.lit("COM")).otherwise(pl.lit("ARM"))
    )
    covered = places.join(counted, on="code_commune", how="semi").select("code_departement", "level").unique()
    return (
        places.join(covered, on=["code_departement", "level"], how="semi")
        .select("code_commune", commune="nom_commune")
        .join(counted, on="code_commune", how="full", coalesce=True)
        .with_columns(pl.col(list(KINDS)).fill_null("0"), pl.col("annee").max())
    )
