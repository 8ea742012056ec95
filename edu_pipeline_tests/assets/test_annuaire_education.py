"""annuaire_education and the four tables made from it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from edu_pipeline.table import tables
from edu_pipeline_tests.assets.inputs import by_uai, conformed, from_text, real_rows
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import produced

SOURCE = "fr_en_annuaire_education"

HEADER_2024 = (
    "Identifiant_de_l_etablissement;Nom_etablissement;Type_etablissement;Statut_public_prive;Adresse_1;Adresse_2;"
    "Adresse_3;Code_postal;Code_commune;Nom_commune;Code_departement;Code_academie;Code_region;Ecole_maternelle;"
    "Ecole_elementaire;Voie_generale;Voie_technologique;Voie_professionnelle;Telephone;Fax;Web;Mail;Restauration;"
    "Hebergement;ULIS;Apprentissage;Segpa;Section_arts;Section_cinema;Section_theatre;Section_sport;"
    "Section_internationale;Section_europeenne;Lycee_Agricole;Lycee_militaire;Lycee_des_metiers;Post_BAC;"
    "Appartenance_Education_Prioritaire;GRETA;SIREN_SIRET;Nombre_d_eleves;Fiche_onisep;position;Type_contrat_prive;"
    "Libelle_departement;Libelle_academie;Libelle_region;coordX_origine;coordY_origine;epsg_origine;"
    "nom_circonscription;latitude;longitude;precision_localisation;date_ouverture;date_maj_ligne;etat;"
    "ministere_tutelle;multi_uai;rpi_concentre;rpi_disperse;code_nature;libelle_nature;Code_type_contrat_prive;PIAL;"
    "etablissement_mere;type_rattachement_etablissement_mere;code_circonscription;code_zone_animation_pedagogique;"
    "libelle_zone_animation_pedagogique;code_bassin_formation;libelle_bassin_formation"
)
HEADER_2023 = (
    HEADER_2024.replace("Code_postal", "Code postal")
    .replace("coordX_origine;coordY_origine;epsg_origine", "coordonnee_X;coordonnee_Y;epsg")
    .replace("multi_uai", "etablissement_multi_lignes")
    .replace("code_circonscription;code_zone_animation_pedagogique;libelle_zone_animation_pedagogique;", "")
)
LYCEE = (
    "0311131L;Lycée polyvalent privé Sainte-Thérèse;Lycée;Privé;16 rue du Bugatet;BP 161;;31800;31483;Saint-Gaudens;"
    "031;16;76;;;1;0;1;05 62 00 95 10;05 62 00 95 19;http://www.stsg.fr;0311131l@ac-toulouse.fr;1;1;1;1;0;0;0;0;0;0;0;"
    "0;0;0;0;;0;77684512500058;;https://www.onisep.fr/http/redirection/etablissement/slug/ENS.12993;"
    "43.105090299028824, 0.7220397950041894;CONTRAT D'ASSOCIATION TOUTES CLASSES;Haute-Garonne;Toulouse;Occitanie;"
    "514449.8;6225545.0;EPSG:2154;;43.105090299028824;0.7220397950041894;Numéro de rue;1967-05-08;2024-11-26;OUVERT;"
    "MINISTERE DE L'EDUCATION NATIONALE;0;0;;306;LYCEE POLYVALENT;30;0311968W;;;;;;16106;COMMINGES"
)
COLLEGE = (
    "0301326D;Collège André Chamson;Collège;Public;1 avenue Jean Jaurès;BP 31029;;30123;30350;Le Vigan;030;11;76;;;0;0;"
    "0;04 67 81 01 77;04 67 81 03 19;http://andre-chamson-le-vigan.mon-ent-occitanie.fr/;ce.0301326d@ac-montpellier.fr;"
    "1;0;0;0;1;0;0;0;0;0;0;0;0;0;0;;1;19301326500015;;"
    "https://www.onisep.fr/http/redirection/etablissement/slug/ENS.14945;43.98987059800149, 3.600659390659651;SANS "
    "OBJET;Gard;Montpellier;Occitanie;748184.7;6321390.9;EPSG:2154;;43.98987059800149;3.600659390659651;Numéro de rue;"
    "1977-03-14;2024-11-26;OUVERT;MINISTERE DE L'EDUCATION NATIONALE;0;0;;340;COLLEGE;99;0300052U;;;;034010;PAYS "
    "VIGANAIS;11116;GARD NORD-OUEST"
)
ECOLE_2023 = (
    "0350122T;Ecole primaire publique les Lucioles;Ecole;Public;6 rue PHILIPPE;;35580 BAULON;35580;35016;Baulon;035;14;"
    "53;1;1;;;;0299853802;;;ecole.0350122T@ac-rennes.fr;1;0;0;;;;;;;;;;;;;;;21350016800025;143;;47.98614492070133, "
    "-1.9294895003671315;SANS OBJET;Ille-et-Vilaine;Rennes;Bretagne;332503.4;6776558.9;EPSG:2154;Circonscription "
    "d'inspection du 1er degré de Bruz;47.98614492070133;-1.9294895003671315;Rue;1965-10-01;2023-06-08;OUVERT;"
    "MINISTERE DE L'EDUCATION NATIONALE;0;0;;151;ECOLE DE NIVEAU ELEMENTAIRE;99;0351881E;;;;"
)
LYCEE_PLACE = "43.105090299028824;0.7220397950041894"


def annuaire(lines: list[str], folder: Path) -> Conformed:
    return conformed("annuaire_education", **{SOURCE: from_text("annuaire_education", SOURCE, lines, folder)})


def test_the_files_of_2024(tmp_path: Path) -> None:
    result = annuaire([HEADER_2024, LYCEE, COLLEGE], tmp_path)
    assert result.refused.is_empty()
    lycee, college = by_uai(result)["0311131L"], by_uai(result)["0301326D"]
    assert lycee["type_etablissement"] == "Lycée"
    assert lycee["statut_public_prive"] == "privé"
    assert lycee["address"] == "16 rue du Bugatet, BP 161, 31800 Saint-Gaudens"
    assert lycee["code_departement"] == "31"
    assert (lycee["latitude"], lycee["longitude"]) == (43.105090299028824, 0.7220397950041894)
    assert lycee["position"] == "43.105090299028824, 0.7220397950041894"
    assert (lycee["voie_generale"], lycee["voie_technologique"], lycee["voie_professionnelle"]) == (True, False, True)
    assert lycee["ecole_maternelle"] is None
    assert lycee["nombre_d_eleves"] is None
    assert lycee["coordx_origine"] == 514449.8
    assert (lycee["date_ouverture"], lycee["date_maj_ligne"]) == (date(1967, 5, 8), date(2024, 11, 26))
    assert lycee["siren_siret"] == "77684512500058"
    assert college["segpa"] is True
    assert college["multi_uai"] is False
    assert college["code_zone_animation_pedagogique"] == "034010"


def test_the_column_names_of_2023_and_a_postal_third_line(tmp_path: Path) -> None:
    assert (len(HEADER_2024.split(";")), len(HEADER_2023.split(";"))) == (72, 69)
    result = annuaire([HEADER_2023, ECOLE_2023], tmp_path)
    assert result.refused.is_empty()
    school = by_uai(result)["0350122T"]
    assert school["address"] == "6 rue PHILIPPE, 35580 BAULON"
    assert school["code_postal"] == "35580"
    assert (school["coordx_origine"], school["epsg_origine"]) == (332503.4, "EPSG:2154")
    assert school["nombre_d_eleves"] == 143
    assert (school["ecole_maternelle"], school["ecole_elementaire"], school["multi_uai"]) == (True, True, False)
    assert school["code_circonscription"] is None


def test_an_address_has_no_repeated_and_no_empty_parts(tmp_path: Path) -> None:
    written = "16 rue du Bugatet;BP 161;;31800;31483;Saint-Gaudens"
    lines = [
        LYCEE.replace("0311131L", uai, 1).replace(written, published)
        for uai, published in {
            "0311131L": "LE BOURG;LE BOURG;81120 TERRE DE BANCALIE;81120;31483;Terre-de-Bancalié",
            "0301326D": "186  route DE GRENADE;BP 70083;31703 BLAGNAC CEDEX;31703;31483;Blagnac",
            "0350122T": ";;;;31483;",
            "0590015W": "LE BOURG;;81120 TERRE DE BANCALIE;;31483;Terre-de-Bancalié",
        }.items()
    ]
    addresses = {uai: row["address"] for uai, row in by_uai(annuaire([HEADER_2024, *lines], tmp_path)).items()}
    assert addresses == {
        "0311131L": "LE BOURG, 81120 TERRE DE BANCALIE",
        "0301326D": "186 route DE GRENADE, BP 70083, 31703 BLAGNAC CEDEX",
        "0350122T": None,
        "0590015W": "LE BOURG, 81120 TERRE DE BANCALIE",
    }


def test_among_rows_with_one_code_the_last_updated_is_kept(tmp_path: Path) -> None:
    older = LYCEE.replace("2024-11-26", "2024-11-25").replace("Sainte-Thérèse", "Sainte-Thérèse - annexe")
    result = annuaire([HEADER_2024, older, LYCEE, LYCEE.replace("Sainte-Thérèse", "Third")], tmp_path)
    assert result.frame["nom_etablissement"].to_list() == ["Lycée polyvalent privé Sainte-Thérèse"]
    assert result.refused["key"].to_list() == ["0311131L", "0311131L"]
    assert all("expected one row, found several" in reasons[0] for reasons in result.refused["reasons"])


def test_wrong_check_letters_and_swapped_axes_are_refused(tmp_path: Path) -> None:
    swapped = COLLEGE.replace("43.98987059800149;3.600659390659651", "3.600659390659651;43.98987059800149")
    result = annuaire([HEADER_2024, LYCEE.replace("0311131L", "0311131M", 1), swapped], tmp_path)
    assert result.frame.is_empty()
    reasons = dict(zip(result.refused["key"], result.refused["reasons"], strict=True))
    assert "check letter" in reasons["0311131M"][0]
    assert "latitude, longitude" in reasons["0301326D"][0]


def test_a_school_without_a_position_is_kept_off_the_maps(tmp_path: Path) -> None:
    with_position = annuaire([HEADER_2024, LYCEE, COLLEGE], tmp_path).frame.lazy()
    without_position = annuaire([HEADER_2024, LYCEE.replace(LYCEE_PLACE, ";")], tmp_path)
    assert without_position.refused.is_empty()
    assert without_position.frame["latitude"].to_list() == [None]

    lycees = conformed("geodata_lycees", annuaire_education=without_position.frame.lazy())
    assert lycees.refused.is_empty()
    assert (lycees.frame["uai"].to_list(), lycees.frame["latitude"].to_list()) == (["0311131L"], [None])
    assert conformed("lycees_geolocalisation", annuaire_education=without_position.frame.lazy()).frame.is_empty()
    on_map = conformed("lycees_geolocalisation", annuaire_education=with_position).frame
    assert on_map.rows() == [
        (
            "0311131L",
            "Lycée polyvalent privé Sainte-Thérèse",
            "31483",
            "Saint-Gaudens",
            "31",
            43.105090299028824,
            0.7220397950041894,
            "privé",
        ),
    ]
    assert conformed("colleges_geolocalisation", annuaire_education=with_position).frame["uai"].to_list() == [
        "0301326D"
    ]
    assert conformed("lycees_address_uai_mapping", annuaire_education=with_position).frame.rows() == [
        ("0311131L", "16 rue du Bugatet, BP 161, 31800 Saint-Gaudens")
    ]


def test_derived_tables_read_only_the_columns_they_need() -> None:
    addresses, colleges = tables()["lycees_address_uai_mapping"], tables()["colleges_geolocalisation"]
    assert addresses.columns_read_of("annuaire_education") == {"uai", "address", "type_etablissement"}
    assert colleges.columns_read_of("annuaire_education") == {
        "uai",
        "nom_etablissement",
        "nom_commune",
        "code_commune",
        "code_departement",
        "latitude",
        "longitude",
        "statut_public_prive",
        "type_etablissement",
    }
    assert tables()["relevant_communes"].columns_read_of("info_communes") == set()


def test_a_vocational_lycee_is_not_on_the_map(tmp_path: Path) -> None:
    vocational = annuaire([HEADER_2024, LYCEE.replace(";;;1;0;1;", ";;;0;0;1;", 1)], tmp_path).frame.lazy()
    assert conformed("geodata_lycees", annuaire_education=vocational).frame["uai"].to_list() == ["0311131L"]
    assert conformed("lycees_geolocalisation", annuaire_education=vocational).frame.is_empty()
    not_filled_in = annuaire([HEADER_2024, LYCEE.replace(";;;1;0;1;", ";;;;1;;", 1)], tmp_path).frame.lazy()
    assert conformed("lycees_geolocalisation", annuaire_education=not_filled_in).frame["uai"].to_list() == ["0311131L"]


def test_the_real_directory() -> None:
    rows, result = real_rows(SOURCE), produced("annuaire_education")
    known = {row["Identifiant_de_l_etablissement"] for row in rows}
    assert (len(rows), len(known)) == (6240, 6237)
    assert set(result.frame["uai"]) == known
    assert sorted(result.refused["key"]) == ["0311631E", "0342266D", "0460054J"]
    assert all(len(reasons) == 1 and "greatest date_maj_ligne" in reasons[0] for reasons in result.refused["reasons"])
    assert result.frame["address"].null_count() == 0
    assert result.frame["latitude"].null_count() == sum(1 for row in rows if not row["latitude"]) == 31
    assert result.frame["nombre_d_eleves"].sum() == sum(int(row["Nombre_d_eleves"] or 0) for row in rows)


def test_the_real_extracts() -> None:
    first = {row["Identifiant_de_l_etablissement"]: row for row in reversed(real_rows(SOURCE))}
    lycees = {uai for uai, row in first.items() if row["Type_etablissement"] == "Lycée"}
    colleges = {uai for uai, row in first.items() if row["Type_etablissement"] == "Collège" and row["latitude"]}
    general = {
        uai
        for uai in lycees
        if "1" in (first[uai]["Voie_generale"], first[uai]["Voie_technologique"]) and first[uai]["latitude"]
    }
    assert (len(lycees), len(general), len(colleges)) == (555, 222, 642)
    for table, expected in {
        "geodata_lycees": lycees,
        "lycees_address_uai_mapping": lycees,
        "lycees_geolocalisation": general,
        "colleges_geolocalisation": colleges,
    }.items():
        result = produced(table)
        assert result.refused.is_empty()
        assert set(result.frame["uai"]) == expected
