-- Specialty layer: what lycées teach (specialties of première, options and languages of seconde, international
-- sections, courses known to ONISEP), and how many pupils take which specialty.

-- A few establishments have no UAI, and a UAI is not unique here (a UFA or CFA can share it).
CREATE TABLE etablissements_onisep (
    identifiant_onisep TEXT PRIMARY KEY,
    code_uai VARCHAR(8),
    n_siret VARCHAR(14),
    nom TEXT NOT NULL,
    sigle TEXT,
    type_etablissement TEXT,
    statut VARCHAR(50),
    tutelle TEXT,
    address TEXT,
    adresse TEXT,
    boite_postale TEXT,
    code_postal VARCHAR(10),
    commune TEXT,
    commune_cog VARCHAR(5),
    cedex TEXT,
    arrondissement TEXT,
    departement TEXT,
    academie TEXT,
    region TEXT,
    region_cog VARCHAR(3),
    latitude DOUBLE PRECISION,
    longitude DOUBLE PRECISION,
    telephone TEXT,
    journees_portes_ouvertes TEXT,
    langues_enseignees TEXT[],
    universite_de_rattachement TEXT,
    etablissements_lies TEXT[],
    etablissements_lies_onisep TEXT[],
    url_onisep TEXT NOT NULL,
    date_creation DATE,
    date_modification DATE
);
CREATE INDEX ON etablissements_onisep (code_uai);
CREATE INDEX ON etablissements_onisep (commune_cog);
CREATE INDEX ON etablissements_onisep USING gin (langues_enseignees);

-- A course of studies (FOR) at a place (ENS): an action de formation (AF).
CREATE TABLE onisep_details_formations_lycees (
    identifiant_af TEXT PRIMARY KEY,
    uai VARCHAR(8),
    identifiant_onisep TEXT,
    etablissement TEXT,
    formation TEXT NOT NULL,
    type_formation TEXT,
    nature_du_certificat TEXT,
    niveau_sortie TEXT,
    domaines TEXT[],
    duree TEXT,
    modalites TEXT,
    elements_enseignement TEXT,
    cout_scolarite TEXT,
    modalites_accueil TEXT,
    page_web TEXT,
    statut VARCHAR(50),
    hebergement TEXT,
    accessibilite TEXT,
    adresse TEXT,
    code_postal VARCHAR(10),
    commune TEXT,
    departement TEXT,
    academie TEXT,
    region TEXT,
    latitude DOUBLE PRECISION,
    longitude DOUBLE PRECISION,
    telephone TEXT,
    site_web TEXT,
    url_formation TEXT,
    url_referentiel TEXT,
    url_etablissement TEXT,
    date_creation DATE,
    date_modification DATE
);
CREATE INDEX ON onisep_details_formations_lycees (uai);
CREATE INDEX ON onisep_details_formations_lycees (identifiant_onisep);
CREATE INDEX ON onisep_details_formations_lycees (formation);

CREATE TABLE specialites_lycees (
    uai VARCHAR(8) PRIMARY KEY,
    etablissement TEXT NOT NULL,
    code_postal VARCHAR(10),
    commune TEXT,
    departement TEXT,
    region TEXT,
    academie TEXT,
    fiche_onisep TEXT,
    specialites_array TEXT[] NOT NULL,
    nb_specialites INTEGER NOT NULL,
    date_modification DATE
);
CREATE INDEX ON specialites_lycees USING gin (specialites_array);

CREATE TABLE enseignements_optionnels_seconde (
    uai VARCHAR(8) PRIMARY KEY,
    etablissement TEXT NOT NULL,
    code_postal VARCHAR(10),
    commune TEXT,
    departement TEXT,
    region TEXT,
    academie TEXT,
    fiche_onisep TEXT,
    options TEXT[] NOT NULL,
    lv1 TEXT[] NOT NULL,
    lv2 TEXT[] NOT NULL,
    date_modification DATE
);
CREATE INDEX ON enseignements_optionnels_seconde USING gin (options);
CREATE INDEX ON enseignements_optionnels_seconde USING gin (lv1);
CREATE INDEX ON enseignements_optionnels_seconde USING gin (lv2);

CREATE TABLE sections_internationales (
    uai VARCHAR(8) NOT NULL,
    section TEXT NOT NULL,
    niveau TEXT NOT NULL,
    rentree_scolaire INTEGER,
    nom_etablissement TEXT,
    ville TEXT,
    academie TEXT,
    premiere_session_oib_ou_dnb_option_internationale_a_venir TEXT,
    ouverture_rentree_suivante TEXT,
    latitude DOUBLE PRECISION,
    longitude DOUBLE PRECISION,
    PRIMARY KEY (uai, section, niveau)
);

CREATE TABLE effectifs_specialites_premiere (
    uai VARCHAR(8) NOT NULL,
    rentree_scolaire INTEGER NOT NULL,
    code_specialite VARCHAR(4) NOT NULL,
    specialite TEXT NOT NULL,
    filles INTEGER,
    garcons INTEGER,
    effectif INTEGER,
    effectif_total INTEGER,
    denomination TEXT,
    patronyme TEXT,
    secteur VARCHAR(50),
    commune TEXT,
    code_departement VARCHAR(5),
    departement TEXT,
    code_academie VARCHAR(2),
    academie TEXT,
    PRIMARY KEY (uai, rentree_scolaire, code_specialite)
);
CREATE INDEX ON effectifs_specialites_premiere (code_departement, rentree_scolaire);
CREATE INDEX ON effectifs_specialites_premiere (specialite, rentree_scolaire);
