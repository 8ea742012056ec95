"""The sample's later editions of INSEE's files, loaded into a database: years, age groups, cities, hidden figures."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from edu_pipeline.catalogue import catalogue
from edu_pipeline.sample.directory import publications
from edu_pipeline.table import tables
from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.sample.communal import rows_of
from edu_pipeline_tests.sample.sample_files import produced, sample_file
from edu_pipeline_tests.sample.sample_files import sample_world as world
from edu_pipeline_tests.stand_in import StandIn

COMMUNES = ("departements", "passage_communes", "info_communes")
WITH_2022 = ("recensement_population", "recensement_activite", "recensement_emploi", "recensement_logement")
CENSUS = (*WITH_2022, "recensement_diplomes", "recensement_scolarisation")


@pytest.fixture
def filled(stand_in: StandIn) -> Iterator[StandIn]:
    """The sample's files of communes and of the later editions."""
    wanted = {source for name in (*COMMUNES, *CENSUS, "revenu_pauvrete") for source in tables()[name].sources}
    for item in publications():
        if item.source in wanted:
            stand_in.put(item.source, item.file_name, sample_file(item.source, item.file_name).read_bytes())
    stand_in.load(*COMMUNES)
    yield stand_in


def test_the_later_editions_load_with_every_row_accounted_for(filled: StandIn) -> None:
    for name in (*CENSUS, "revenu_pauvrete"):
        outcome = filled.load(name)
        assert outcome.load.refused == 0 and not outcome.load.missing, name
        for file, fates in outcome.load.balance.items():
            assert sum(fates.values()) == 2 * fates["rows"], (name, file)
    in_force = len(world().places.filter(~pl.col("code").str.starts_with("98")))
    statement = "SELECT annee, count(*) FROM recensement_logement GROUP BY 1 ORDER BY 1"
    counted = dict(filled.rows(statement))
    assert list(counted) == [2012, 2017, 2022, 2023]
    assert counted[2023] <= in_force
    (later,) = filled.rows("SELECT max(annee), count(*) > 300 FROM revenu_pauvrete WHERE mediane_niveau_vie > 0")
    assert later == (2023, True)


@pytest.mark.parametrize("name", CENSUS)
def test_a_year_has_the_figures_that_insee_gives_for_it(name: str) -> None:
    frame = produced(name).frame
    years = [2012, 2017, 2022, 2023] if name in WITH_2022 else [2012, 2017, 2023]
    assert sorted(frame["annee"].unique()) == years
    assert not frame.select("code_commune", "annee").is_duplicated().any()
    assert frame.filter(pl.col("annee") == 2022)["statut"].null_count() == frame.filter(pl.col("annee") == 2022).height
    assert set(frame.filter(pl.col("annee") != 2022)["statut"]) == {"A", "W"}


def test_each_census_has_its_own_age_groups() -> None:
    frame = produced("recensement_population").frame
    of_2022, later = frame.filter(pl.col("annee") == 2022), frame.filter(pl.col("annee") == 2023)
    before = ["pop_15_29", "pop_30_44", "pop_45_59", "pop_60_74", "pop_75_89", "pop_90_plus"]
    since = ["pop_15_24", "pop_25_39", "pop_40_54", "pop_55_64", "pop_65_79", "pop_80_plus"]
    for rows, full, empty in ((of_2022, before, since), (later, since, before)):
        known = rows.filter(pl.col("population") > 0)
        whole = known.select(pl.sum_horizontal("pop_moins_15", *full)).to_series()
        assert ((whole - known["population"]).abs() < 0.01).all()
        assert known.select(empty).null_count().row(0) == (known.height,) * len(empty)


def test_a_figure_that_a_year_lacks_is_null_and_an_absent_row_zero() -> None:
    diplomas = produced("recensement_diplomes").frame
    earlier = diplomas.filter(pl.col("annee") == 2012, pl.col("nscol15p") > 0)
    assert earlier["nscol15p_sup5"].null_count() == earlier.height
    assert earlier["nscol15p_sup"].null_count() == 0
    dwellings = produced("recensement_logement").frame.filter(pl.col("annee") == 2023, pl.col("logements") < 150)
    assert set(dwellings["locataires_hlm"]) == {0.0}, "these have no row in the file"


def test_cities_are_the_sums_of_their_arrondissements() -> None:
    frame = produced("recensement_emploi").frame.filter(pl.col("annee") == 2023)
    jobs = dict(frame.select("code_commune", "emplois").rows())
    for city in set(arrondissements.COMMUNES.values()):
        parts = [jobs[code] for code, whole in arrondissements.COMMUNES.items() if whole == city]
        assert sum(parts) == pytest.approx(jobs[city])


def test_secret_and_absent_incomes_are_null() -> None:
    raw = rows_of("insee_filosofi_2023").filter(pl.col("geo_object") == "COM")
    assert {"C", "F"} == set(raw["conf_status"]) and {"A", "O"} == set(raw["obs_status"])
    frame = produced("revenu_pauvrete").frame
    assert frame["taux_pauvrete"].null_count() > frame["mediane_niveau_vie"].null_count() > 0
    assert catalogue()["insee-filosofi-2023"].files["main"].hidden == ("CONF_STATUS C", "OBS_STATUS O")
