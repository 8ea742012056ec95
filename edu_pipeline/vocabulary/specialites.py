"""The specialties of the general track: one canonical label for each, however publishers write it.

ONISEP writes `histoire-géographie, géopolitique et sciences politiques`, DEPP `0439 - HIST.-GEO. GEOPOLITIQUE &
SC.POLITIQUES`. The canonical label is ONISEP's with a capital letter. Does not belong here: combinations of
specialties, the courses of seconde, which are not specialties.
"""

import polars as pl

from edu_pipeline import normalise

BY_CODE = {
    "0105": "Humanités, littérature et philosophie",
    "0241": "Littérature et langues et cultures de l'Antiquité : latin",
    "0242": "Littérature et langues et cultures de l'Antiquité : grec",
    "0300": "Langues, littératures et cultures étrangères et régionales",
    "0439": "Histoire-géographie, géopolitique et sciences politiques",
    "0507": "Sciences économiques et sociales",
    "0613": "Mathématiques",
    "0623": "Physique-chimie",
    "0629": "Sciences de la vie et de la Terre",
    "0673": "Sciences de l'ingénieur",
    "0747": "Numérique et sciences informatiques",
    "0825": "Arts : danse",
    "0832": "Arts : musique",
    "0901": "Arts : arts plastiques",
    "1087": "Éducation physique, pratiques et culture sportives",
    "2757": "Arts : histoire des arts",
    "2785": "Arts : théâtre",
    "2786": "Arts : arts du cirque",
    "2852": "Arts : cinéma-audiovisuel",
    "3045": "Biologie-écologie",
}
"""Canonical label by DEPP's code."""

LLCER = (
    "allemand",
    "anglais",
    "anglais - monde contemporain",
    "basque",
    "breton",
    "catalan",
    "corse",
    "créole",
    "espagnol",
    "italien",
    "occitan-langue d'oc",
    "portugais",
    "tahitien",
)
"""Languages of LLCER (langues, littératures et cultures étrangères et régionales); each is a specialty."""

LABELS = (
    *BY_CODE.values(),
    "Littérature et langues et cultures de l'Antiquité",
    *(f"LLCER {language}" for language in LLCER),
)
"""Every canonical label. ONISEP does not distinguish Latin from Greek, and sometimes omits the language of an LLCER."""

DEPP_SPELLINGS = {
    "LITTERATURE ET LCA LATIN": BY_CODE["0241"],
    "LITTERATURE ET LCA GREC": BY_CODE["0242"],
    "LANGUES, LITTERATURE ET CULTURES ETRANGERES ET REGIONALES": BY_CODE["0300"],
    "LANGUES, LITT. ET CULTURES ETRA. ET R.": BY_CODE["0300"],
    "HIST.-GEO. GEOPOLITIQUE & SC.POLITIQUES": BY_CODE["0439"],
    "DANSE": BY_CODE["0825"],
    "MUSIQUE": BY_CODE["0832"],
    "ARTS PLASTIQUES": BY_CODE["0901"],
    "EDUC.PHYSIQUE PRATIQUE & CULT.SPORTIVE": BY_CODE["1087"],
    "HISTOIRE DES ARTS": BY_CODE["2757"],
    "THEATRE": BY_CODE["2785"],
    "ARTS DU CIRQUE": BY_CODE["2786"],
    "CINEMA-AUDIOVISUEL": BY_CODE["2852"],
}
"""Canonical label by DEPP's label, if they differ in more than capitals, accents and punctuation."""

_BY_SLUG = {normalise.slug(label): label for label in LABELS} | {
    normalise.slug(label): canonical for label, canonical in DEPP_SPELLINGS.items()
}


def canonical(label: pl.Expr) -> pl.Expr:
    """The canonical label for a publisher's label; the contract refuses a label that is not known."""
    slug = normalise.unaccented(label).str.replace_all("[^a-z0-9]+", "_").str.strip_chars("_")
    return slug.replace_strict(_BY_SLUG, default=label)


def by_code(code: pl.Expr) -> pl.Expr:
    """The canonical label of DEPP's code; NULL for an unknown code."""
    return code.replace_strict(BY_CODE, default=None, return_dtype=pl.String)


def are_canonical(labels: pl.Expr) -> pl.Expr:
    """Whether every element of a list is a canonical label."""
    return labels.list.eval(pl.element().is_in(LABELS)).list.all()
