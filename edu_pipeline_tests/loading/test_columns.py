"""Which columns a file must have, and what is said of one that is missing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from edu_pipeline.assets.specialty.effectifs_specialites_premiere import BOYS, GIRLS, PAIRS
from edu_pipeline.contracts import specs
from edu_pipeline.errors import AnotherFile, ColumnMissing, EduError
from edu_pipeline.loading.columns import close_names, find_columns, missing_columns
from edu_pipeline.normalise import slug
from edu_pipeline.sources.readers import read
from edu_pipeline.table import Table, tables
from edu_pipeline_tests.sample.sample_files import file_of

REQUIRED = {
    "departements": "code_departement nom_departement code_region",
    "pcs_libelle": "code_pcs libelle niveau",
    "ips_score": "code_pcs ips_score",
    "passage_communes": "code_ancien code_commune",
    "info_communes": "code_commune nom_commune code_departement code_region",
    "anecdotes_communes": "code_commune anecdote",
    "commune_boundaries": "code_commune nom_commune geometry",
    "annuaire_education": "uai nom_etablissement type_etablissement code_commune latitude longitude voie_generale "
    "voie_technologique date_maj_ligne",
    "activite_economique_2022": "code_commune",
    "commerce_sante_2024": "code_commune annee",
    "criminalite_2024": "code_commune annee indicateur unite_de_compte insee_pop taux_pour_mille est_diffuse insee_log",
    "logement_2021": "code_commune",
    "merged_revenu_commune_bassin_2021": "code_commune",
    "mutations_immo_latest": "code_commune annee nb_mutations",
    "niveau_education_2021": "code_commune",
    "population_evolution_age": "code_commune",
    "recensement_activite": "code_commune annee",
    "recensement_diplomes": "code_commune annee",
    "recensement_emploi": "code_commune annee",
    "recensement_logement": "code_commune annee",
    "recensement_population": "code_commune annee",
    "recensement_scolarisation": "code_commune annee",
    "revenu_pauvrete": "code_commune annee",
    "aggregated_data_lycees_2024": "uai annee",
    "ips_colleges": "uai rentree_scolaire",
    "ips_lycees": "uai rentree_scolaire",
    "metrics_colleges": "uai session",
    "effectifs_specialites_premiere": "uai rentree_scolaire",
    "enseignements_optionnels_seconde": "uai etablissement",
    "etablissements_onisep": "nom url_onisep",
    "onisep_details_formations_lycees": "identifiant_af formation date_modification",
    "sections_internationales": "uai section niveau rentree_scolaire",
    "specialites_lycees": "uai etablissement specialites_array",
    "secteurs_colleges": "nom_secteur noms_colleges uai_colleges rentree_scolaire geometry",
    "sectorisation_segments": "code_commune libelle_rue number_from number_to side uai_colleges",
    "sectorisation_zones": "code_commune zone_name",
}
"""The columns of each table without which it is not loaded; those that its transform needs are in its declaration."""


EXAMPLES = {r"^codgeo_\d{4}$": "codgeo_2026", GIRLS: "1234_maths_filles", BOYS: "1234_maths_garcons"}
EXAMPLES[PAIRS] = EXAMPLES[GIRLS]
"""A column that matches, for each pattern of columns."""


def columns_of(table: Table, parameter: str) -> dict[str, str]:
    """Contract column, or needed one, to its slug in a complete file."""
    names = {name: spec.upstream_in(parameter) for name, spec in specs(table.contract).items()}
    names |= {need: need for need in table.needs.get(parameter, ())}
    return {name: EXAMPLES.get(column) or slug(column) for name, column in names.items() if column}


def is_stopped(table: Table, parameter: str, without: str) -> bool:
    """Whether a file without a column stops the load; if not, the column is reported, unless that is normal."""
    columns = columns_of(table, parameter)
    absent = columns.pop(without)
    try:
        result = find_columns(table, parameter, {*columns.values()} - {absent}, "a-source")
    except ColumnMissing:
        return True
    assert absent in map(slug, result.missing) or specs(table.contract)[without].optional
    return False


@pytest.mark.parametrize("name", [name for name, table in tables().items() if table.files])
def test_columns_that_stop_a_load(name: str) -> None:
    """Every column of every file is removed in turn."""
    table = tables()[name]
    stopping = {
        column
        for parameter in table.files
        for column in columns_of(table, parameter)
        if column in specs(table.contract) and is_stopped(table, parameter, column)
    }
    assert stopping == set(REQUIRED[name].split())
    for parameter in table.files:
        for need in table.needs.get(parameter, ()):
            assert is_stopped(table, parameter, need), need


def test_a_close_name_that_no_other_column_claims_is_suggested() -> None:
    table = tables()["mutations_immo_latest"]
    names = ["insee_com", "annee", "nb_mutations", "prixmoyens", "prixm2moyen", "propmaison", "propappart", "surface"]
    columns = find_columns(table, "dvf_indicateurs_communes", names, "a-source")
    assert columns.missing["PrixMoyen"] == ["prixmoyens"]
    assert "prixm2moyen" not in [name for close in columns.missing.values() for name in close]


def test_a_name_that_is_not_close_is_not_suggested() -> None:
    assert close_names("insee_pop_millesime", ["taux_pour_mille", "insee_log", "nombre"]) == []
    assert close_names("Nombre d'élèves", ["nombre_eleves", "nom_etablissement"]) == ["nombre_eleves"]


def test_what_is_said_of_missing_columns() -> None:
    text = missing_columns({"a-source: PrixMoyen": ["prixmoyens"], "a-source: Surface": []})
    assert text.startswith(
        "expected every column that the table reads, found none of these, which are NULL now: "
        "a-source: PrixMoyen (closest: prixmoyens); a-source: Surface. "
    )


def test_another_file_is_not_loaded_with_nulls() -> None:
    names = ["insee_com", "annee", "nb_mutations", "a", "b", "c"]
    table = tables()["mutations_immo_latest"]
    expected = (
        "expected the 10 columns that mutations_immo_latest reads, found 3: this is not the file. It begins with "
    )
    with pytest.raises(AnotherFile) as caught:
        find_columns(table, "dvf_indicateurs_communes", names, "a-source", "INSEE_COM^annee^...")
    assert f"{expected}'INSEE_COM^annee^...'. Check whether an error page" in str(caught.value)
    with pytest.raises(AnotherFile, match="It begins with 'insee_com, annee, "):
        find_columns(table, "dvf_indicateurs_communes", names, "a-source")


SPECIALTIES = ["0613_maths_filles", "0613_maths_garcons", "0105_lettres_filles", "0105_lettres_garcons"]


@pytest.mark.parametrize(
    ("columns", "absent", "close"),
    [
        (["2757_arts_garcons"], "2757_arts_filles", "none is close"),
        (["2757_arts_filles_f", "2757_arts_garcons"], "2757_arts_filles", "'2757_arts_filles_f'"),
        (["2757_arts_filles", "2757_arts_garcons_g"], "2757_arts_garcons", "'2757_arts_garcons_g'"),
        (["2757_arts_filles_f", "2757_arts_garcons_g"], "2757_arts_filles", "'2757_arts_filles_f'"),
    ],
)
def test_one_of_a_pair_of_columns_is_renamed(columns: list[str], absent: str, close: str) -> None:
    """A specialty that lacks its girls or its boys stops the load by name, also if both were renamed."""
    table = tables()["effectifs_specialites_premiere"]
    (parameter,) = table.files
    complete = [*dict.fromkeys(columns_of(table, parameter).values()), *SPECIALTIES]
    assert find_columns(table, parameter, complete, "a-source").needed
    with pytest.raises(ColumnMissing) as caught:
        find_columns(table, parameter, [*complete, *columns], "a-source")
    assert f"expected column {absent!r}, found none of that name (closest: {close}" in str(caught.value)


def upstream_columns(name: str) -> list[str]:
    """The columns of a file that has all that a table reads, as their publisher names them."""
    table = tables()[name]
    (parameter,) = table.files
    of_contract = (spec.upstream_in(parameter) for spec in specs(table.contract).values())
    return [slug(column) for column in (*filter(None, of_contract), *table.needs.get(parameter, ()))]


@pytest.mark.parametrize(
    ("name", "other", "source"),
    [
        ("ips_lycees", "ips_colleges", "fr-en-ips-colleges-ap2023"),
        ("specialites_lycees", "enseignements_optionnels_seconde", "onisep-60113c3d5fee0"),
    ],
)
def test_a_file_of_another_source_is_known_by_its_columns(name: str, other: str, source: str) -> None:
    """More than half of what a table reads is in the other's file too."""
    (parameter,) = tables()[name].files
    with pytest.raises(AnotherFile, match=f"this is the file of {source}"):
        find_columns(tables()[name], parameter, upstream_columns(other), "here")


@pytest.mark.parametrize("name", sorted(name for name, table in tables().items() if table.files))
def test_a_file_without_one_of_its_columns_is_no_other_file(name: str) -> None:
    """The sample's files, with all their columns, also those that nobody reads."""
    for parameter, file in tables()[name].files.items():
        path = file_of(file)
        if path is None or file.format in ("json", "geojson") or file.long:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            header = read(path, file, Path(scratch), "a test").frame.collect_schema().names()
        for lost in header:
            try:
                find_columns(tables()[name], parameter, [column for column in header if column != lost], "here")
            except EduError as error:
                assert isinstance(error, ColumnMissing), f"without {lost}: {error}"
