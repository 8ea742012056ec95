"""specialites_lycees and enseignements_optionnels_seconde: the texts that list courses, and sites that share a UAI."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.table import tables
from edu_pipeline.vocabulary import specialites
from edu_pipeline_tests.assets.inputs import Row, by_uai, conformed, from_text
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import produced, real_file

FIRST, SECOND = "specialites_lycees", "enseignements_optionnels_seconde"
SOURCES = {FIRST: "onisep_60113f395cce6", SECOND: "onisep_60113c3d5fee0"}
LISTS = {
    FIRST: "Enseignements de spécialité de classe de 1ère générale",
    SECOND: "Enseignements optionnels et langues de classe de 2nde GT",
}
PLACE = (
    "Identifiant et fiche onisep lieu de cours;UAI lieu de cours;Libellé lieu de cours;Adresse lieu de cours;"
    "Boîte postale lieu de cours;Code postal lieu de cours;Commune lieu de cours;Département lieu de cours;"
    "Région lieu de cours;Académie lieu de cours;AF date création;AF date de modification"
)
SLUG = "https://www.onisep.fr/http/redirection/etablissement/slug"


def made(table: str, rows: list[str], folder: Path) -> Conformed:
    header = f'Identifiant action de formation;"{LISTS[table]}";{PLACE}'
    return conformed(table, **{SOURCES[table]: from_text(table, SOURCES[table], [header, *rows], folder)})


def site(identifier: str, courses: str, uai: str, name: str, changed: str = "06/06/2020", postal: str = "1210") -> str:
    place = f"{postal};Ferney-Voltaire;Ain;Auvergne-Rhône-Alpes;Lyon"
    return (
        f'{identifier};"{courses}";{SLUG}/{identifier};{uai};"{name}";Avenue des Sports;;{place};06/06/2020;{changed}'
    )


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("mathématiques", "Mathématiques"),
        ("sciences de la vie et de la Terre", "Sciences de la vie et de la Terre"),
        ("arts : cinéma - audiovisuel", "Arts : cinéma-audiovisuel"),
        ("sciences de l’ingénieur", "Sciences de l'ingénieur"),
        ("SCIENCES DE L'INGENIEUR", "Sciences de l'ingénieur"),
        ("HIST.-GEO. GEOPOLITIQUE & SC.POLITIQUES", "Histoire-géographie, géopolitique et sciences politiques"),
        ("EDUC.PHYSIQUE PRATIQUE & CULT.SPORTIVE", "Éducation physique, pratiques et culture sportives"),
        ("LITTERATURE ET LCA GREC", "Littérature et langues et cultures de l'Antiquité : grec"),
        ("LLCER anglais - monde contemporain", "LLCER anglais - monde contemporain"),
        ("LLCER anglais", "LLCER anglais"),
        ("LLCER occitan-langue d'oc", "LLCER occitan-langue d'oc"),
        ("BIOLOGIE - ECOLOGIE", "Biologie-écologie"),
        ("astrologie", "astrologie"),
    ],
)
def test_every_spelling_has_one_label(written: str, label: str) -> None:
    frame = pl.DataFrame({"written": [written]})
    assert frame.select(specialites.canonical(pl.col("written"))).item() == label


def test_canonical_labels_stay_and_differ() -> None:
    labels = pl.DataFrame({"label": specialites.LABELS})
    assert labels.select((specialites.canonical(pl.col("label")) == pl.col("label")).all()).item()
    assert len(set(specialites.LABELS)) == len(specialites.LABELS)


@pytest.mark.parametrize("table", [FIRST, SECOND])
def test_an_error_of_a_spreadsheet_is_no_course(table: str, tmp_path: Path) -> None:
    result = made(table, [site("AF.1", "#REF!", "0010072Y", "Lycée international")], tmp_path)
    assert result.frame.is_empty()
    assert "#REF!" in result.refused["reasons"][0][0]


def test_the_list_is_split_and_labelled(tmp_path: Path) -> None:
    result = made(
        FIRST,
        [
            site(
                "AF.1",
                "physique-chimie / LLCER anglais / mathématiques / arts : cinéma - audiovisuel",
                "0010072Y",
                "Lycée",
            )
        ],
        tmp_path,
    )
    assert result.refused.is_empty()
    assert result.frame.row(0, named=True) == {
        "uai": "0010072Y",
        "etablissement": "Lycée",
        "code_postal": "01210",
        "commune": "Ferney-Voltaire",
        "departement": "Ain",
        "region": "Auvergne-Rhône-Alpes",
        "academie": "Lyon",
        "fiche_onisep": f"{SLUG}/AF.1",
        "specialites_array": ["Arts : cinéma-audiovisuel", "LLCER anglais", "Mathématiques", "Physique-chimie"],
        "nb_specialites": 4,
        "date_modification": date(2020, 6, 6),
    }


def test_sites_that_share_a_uai_become_one_row(tmp_path: Path) -> None:
    result = made(
        FIRST,
        [
            site(
                "AF.1",
                "mathématiques / LLCER anglais",
                "0690521S",
                "Lycée Sainte-Marie (annexe)",
                "31/01/2023",
                "38293",
            ),
            site("AF.2", "physique-chimie / mathématiques", "0690521S", "Lycée Sainte-Marie", "19/03/2021", "69321"),
        ],
        tmp_path,
    )
    assert result.refused.is_empty()
    row = by_uai(result)["0690521S"]
    assert (row["etablissement"], row["code_postal"], row["date_modification"]) == (
        "Lycée Sainte-Marie",
        "69321",
        date(2023, 1, 31),
    )
    assert row["specialites_array"] == ["LLCER anglais", "Mathématiques", "Physique-chimie"]
    assert row["nb_specialites"] == 3


def test_each_site_without_uai_is_refused(tmp_path: Path) -> None:
    sites = [site("AF.1", "mathématiques", "", "Annexe"), site("AF.2", "mathématiques", "", "Annexe")]
    result = made(FIRST, [*sites, site("AF.3", "mathématiques", "0010072Y", "Lycée")], tmp_path)
    assert result.frame["uai"].to_list() == ["0010072Y"]
    assert result.refused.height == 2
    assert all("uai: expected a value, found nothing" in reasons for reasons in result.refused["reasons"])


def test_a_lycee_without_listed_specialties_has_a_row(tmp_path: Path) -> None:
    result = made(FIRST, [site("AF.1", "", "0010072Y", "Lycée")], tmp_path)
    assert result.frame.select("specialites_array", "nb_specialites").rows() == [([], 0)]


def test_an_unknown_specialty_is_not_canonical() -> None:
    lists = pl.DataFrame({"labels": [["Mathématiques", "astrologie"], ["Mathématiques"], []]})
    assert lists.select(specialites.are_canonical(pl.col("labels"))).to_series().to_list() == [False, True, True]


def test_options_and_languages_are_separated(tmp_path: Path) -> None:
    result = made(
        SECOND,
        [
            site(
                "AF.1",
                "Italien / Arts : danse / Langues et cultures de l'Antiquité : latin / LV1 : anglais, allemand / "
                "LV2 : espagnol, anglais",
                "0010072Y",
                "Lycée",
            ),
            site("AF.2", "Écologie, agronomie, territoires, développement durable", "0690521S", "Lycée agricole"),
        ],
        tmp_path,
    )
    assert result.refused.is_empty()
    lycee, agricole = by_uai(result)["0010072Y"], by_uai(result)["0690521S"]
    assert lycee["options"] == ["Arts : danse", "Italien", "Langues et cultures de l'Antiquité : latin"]
    assert (lycee["lv1"], lycee["lv2"]) == (["allemand", "anglais"], ["anglais", "espagnol"])
    assert agricole["options"] == ["Écologie, agronomie, territoires, développement durable"]
    assert (agricole["lv1"], agricole["lv2"]) == ([], [])


def test_options_of_sites_are_merged(tmp_path: Path) -> None:
    result = made(
        SECOND,
        [
            site("AF.1", "Italien / LV1 : anglais / LV2 : espagnol", "0010072Y", "Lycée"),
            site("AF.2", "Russe / Italien / LV1 : anglais, allemand", "0010072Y", "Lycée (annexe)"),
            site("AF.3", "Russe", "", "Annexe"),
        ],
        tmp_path,
    )
    assert result.refused.height == 1
    row = by_uai(result)["0010072Y"]
    assert (row["options"], row["lv1"], row["lv2"]) == (["Italien", "Russe"], ["allemand", "anglais"], ["espagnol"])


def real_rows(table: str) -> list[Row]:
    path = real_file(tables()[table].files[SOURCES[table]])
    assert path is not None
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=";"))


def test_the_real_specialties() -> None:
    rows, result = real_rows(FIRST), produced(FIRST)
    offered: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        offered[row["UAI lieu de cours"]] |= set(filter(None, row[LISTS[FIRST]].split(" / ")))
    without = sum(not row["UAI lieu de cours"] for row in rows)
    assert (len(rows), len(offered), without) == (2_452, 2_437, 7)
    assert (result.frame.height, result.refused.height) == (2_436, 7)
    assert {row["uai"]: row["nb_specialites"] for row in result.frame.iter_rows(named=True)} == {
        uai: len(labels) for uai, labels in offered.items() if uai
    }
    mathematics = result.frame.filter(pl.col("specialites_array").list.contains("Mathématiques")).height
    assert mathematics == sum("mathématiques" in labels for uai, labels in offered.items() if uai) == 2_420
    assert result.frame["code_postal"].str.contains(r"^\d{5}$").all()


def test_the_real_options() -> None:
    rows, result = real_rows(SECOND), produced(SECOND)
    assert (len(rows), result.frame.height, result.refused.height) == (2_682, 2_670, 4)
    options: dict[str, set[str]] = defaultdict(set)
    second: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for item in filter(None, row[LISTS[SECOND]].split(" / ")):
            if not item.startswith("LV"):
                options[row["UAI lieu de cours"]].add(item)
            elif item.startswith("LV2 : "):
                second[row["UAI lieu de cours"]] |= set(item.removeprefix("LV2 : ").split(", "))
    for row in result.frame.iter_rows(named=True):
        assert set(row["options"]) == options[row["uai"]]
        assert set(row["lv2"]) == second[row["uai"]]
