-- The census from 2022 on: a row for each commune and year, beside the tables of 2021 and 2022, which keep their year.
-- One table for each of INSEE's files, so that a later edition adds rows and no table.

-- People by age and sex. The age groups of 2022 and those of the other years are columns of their own.
CREATE TABLE recensement_population (
    code_commune VARCHAR(5) NOT NULL,
    annee INTEGER NOT NULL,
    codes_anciens VARCHAR(5)[],
    statut TEXT,
    population DOUBLE PRECISION,
    hommes DOUBLE PRECISION,
    femmes DOUBLE PRECISION,
    pop_moins_15 DOUBLE PRECISION,
    pop_15_24 DOUBLE PRECISION,
    pop_25_39 DOUBLE PRECISION,
    pop_40_54 DOUBLE PRECISION,
    pop_55_64 DOUBLE PRECISION,
    pop_65_79 DOUBLE PRECISION,
    pop_80_plus DOUBLE PRECISION,
    pop_15_29 DOUBLE PRECISION,
    pop_30_44 DOUBLE PRECISION,
    pop_45_59 DOUBLE PRECISION,
    pop_60_74 DOUBLE PRECISION,
    pop_75_89 DOUBLE PRECISION,
    pop_90_plus DOUBLE PRECISION,
    part_moins_15 NUMERIC(5,2),
    part_15_24 NUMERIC(5,2),
    part_25_39 NUMERIC(5,2),
    part_40_54 NUMERIC(5,2),
    part_55_64 NUMERIC(5,2),
    part_65_79 NUMERIC(5,2),
    part_80_plus NUMERIC(5,2),
    PRIMARY KEY (code_commune, annee)
);

-- People who have left school, by highest diploma.
CREATE TABLE recensement_diplomes (
    code_commune VARCHAR(5) NOT NULL,
    annee INTEGER NOT NULL,
    codes_anciens VARCHAR(5)[],
    statut TEXT,
    nscol15p DOUBLE PRECISION,
    nscol15p_diplmin DOUBLE PRECISION,
    nscol15p_bepc DOUBLE PRECISION,
    nscol15p_capbep DOUBLE PRECISION,
    nscol15p_bac DOUBLE PRECISION,
    nscol15p_sup DOUBLE PRECISION,
    nscol15p_sup2 DOUBLE PRECISION,
    nscol15p_sup34 DOUBLE PRECISION,
    nscol15p_sup5 DOUBLE PRECISION,
    part_diplmin NUMERIC(5,2),
    part_bepc NUMERIC(5,2),
    part_capbep NUMERIC(5,2),
    part_bac NUMERIC(5,2),
    part_sup NUMERIC(5,2),
    part_sup2 NUMERIC(5,2),
    part_sup34 NUMERIC(5,2),
    part_sup5 NUMERIC(5,2),
    PRIMARY KEY (code_commune, annee)
);

-- School attendance by age.
CREATE TABLE recensement_scolarisation (
    code_commune VARCHAR(5) NOT NULL,
    annee INTEGER NOT NULL,
    codes_anciens VARCHAR(5)[],
    statut TEXT,
    pop0205 DOUBLE PRECISION,
    scol0205 DOUBLE PRECISION,
    pop0610 DOUBLE PRECISION,
    scol0610 DOUBLE PRECISION,
    pop1114 DOUBLE PRECISION,
    scol1114 DOUBLE PRECISION,
    pop1517 DOUBLE PRECISION,
    scol1517 DOUBLE PRECISION,
    pop1824 DOUBLE PRECISION,
    scol1824 DOUBLE PRECISION,
    pop2529 DOUBLE PRECISION,
    scol2529 DOUBLE PRECISION,
    pop30p DOUBLE PRECISION,
    scol30p DOUBLE PRECISION,
    taux_scolarisation_0205 NUMERIC(5,2),
    taux_scolarisation_0610 NUMERIC(5,2),
    taux_scolarisation_1114 NUMERIC(5,2),
    taux_scolarisation_1517 NUMERIC(5,2),
    taux_scolarisation_1824 NUMERIC(5,2),
    taux_scolarisation_2529 NUMERIC(5,2),
    taux_scolarisation_30p NUMERIC(5,2),
    PRIMARY KEY (code_commune, annee)
);

-- Employment and unemployment of residents aged 15 to 64.
CREATE TABLE recensement_activite (
    code_commune VARCHAR(5) NOT NULL,
    annee INTEGER NOT NULL,
    codes_anciens VARCHAR(5)[],
    statut TEXT,
    pop1564 DOUBLE PRECISION,
    actifs DOUBLE PRECISION,
    actifs_occupes DOUBLE PRECISION,
    chomeurs DOUBLE PRECISION,
    inactifs DOUBLE PRECISION,
    etudiants DOUBLE PRECISION,
    retraites DOUBLE PRECISION,
    taux_activite NUMERIC(5,2),
    taux_chomage NUMERIC(5,2),
    taux_emploi NUMERIC(5,2),
    PRIMARY KEY (code_commune, annee)
);

-- Jobs located in the commune.
CREATE TABLE recensement_emploi (
    code_commune VARCHAR(5) NOT NULL,
    annee INTEGER NOT NULL,
    codes_anciens VARCHAR(5)[],
    statut TEXT,
    emplois DOUBLE PRECISION,
    emplois_salaries DOUBLE PRECISION,
    emplois_non_salaries DOUBLE PRECISION,
    part_salaries NUMERIC(5,2),
    PRIMARY KEY (code_commune, annee)
);

-- Dwellings and main residences.
CREATE TABLE recensement_logement (
    code_commune VARCHAR(5) NOT NULL,
    annee INTEGER NOT NULL,
    codes_anciens VARCHAR(5)[],
    statut TEXT,
    logements DOUBLE PRECISION,
    residences_principales DOUBLE PRECISION,
    residences_secondaires DOUBLE PRECISION,
    logements_vacants DOUBLE PRECISION,
    maisons DOUBLE PRECISION,
    appartements DOUBLE PRECISION,
    proprietaires DOUBLE PRECISION,
    locataires DOUBLE PRECISION,
    locataires_hlm DOUBLE PRECISION,
    rp_grat DOUBLE PRECISION,
    rp_1p DOUBLE PRECISION,
    rp_2p DOUBLE PRECISION,
    rp_3p DOUBLE PRECISION,
    rp_4p DOUBLE PRECISION,
    rp_5pp DOUBLE PRECISION,
    taux_residences_principales NUMERIC(5,2),
    taux_residences_secondaires NUMERIC(5,2),
    taux_logements_vacants NUMERIC(5,2),
    taux_maisons NUMERIC(5,2),
    taux_appartements NUMERIC(5,2),
    taux_proprietaires NUMERIC(5,2),
    taux_locataires NUMERIC(5,2),
    taux_locataires_hlm NUMERIC(5,2),
    PRIMARY KEY (code_commune, annee)
);
