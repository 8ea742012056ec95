"""etablissements_onisep and onisep_details_formations_lycees: rows laid out as in ONISEP's files.

No copy of the two CSV files is available: the labels are those that other programs read, the values those of ONISEP's
JSON export of the same data (ODbL).
"""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.errors import ColumnMissing
from edu_pipeline_tests.assets.inputs import Row, conformed, from_text
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.stand_in import StandIn

PLACES, COURSES = "etablissements_onisep", "onisep_details_formations_lycees"
SOURCES = {PLACES: "onisep_5fa5816ac6a6e", COURSES: "onisep_605340ddc19a9"}
REDIRECTION = "https://www.onisep.fr/http/redirection"
PAGE = f"{REDIRECTION}/etablissement/slug"


def columns(header: str) -> list[str]:
    return header.split(";")


PLACE_LABELS = columns(
    "code UAI;n° SIRET;type d'établissement;nom;sigle;statut;tutelle;université de rattachement libellé et UAI;"
    "université de rattachement ID et URL Onisep;établissements liés libellés;établissements liés URL et ID Onisep;"
    "boîte postale;adresse;CP;commune;commune (COG);cedex;téléphone;arrondissement;département;académie;région;"
    "région (COG);longitude (X);latitude (Y);journées portes ouvertes;langues enseignées;label génération 2024;"
    "URL et ID Onisep;date création;date de modification"
)
PLACE_NAMES = columns(
    "code_uai;n_siret;type_detablissement;nom;sigle;statut;tutelle;universite_de_rattachement_libelle_et_uai;"
    "universite_de_rattachement_id_et_url_onisep;etablissements_lies_libelles;etablissements_lies_url_et_id_onisep;"
    "boite_postale;adresse;cp;commune;commune_cog;cedex;telephone;arrondissement;departement;academie;region;"
    "region_cog;longitude_x;latitude_y;journees_portes_ouvertes;langues_enseignees;label_generation_2024;"
    "url_et_id_onisep;date_creation;date_de_modification"
)
COURSE_LABELS = columns(
    "Action de Formation (AF) identifiant Onisep;Formation (FOR) libellé;FOR URL et ID Onisep;"
    "FOR indexation domaine web Onisep;FOR type;FOR nature du certificat;FOR URL référentiel;FOR niveau de sortie;"
    "Lieu d'enseignement (ENS) libellé;ENS URL et ID Onisep;ENS code UAI;ENS statut;ENS adresse;ENS code postal;"
    "ENS commune;ENS département;ENS académie;ENS région;ENS latitude;ENS longitude;ENS n° téléphone;ENS site web;"
    "ENS hébergement;ENS accessibilité;AF durée cycle standard;AF modalités scolarité;AF éléments d'enseignement;"
    "AF coût scolarité;AF modalités accueil;AF page web;AF date de création;AF date de modification"
)
COURSE_NAMES = columns(
    "action_de_formation_af_identifiant_onisep;formation_for_libelle;for_url_et_id_onisep;"
    "for_indexation_domaine_web_onisep;for_type;for_nature_du_certificat;for_url_referentiel;for_niveau_de_sortie;"
    "lieu_denseignement_ens_libelle;ens_url_et_id_onisep;ens_code_uai;ens_statut;ens_adresse;ens_code_postal;"
    "ens_commune;ens_departement;ens_academie;ens_region;ens_latitude;ens_longitude;ens_n_telephone;ens_site_web;"
    "ens_hebergement;ens_accessibilite;af_duree_cycle_standard;af_modalites_scolarite;af_elements_denseignement;"
    "af_cout_scolarite;af_modalites_accueil;af_page_web;af_date_de_creation;af_date_de_modification"
)

LINKED = "Collège des Flandres à Hazebrouck (59) | Lycée professionnel des Monts de Flandre à Hazebrouck (59)"
FLANDRES: Row = {
    "code UAI": "0590101P",
    "n° SIRET": "19590101200011",
    "type d'établissement": "lycée général, technologique ou polyvalent",
    "nom": "Lycée des Flandres",
    "statut": "public",
    "tutelle": "Ministère chargé de l'Éducation nationale",
    "établissements liés libellés": LINKED,
    "établissements liés URL et ID Onisep": f"{PAGE}/ENS.11513 | {PAGE}/ENS.11836",
    "boîte postale": "BP 69",
    "adresse": "2 avenue des Flandres",
    "CP": "59522",
    "commune": "Hazebrouck",
    "commune (COG)": "59295",
    "cedex": "Cedex",
    "téléphone": "03 28 43 76 76",
    "département": "59 - Nord",
    "académie": "Lille",
    "région": "Hauts-de-France",
    "région (COG)": "32",
    "longitude (X)": "2.53232",
    "latitude (Y)": "50.7289",
    "journées portes ouvertes": "le 31/01/2026 de 08h30 à 12h00 (sur inscription) | le 21/03/2026 de 08h30 à 12h00",
    "langues enseignées": "Néerlandais, Anglais, Langues et cultures de l'Antiquité : latin, Allemand, Anglais",
    "URL et ID Onisep": f"{PAGE}/ENS.4441",
    "date création": "06/06/2020",
    "date de modification": "03/03/2025",
}
SETE: Row = {
    "Action de Formation (AF) identifiant Onisep": "AF.69395",
    "Formation (FOR) libellé": "classe de 1re générale",
    "FOR URL et ID Onisep": f"{REDIRECTION}/formation/slug/FOR.2255",
    "FOR indexation domaine web Onisep": "santé, social, sport/paramédical| santé, social, sport/travail social",
    "FOR type": "classe de 1re générale",
    "FOR nature du certificat": "Diplôme national ou diplôme d'État",
    "FOR URL référentiel": "https://eduscol.education.fr/634/cycle-terminal-de-la-voie-generale",
    "FOR niveau de sortie": "1re",
    "Lieu d'enseignement (ENS) libellé": "Lycée privé polyvalent Saint-Joseph",
    "ENS URL et ID Onisep": f"{PAGE}/ENS.13362",
    "ENS code UAI": "0341523W",
    "ENS statut": "privé sous contrat",
    "ENS adresse": "11 avenue Marx Dormoy, BP 77",
    "ENS code postal": "34202",
    "ENS commune": "Sète",
    "ENS département": "Hérault",
    "ENS académie": "Montpellier",
    "ENS région": "Occitanie",
    "ENS latitude": "43.4035",
    "ENS longitude": "3.69314",
    "ENS n° téléphone": "04 67 53 69 10",
    "ENS site web": "http://www.saintjoseph-sete.fr/",
    "ENS hébergement": "sans hébergement",
    "ENS accessibilité": "Locaux accessibles",
    "AF durée cycle standard": "1 an",
    "AF modalités scolarité": "temps plein, cours en présentiel",
    "AF date de création": "06/06/2020",
    "AF date de modification": "06/06/2020",
}


def written(*rows: Row, labels: list[str], header: list[str] | None = None) -> str:
    """The text of a file with the columns ``labels`` of ``rows`` under the names ``header``."""
    lines = io.StringIO()
    writer = csv.writer(lines, delimiter=";", lineterminator="\n")
    writer.writerow(header or labels)
    writer.writerows([row.get(label, "") for label in labels] for row in rows)
    return lines.getvalue()


def made(table: str, folder: Path, *rows: Row, labels: list[str], header: list[str] | None = None) -> Conformed:
    """The table made from ``rows``."""
    text = written(*rows, labels=labels, header=header).rstrip("\n")
    return conformed(table, **{SOURCES[table]: from_text(table, SOURCES[table], [text], folder)})


def places(folder: Path, *rows: Row) -> Conformed:
    return made(PLACES, folder, *rows, labels=PLACE_LABELS)


def courses(folder: Path, *rows: Row) -> Conformed:
    return made(COURSES, folder, *rows, labels=COURSE_LABELS)


@pytest.mark.parametrize("header", [PLACE_LABELS, PLACE_NAMES])
def test_an_establishment(header: list[str], tmp_path: Path) -> None:
    result = made(PLACES, tmp_path, FLANDRES, labels=PLACE_LABELS, header=header)
    assert result.refused.is_empty()
    assert result.frame.row(0, named=True) == {
        "identifiant_onisep": "ENS.4441",
        "code_uai": "0590101P",
        "n_siret": "19590101200011",
        "nom": "Lycée des Flandres",
        "sigle": None,
        "type_etablissement": "lycée général, technologique ou polyvalent",
        "statut": "public",
        "tutelle": "Ministère chargé de l'Éducation nationale",
        "address": "2 avenue des Flandres, BP 69, 59522 Hazebrouck Cedex",
        "adresse": "2 avenue des Flandres",
        "boite_postale": "BP 69",
        "code_postal": "59522",
        "commune": "Hazebrouck",
        "commune_cog": "59295",
        "cedex": "Cedex",
        "arrondissement": None,
        "departement": "Nord",
        "academie": "Lille",
        "region": "Hauts-de-France",
        "region_cog": "32",
        "latitude": 50.7289,
        "longitude": 2.53232,
        "telephone": "03 28 43 76 76",
        "journees_portes_ouvertes": "le 31/01/2026 de 08h30 à 12h00 (sur inscription) | le 21/03/2026 de 08h30 à 12h00",
        "langues_enseignees": ["Allemand", "Anglais", "Langues et cultures de l'Antiquité : latin", "Néerlandais"],
        "universite_de_rattachement": None,
        "etablissements_lies": [
            "Collège des Flandres à Hazebrouck (59)",
            "Lycée professionnel des Monts de Flandre à Hazebrouck (59)",
        ],
        "etablissements_lies_onisep": ["ENS.11513", "ENS.11836"],
        "url_onisep": f"{PAGE}/ENS.4441",
        "date_creation": date(2020, 6, 6),
        "date_modification": date(2025, 3, 3),
    }


@pytest.mark.parametrize(
    ("column", "label"),
    [
        ("langues_enseignees", "langues enseignées"),
        ("etablissements_lies", "établissements liés libellés"),
        ("etablissements_lies_onisep", "établissements liés URL et ID Onisep"),
    ],
)
def test_a_list_whose_column_is_missing_is_null(column: str, label: str, tmp_path: Path) -> None:
    header = ["autre" if name == label else name for name in PLACE_LABELS]
    result = made(PLACES, tmp_path, FLANDRES, labels=PLACE_LABELS, header=header)
    assert result.refused.is_empty()
    assert result.frame[column].to_list() == [None]


@pytest.mark.parametrize(
    ("cog", "arrondissement", "code"),
    [
        ("75100", "20", "75120"),
        ("75100", "7", "75107"),
        ("69380", "02", "69382"),
        ("13200", "01", "13201"),
        ("13200", "16", "13216"),
        ("75100", "", "75056"),
        ("69380", "12", "69123"),
        ("75056", "20", "75056"),
        ("1283", "", "01283"),
        ("2A004", "", "2A004"),
        ("31555", "3", "31555"),
    ],
)
def test_the_commune(cog: str, arrondissement: str, code: str, tmp_path: Path) -> None:
    """ONISEP has its own codes for the three cities, and the arrondissement in another column."""
    result = places(tmp_path, FLANDRES | {"commune (COG)": cog, "arrondissement": arrondissement})
    assert result.frame["commune_cog"].to_list() == [code]


@pytest.mark.parametrize(("number", "code"), [("", None), ("7", "75056")])
def test_a_lost_column_leaves_no_whole_city(number: str, code: str | None, tmp_path: Path) -> None:
    """Of twenty establishments of Paris none has an arrondissement, or another one has."""
    paris = FLANDRES | {"commune (COG)": "75100", "arrondissement": ""}
    rows = [paris | {"URL et ID Onisep": f"{PAGE}/ENS.{place}"} for place in range(20)]
    lyon = FLANDRES | {"commune (COG)": "69380", "arrondissement": number, "URL et ID Onisep": f"{PAGE}/ENS.99"}
    frame = places(tmp_path, *rows, lyon, FLANDRES).frame
    assert frame.filter(pl.col("identifiant_onisep") == "ENS.3")["commune_cog"].to_list() == [code]
    assert frame.filter(pl.col("identifiant_onisep") == "ENS.4441")["commune_cog"].to_list() == ["59295"]


@pytest.mark.parametrize(
    ("written", "languages"),
    [
        ("", None),
        (" ,  | ", None),
        ("Anglais", ["Anglais"]),
        ("Kanak (ajië, drehu), Anglais", ["Anglais", "Kanak (ajië, drehu)"]),
        ("Tahitien | Anglais", ["Anglais", "Tahitien"]),
    ],
)
def test_languages(written: str, languages: list[str] | None, tmp_path: Path) -> None:
    result = places(tmp_path, FLANDRES | {"langues enseignées": written})
    assert result.frame["langues_enseignees"].to_list() == [languages]


@pytest.mark.parametrize(
    ("changed", "address"),
    [
        ({"boîte postale": "", "cedex": ""}, "2 avenue des Flandres, 59522 Hazebrouck"),
        ({"adresse": "", "CP": "1108", "cedex": "Cedex 09"}, "BP 69, 01108 Hazebrouck Cedex 09"),
        (dict.fromkeys(["adresse", "boîte postale", "CP", "commune", "cedex"], ""), None),
    ],
)
def test_the_address_leaves_out_empty_parts(changed: Row, address: str | None, tmp_path: Path) -> None:
    assert places(tmp_path, FLANDRES | changed).frame["address"].to_list() == [address]


def test_an_establishment_needs_no_uai_and_may_share_one(tmp_path: Path) -> None:
    result = places(
        tmp_path,
        FLANDRES,
        FLANDRES | {"nom": "UFA des Flandres", "URL et ID Onisep": f"{PAGE}/ENS.4442"},
        FLANDRES | {"nom": "Antenne", "code UAI": "", "URL et ID Onisep": f"{PAGE}/ENS.4443"},
    )
    assert result.refused.is_empty()
    assert result.frame["code_uai"].to_list() == ["0590101P", "0590101P", None]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"URL et ID Onisep": f"{PAGE}/"}, "identifiant_onisep: expected a value"),
        ({"URL et ID Onisep": ""}, "identifiant_onisep: expected a value"),
        ({"code UAI": "0590101A"}, "code_uai: expected check letter"),
        ({"longitude (X)": "50.7289", "latitude (Y)": "2.53232"}, "expected a position in a French territory"),
        ({"statut": "mixte"}, "statut: expected text that matches"),
        ({"nom": ""}, "nom: expected a value"),
        ({"date de modification": "2025"}, "date_modification: expected a date"),
    ],
)
def test_a_wrong_establishment_is_refused(changed: Row, reason: str, tmp_path: Path) -> None:
    other = FLANDRES | {"URL et ID Onisep": f"{PAGE}/ENS.1"}
    result = places(tmp_path, FLANDRES | changed, other)
    assert result.frame["identifiant_onisep"].to_list() == ["ENS.1"]
    assert reason in result.refused["reasons"].list.join("; ").item()


def test_files_without_dates_and_with_dates_in_iso_form(tmp_path: Path) -> None:
    older = [label for label in PLACE_LABELS if not label.startswith("date")]
    result = made(PLACES, tmp_path, FLANDRES, labels=older)
    assert result.frame.select("date_creation", "date_modification").row(0) == (None, None)
    row = FLANDRES | {"date de modification": "2025-11-25T00:00:00+01:00"}
    assert places(tmp_path, row).frame["date_modification"].item() == date(2025, 11, 25)


@pytest.mark.parametrize("labels", [("date de création", "date modification"), ("Date creation", "modification")])
def test_possible_labels_of_the_dates(labels: tuple[str, str], tmp_path: Path) -> None:
    result = made(PLACES, tmp_path, FLANDRES, labels=PLACE_LABELS, header=[*PLACE_LABELS[:-2], *labels])
    assert result.frame.select("date_creation", "date_modification").row(0) == (date(2020, 6, 6), date(2025, 3, 3))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ColumnMissing, match="URL et ID Onisep"):
        made(PLACES, tmp_path, FLANDRES, labels=[label for label in PLACE_LABELS if "URL et ID" not in label])


@pytest.mark.parametrize("header", [COURSE_LABELS, COURSE_NAMES])
def test_a_course(header: list[str], tmp_path: Path) -> None:
    result = made(COURSES, tmp_path, SETE, labels=COURSE_LABELS, header=header)
    assert result.refused.is_empty()
    row = result.frame.row(0, named=True)
    assert {name: value for name, value in row.items() if value is not None} == {
        "identifiant_af": "AF.69395",
        "uai": "0341523W",
        "identifiant_onisep": "ENS.13362",
        "etablissement": "Lycée privé polyvalent Saint-Joseph",
        "formation": "classe de 1re générale",
        "type_formation": "classe de 1re générale",
        "nature_du_certificat": "Diplôme national ou diplôme d'État",
        "niveau_sortie": "1re",
        "domaines": ["santé, social, sport/paramédical", "santé, social, sport/travail social"],
        "duree": "1 an",
        "modalites": "temps plein, cours en présentiel",
        "statut": "privé sous contrat",
        "hebergement": "sans hébergement",
        "accessibilite": "Locaux accessibles",
        "adresse": "11 avenue Marx Dormoy, BP 77",
        "code_postal": "34202",
        "commune": "Sète",
        "departement": "Hérault",
        "academie": "Montpellier",
        "region": "Occitanie",
        "latitude": 43.4035,
        "longitude": 3.69314,
        "telephone": "04 67 53 69 10",
        "site_web": "http://www.saintjoseph-sete.fr/",
        "url_formation": f"{REDIRECTION}/formation/slug/FOR.2255",
        "url_referentiel": "https://eduscol.education.fr/634/cycle-terminal-de-la-voie-generale",
        "url_etablissement": f"{PAGE}/ENS.13362",
        "date_creation": date(2020, 6, 6),
        "date_modification": date(2020, 6, 6),
    }
    assert {name for name, value in row.items() if value is None} == {
        "elements_enseignement",
        "cout_scolarite",
        "modalites_accueil",
        "page_web",
    }


def test_the_newest_of_courses_with_one_identifier_is_kept(tmp_path: Path) -> None:
    """By date, not by text: 13/05/2026 is later than 31/12/2020."""
    result = courses(
        tmp_path,
        SETE | {"AF date de modification": "31/12/2020", "AF durée cycle standard": "2 ans"},
        SETE | {"AF date de modification": "13/05/2026", "AF durée cycle standard": "1 an"},
        SETE | {"AF date de modification": "", "AF durée cycle standard": "3 ans"},
        SETE | {"Action de Formation (AF) identifiant Onisep": "AF.1"},
    )
    assert dict(result.frame.select("identifiant_af", "duree").rows()) == {"AF.69395": "1 an", "AF.1": "1 an"}
    assert result.refused["key"].to_list() == ["AF.69395", "AF.69395"]
    assert all("this one has" in reasons[0] for reasons in result.refused["reasons"])


def test_a_course_without_uai_and_an_identifier_with_url(tmp_path: Path) -> None:
    address = f"{REDIRECTION}/formation/slug/AF.5992"
    result = courses(
        tmp_path, SETE | {"ENS code UAI": "", "Action de Formation (AF) identifiant Onisep": address}, SETE
    )
    assert result.refused.is_empty()
    assert result.frame.select("identifiant_af", "uai").rows() == [("AF.5992", None), ("AF.69395", "0341523W")]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"Action de Formation (AF) identifiant Onisep": ""}, "identifiant_af: expected a value"),
        ({"Action de Formation (AF) identifiant Onisep": "FOR.2255"}, "identifiant_af: expected text that matches"),
        ({"Formation (FOR) libellé": ""}, "formation: expected a value"),
        ({"ENS code UAI": "0341523A"}, "uai: expected check letter"),
        ({"ENS latitude": "3.69314", "ENS longitude": "43.4035"}, "expected a position in a French territory"),
    ],
)
def test_a_wrong_course_is_refused(changed: Row, reason: str, tmp_path: Path) -> None:
    other = SETE | {"Action de Formation (AF) identifiant Onisep": "AF.1"}
    result = courses(tmp_path, SETE | changed, other)
    assert result.frame["identifiant_af"].to_list() == ["AF.1"]
    assert reason in result.refused["reasons"].list.join("; ").item()


def test_a_course_overseas_and_one_without_position(tmp_path: Path) -> None:
    noumea = {
        "Action de Formation (AF) identifiant Onisep": "AF.19851",
        "ENS code UAI": "9830306R",
        "ENS code postal": "98849",
        "ENS latitude": "-22.231506819781",
        "ENS longitude": "166.46565914154",
    }
    nowhere = {
        "Action de Formation (AF) identifiant Onisep": "AF.2",
        "ENS latitude": "",
        "ENS longitude": "",
        "FOR indexation domaine web Onisep": "",
        "ENS URL et ID Onisep": "",
        "ENS code postal": "1108",
    }
    result = courses(tmp_path, SETE | noumea, SETE | nowhere)
    assert result.refused.is_empty()
    assert result.frame["uai"][0] == "9830306R"
    row = result.frame.row(1, named=True)
    assert row["code_postal"] == "01108"
    assert [row[name] for name in ("latitude", "domaines", "identifiant_onisep")] == [None, None, None]


def test_both_are_loaded_and_can_be_searched(stand_in: StandIn) -> None:
    code, *_ = stand_in.put_communes()
    stand_in.load_communes()
    place = FLANDRES | {"commune (COG)": code, "URL et ID Onisep": f"{PAGE}/ENS.13362"}
    stand_in.put("onisep-5fa5816ac6a6e", "5fa5816ac6a6e.csv", written(place, labels=PLACE_LABELS))
    stand_in.put("onisep-605340ddc19a9", "605340ddc19a9.csv", written(SETE, labels=COURSE_LABELS))
    assert stand_in.load(PLACES).load.rows == stand_in.load(COURSES).load.rows == 1
    assert stand_in.rows(
        "SELECT p.nom, c.formation FROM etablissements_onisep p "
        "JOIN onisep_details_formations_lycees c USING (identifiant_onisep) "
        "WHERE p.langues_enseignees @> ARRAY['Néerlandais'] AND 'santé, social, sport/paramédical' = ANY (c.domaines)"
    ) == [("Lycée des Flandres", "classe de 1re générale")]
