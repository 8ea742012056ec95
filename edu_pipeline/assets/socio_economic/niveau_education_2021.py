"""niveau_education_2021: a commune's people by highest diploma, and how many are at school. Not here: other years."""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

DIPLOMAS = {
    "diplmin": "none, or at most the certificate of primary studies (CEP)",
    "bepc": "the BEPC, brevet des collèges or DNB",
    "capbep": "a CAP, a BEP or the like",
    "bac": "a baccalauréat, brevet professionnel or the like",
    "sup2": "one of two years of higher education",
    "sup34": "one of three or four years of higher education",
    "sup5": "one of five years of higher education or more",
}
AGES = {
    "0205": "2 to 5", "0610": "6 to 10", "1114": "11 to 14", "1517": "15 to 17", "1824": "18 to 24", "2529": "25 to 29",
    "30p": "30 or older",
}  # fmt: skip
SHARES = {f"part_{diploma}": (f"nscol15p_{diploma}", "nscol15p") for diploma in DIPLOMAS} | {
    f"taux_scolarisation_{age}": (f"scol{age}", f"pop{age}") for age in AGES
}


class NiveauEducation2021(c.Contract):
    """A commune's people of 15 or older who are not at school, by highest diploma, and its people at school, by age.

    Census of 2021 (INSEE, exploitation principale; names after its variables P21_*). Counts are sums of weights, hence
    not whole; in small communes shares say little. All NULL: INSEE gives no figures (Mayotte, communes split since).
    Paris, Lyon and Marseille are here as cities (75056, 69123, 13055) and by arrondissement: a sum must take one of the
    two forms. Published on the communes of 1 January 2024;
    for one that has changed since, see `codes_anciens`.
    """

    code_commune = c.code_commune(key=True, upstream="CODGEO")
    codes_anciens = c.codes_anciens()
    nscol15p = census.count("People of 15 or older who are not at school.", "P21_NSCOL15P")
    for _code, _diploma in DIPLOMAS.items():
        vars()[f"nscol15p_{_code}"] = census.count(
            f"Of `nscol15p`, those whose highest diploma is {_diploma}.", f"P21_NSCOL15P_{_code}"
        )
    for _code, _age in AGES.items():
        vars()[f"pop{_code}"] = census.count(f"People of {_age}.", f"P21_POP{_code}")
        vars()[f"scol{_code}"] = census.count(f"People of {_age} at school or university.", f"P21_SCOL{_code}")
    for _name, (_part, _whole) in SHARES.items():
        vars()[_name] = census.share(_part, _whole)


@table(NiveauEducation2021)
def niveau_education_2021(insee_rp__diplomes: pl.LazyFrame) -> pl.LazyFrame:
    """Add the shares to INSEE's counts."""
    return insee_rp__diplomes.with_columns(census.percent(*of).alias(name) for name, of in SHARES.items())
