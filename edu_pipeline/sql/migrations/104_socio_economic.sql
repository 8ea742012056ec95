-- Socio-economic layer: income, education, age, work, dwellings, services, property sales and recorded crime by
-- commune. Paris, Lyon and Marseille are in most of them as cities (75056, 69123, 13055) and by arrondissement.
-- criminalite_2024 is partitioned with a single partition: a large change is published by exchanging that partition.

-- Numbers of shops and services; 0 where the commune has none.
CREATE TABLE commerce_sante_2024 (
    code_commune VARCHAR(5) PRIMARY KEY,
    commune TEXT,
    police_gendarmerie INTEGER NOT NULL,
    banque_caisse_epargne INTEGER NOT NULL,
    grande_surface INTEGER NOT NULL,
    superette_epicerie INTEGER NOT NULL,
    boulangerie_patisserie INTEGER NOT NULL,
    ecole_maternelle_primaire_elementaire INTEGER NOT NULL,
    college INTEGER NOT NULL,
    urgences INTEGER NOT NULL,
    lycee INTEGER NOT NULL,
    medecin_generaliste INTEGER NOT NULL,
    chirurgien_dentiste INTEGER NOT NULL,
    masseur_kinesitherapeute INTEGER NOT NULL,
    infirmier INTEGER NOT NULL,
    pharmacie INTEGER NOT NULL,
    personnes_agees_hebergement INTEGER NOT NULL,
    eaje_accueil_jeune_enfant INTEGER NOT NULL,
    bassin_natation INTEGER NOT NULL,
    salles_multisports INTEGER NOT NULL
);

CREATE TABLE criminalite_2024 (
    code_commune VARCHAR(5) NOT NULL,
    annee INTEGER NOT NULL,
    indicateur TEXT NOT NULL,
    unite_de_compte TEXT NOT NULL,
    nombre INTEGER,
    taux_pour_mille NUMERIC(12,7),
    est_diffuse TEXT NOT NULL,
    insee_pop INTEGER,
    insee_pop_millesime INTEGER,
    insee_log INTEGER,
    insee_log_millesime INTEGER,
    complement_info_nombre NUMERIC(12,7),
    complement_info_taux NUMERIC(12,7),
    PRIMARY KEY (code_commune, annee, indicateur)
) PARTITION BY LIST (annee);
CREATE TABLE criminalite_2024__rows PARTITION OF criminalite_2024 DEFAULT;
CREATE INDEX ON criminalite_2024 (annee);

CREATE TABLE crime_indicateur_avg (
    code_departement VARCHAR(5) NOT NULL,
    indicateur TEXT NOT NULL,
    annee INTEGER NOT NULL,
    unite_de_compte TEXT NOT NULL,
    taux_moyen_pour_mille NUMERIC(12,7),
    nb_communes_publiees INTEGER NOT NULL,
    PRIMARY KEY (code_departement, indicateur)
);
CREATE INDEX ON crime_indicateur_avg (indicateur);

CREATE TABLE mutations_immo_latest (
    code_commune VARCHAR(5) PRIMARY KEY,
    annee INTEGER NOT NULL,
    nb_mutations INTEGER NOT NULL,
    nb_maisons INTEGER,
    nb_appartements INTEGER,
    prop_maison NUMERIC(5,2),
    prop_appart NUMERIC(5,2),
    prix_moyen NUMERIC(12,2),
    prix_m2_moyen NUMERIC(10,2),
    surface_moyenne NUMERIC(8,2)
);

-- Census counts are weighted, hence not whole. Names after the census variables P21_NSCOL15P_*: people of 15 or older
-- who are not at school, by highest diploma; part_* are shares of nscol15p in %.
CREATE TABLE niveau_education_2021 (
    code_commune VARCHAR(5) PRIMARY KEY,
    nscol15p NUMERIC(12,2),
    nscol15p_diplmin NUMERIC(12,2),
    nscol15p_bepc NUMERIC(12,2),
    nscol15p_capbep NUMERIC(12,2),
    nscol15p_bac NUMERIC(12,2),
    nscol15p_sup2 NUMERIC(12,2),
    nscol15p_sup34 NUMERIC(12,2),
    nscol15p_sup5 NUMERIC(12,2),
    part_diplmin NUMERIC(5,2),
    part_bepc NUMERIC(5,2),
    part_capbep NUMERIC(5,2),
    part_bac NUMERIC(5,2),
    part_sup2 NUMERIC(5,2),
    part_sup34 NUMERIC(5,2),
    part_sup5 NUMERIC(5,2)
);

-- P21_POP*, and P15_POP and P10_POP of the two earlier censuses; evolutions in %.
CREATE TABLE population_evolution_age (
    code_commune VARCHAR(5) PRIMARY KEY,
    population NUMERIC(12,2),
    pop0014 NUMERIC(12,2),
    pop1529 NUMERIC(12,2),
    pop3044 NUMERIC(12,2),
    pop4559 NUMERIC(12,2),
    pop6074 NUMERIC(12,2),
    pop7589 NUMERIC(12,2),
    pop90p NUMERIC(12,2),
    poph NUMERIC(12,2),
    popf NUMERIC(12,2),
    population_2015 NUMERIC(12,2),
    population_2010 NUMERIC(12,2),
    evolution_2015_2021 NUMERIC(8,2),
    evolution_2010_2015 NUMERIC(8,2)
);

CREATE TABLE merged_revenu_commune_bassin_2021 (
    code_commune VARCHAR(5) PRIMARY KEY,
    code_bassin_vie VARCHAR(5),
    libelle_bassin_vie TEXT,
    nb_menages_fiscaux INTEGER,
    mediane_niveau_vie NUMERIC(10,2),
    d1 NUMERIC(10,2),
    d9 NUMERIC(10,2),
    taux_pauvrete NUMERIC(5,2),
    rapport_interdecile NUMERIC(5,2),
    nb_menages_fiscaux_bassin INTEGER,
    mediane_niveau_vie_bassin NUMERIC(10,2),
    d1_bassin NUMERIC(10,2),
    d9_bassin NUMERIC(10,2),
    taux_pauvrete_bassin NUMERIC(5,2),
    rapport_interdecile_bassin NUMERIC(5,2),
    nbpersmenfisc21 INTEGER,
    pimp21 NUMERIC(5,2),
    tp60age121 NUMERIC(5,2),
    tp60age221 NUMERIC(5,2),
    tp60age321 NUMERIC(5,2),
    tp60age421 NUMERIC(5,2),
    tp60age521 NUMERIC(5,2),
    tp60age621 NUMERIC(5,2),
    tp60tol121 NUMERIC(5,2),
    tp60tol221 NUMERIC(5,2),
    pact21 NUMERIC(5,2),
    ptsa21 NUMERIC(5,2),
    pcho21 NUMERIC(5,2),
    pben21 NUMERIC(5,2),
    ppen21 NUMERIC(5,2),
    ppat21 NUMERIC(5,2),
    ppsoc21 NUMERIC(5,2),
    ppfam21 NUMERIC(5,2),
    ppmini21 NUMERIC(5,2),
    pplogt21 NUMERIC(5,2),
    pimpot21 NUMERIC(5,2)
);
CREATE INDEX ON merged_revenu_commune_bassin_2021 (code_bassin_vie);

-- People of 15 to 64 living in the commune (P22_ACT1564, P22_CHOM1564, C22_ACT1564_CS*), and jobs in the commune
-- (P22_EMPLT, C22_EMPLT_*); rates in %.
CREATE TABLE activite_economique_2022 (
    code_commune VARCHAR(5) PRIMARY KEY,
    pop1564 NUMERIC(12,2),
    actifs NUMERIC(12,2),
    actifs_occupes NUMERIC(12,2),
    chomeurs NUMERIC(12,2),
    inactifs NUMERIC(12,2),
    etudiants NUMERIC(12,2),
    retraites NUMERIC(12,2),
    taux_activite NUMERIC(5,2),
    taux_chomage NUMERIC(5,2),
    actifs_agriculteurs NUMERIC(12,2),
    actifs_artisans_commercants NUMERIC(12,2),
    actifs_cadres NUMERIC(12,2),
    actifs_professions_intermediaires NUMERIC(12,2),
    actifs_employes NUMERIC(12,2),
    actifs_ouvriers NUMERIC(12,2),
    emplois NUMERIC(12,2),
    emplois_salaries NUMERIC(12,2),
    emplois_non_salaries NUMERIC(12,2),
    emplois_agriculture NUMERIC(12,2),
    emplois_industrie NUMERIC(12,2),
    emplois_construction NUMERIC(12,2),
    emplois_commerce_transports_services NUMERIC(12,2),
    emplois_administration_enseignement_sante NUMERIC(12,2),
    emplois_agriculteurs NUMERIC(12,2),
    emplois_artisans_commercants NUMERIC(12,2),
    emplois_cadres NUMERIC(12,2),
    emplois_professions_intermediaires NUMERIC(12,2),
    emplois_employes NUMERIC(12,2),
    emplois_ouvriers NUMERIC(12,2)
);

-- P21_LOG, P21_RP, P21_RSECOCC, P21_LOGVAC, P21_MAISON, P21_APPART, P21_RP_*; taux_* in %: the first four of all
-- dwellings, the last three of main residences.
CREATE TABLE logement_2021 (
    code_commune VARCHAR(5) PRIMARY KEY,
    logements NUMERIC(12,2),
    residences_principales NUMERIC(12,2),
    residences_secondaires NUMERIC(12,2),
    logements_vacants NUMERIC(12,2),
    maisons NUMERIC(12,2),
    appartements NUMERIC(12,2),
    proprietaires NUMERIC(12,2),
    locataires NUMERIC(12,2),
    locataires_hlm NUMERIC(12,2),
    rp_grat NUMERIC(12,2),
    rp_1p NUMERIC(12,2),
    rp_2p NUMERIC(12,2),
    rp_3p NUMERIC(12,2),
    rp_4p NUMERIC(12,2),
    rp_5pp NUMERIC(12,2),
    taux_residences_principales NUMERIC(5,2),
    taux_residences_secondaires NUMERIC(5,2),
    taux_logements_vacants NUMERIC(5,2),
    taux_maisons NUMERIC(5,2),
    taux_proprietaires NUMERIC(5,2),
    taux_locataires NUMERIC(5,2),
    taux_locataires_hlm NUMERIC(5,2)
);
