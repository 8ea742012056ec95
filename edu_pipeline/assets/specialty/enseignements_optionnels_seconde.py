"""enseignements_optionnels_seconde: the optional courses and languages that each lycée offers in seconde.

Does not belong here: the specialties of première (specialites_lycees).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import onisep

COURSES = "enseignements_optionnels_et_langues_de_classe_de_2nde_gt"


class EnseignementsOptionnelsSeconde(c.Contract):
    """The optional courses and languages in a lycée's seconde générale et technologique, as ONISEP lists them.

    One row per UAI: if several sites share one, the lists are the unions of theirs, and not every site offers all of
    it. An empty list means that ONISEP lists none. A language among the `options` is a third language (LVC). Labels are
    ONISEP's. Sites without UAI are in quarantine.
    """

    uai = c.uai(key=True, upstream="UAI lieu de cours")
    etablissement = c.text("Name of the (main) site.", required=True, upstream="Libellé lieu de cours")
    code_postal = c.code_postal("Postal code of the (main) site.", upstream="Code postal lieu de cours")
    commune = c.text("Commune of the (main) site.", upstream="Commune lieu de cours")
    departement = c.text("Name of its département.", upstream="Département lieu de cours")
    region = c.text("Name of its region.", upstream="Région lieu de cours")
    academie = c.text("Name of its académie.", upstream="Académie lieu de cours")
    fiche_onisep = c.text("ONISEP's page about the (main) site.", upstream="Identifiant et fiche onisep lieu de cours")
    options = c.texts("Optional courses, e.g. `Arts : théâtre`, sorted.", required=True)
    lv1 = c.texts("First languages, e.g. `anglais`, sorted; empty where ONISEP lists none.", required=True)
    lv2 = c.texts("Second languages, e.g. `espagnol`, sorted; empty where ONISEP lists none.", required=True)
    date_modification = c.date(
        "Day on which ONISEP last changed the site's row, or one of its rows.",
        since=2000,
        upstream="AF date de modification",
    )


@table(EnseignementsOptionnelsSeconde, needs={"onisep_60113c3d5fee0": [onisep.SITE, COURSES]})
def enseignements_optionnels_seconde(onisep_60113c3d5fee0: pl.LazyFrame) -> pl.LazyFrame:
    """Split the list into options and the two lists of languages, and merge the sites of a lycée into one row.

    Only the prefixes `LV1 : ` and `LV2 : ` mark languages; options such as `Arts : danse` have a colon too.
    """
    item = pl.element()
    items = pl.col(COURSES).str.split(onisep.SEPARATOR)
    languages = {
        f"lv{rank}": items.list.eval(
            item.str.extract(rf"^LV{rank}\s*:\s*(.*)$").drop_nulls().str.split(",").explode().str.strip_chars()
        )
        for rank in (1, 2)
    }
    rows = onisep_60113c3d5fee0.with_columns(
        options=items.list.eval(item.filter(~item.str.contains(r"^LV[12]\s*:"))), **languages
    )
    return onisep.one_row_per_uai(rows, ["options", "lv1", "lv2"])
