"""specialites_lycees: the specialties that each lycée offers in première générale.

Does not belong here: how many pupils take them (effectifs_specialites_premiere).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import onisep, specialites


class SpecialitesLycees(c.Contract):
    """The specialties of the general track that a lycée offers in première, as ONISEP lists them.

    One row per UAI: if several sites share one (annexe, micro-lycée), `specialites_array` is the union of their lists,
    and not every site offers all of it. Search with `specialites_array @> ARRAY['Mathématiques']`, which uses the
    index. The language of an `LLCER` is part of the label; `Langues, littératures et cultures étrangères et régionales`
    is an LLCER for which ONISEP does not give the language. An empty list means that ONISEP lists none. Sites without
    UAI are in quarantine.
    """

    uai = c.uai(key=True, upstream="UAI lieu de cours")
    etablissement = c.text("Name of the (main) site.", required=True, upstream="Libellé lieu de cours")
    code_postal = c.code_postal("Postal code of the (main) site.", upstream="Code postal lieu de cours")
    commune = c.text("Commune of the (main) site.", upstream="Commune lieu de cours")
    departement = c.text("Name of its département.", upstream="Département lieu de cours")
    region = c.text("Name of its region.", upstream="Région lieu de cours")
    academie = c.text("Name of its académie.", upstream="Académie lieu de cours")
    fiche_onisep = c.text("ONISEP's page about the (main) site.", upstream="Identifiant et fiche onisep lieu de cours")
    specialites_array = c.texts(
        "Specialties offered, canonical labels (`Mathématiques`, `Arts : théâtre`, `LLCER anglais`), sorted.",
        required=True,
        check={"canonical_labels": specialites.are_canonical},
        upstream="Enseignements de spécialité de classe de 1ère générale",
    )
    nb_specialites = c.integer(
        "Number of labels in `specialites_array`.", required=True, min=0, max=100, unit="specialties"
    )
    date_modification = c.date(
        "Day on which ONISEP last changed the site's row, or one of its rows.",
        since=2000,
        upstream="AF date de modification",
    )


@table(SpecialitesLycees, needs={"onisep_60113f395cce6": [onisep.SITE]})
def specialites_lycees(onisep_60113f395cce6: pl.LazyFrame) -> pl.LazyFrame:
    """Split the list, give each specialty its canonical label, and merge the sites of a lycée into one row."""
    courses = pl.col("specialites_array").str.split(onisep.SEPARATOR)
    rows = onisep_60113f395cce6.with_columns(courses.list.eval(specialites.canonical(pl.element())))
    return onisep.one_row_per_uai(rows, ["specialites_array"]).with_columns(
        nb_specialites=pl.col("specialites_array").list.len()
    )
