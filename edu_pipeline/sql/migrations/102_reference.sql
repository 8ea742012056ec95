-- Reference layer: what the codes of the other layers mean (socio-professional categories, départements,
-- former commune codes). ips_score has no open source: it is filled from an editorial file, whose categories
-- must be those of pcs_libelle at the latest when its transaction ends.
CREATE TABLE pcs_libelle (
    code_pcs VARCHAR(10) PRIMARY KEY,
    libelle TEXT NOT NULL,
    niveau INTEGER NOT NULL,
    niveau_fin INTEGER NOT NULL,
    libelle_fin TEXT NOT NULL,
    code_parent VARCHAR(10)
);
CREATE INDEX ON pcs_libelle (code_parent);

CREATE TABLE ips_score (
    code_pcs VARCHAR(10) PRIMARY KEY REFERENCES pcs_libelle DEFERRABLE INITIALLY DEFERRED,
    ips_score NUMERIC(5,2) NOT NULL
);

CREATE TABLE departements (
    code_departement VARCHAR(5) PRIMARY KEY,
    nom_departement TEXT NOT NULL,
    code_region VARCHAR(3) NOT NULL,
    nom_region TEXT NOT NULL,
    code_academie VARCHAR(2),
    nom_academie TEXT,
    code_region_academique VARCHAR(2),
    nom_region_academique TEXT
);
CREATE INDEX ON departements (code_region);
CREATE INDEX ON departements (code_academie);

CREATE TABLE passage_communes (
    code_ancien VARCHAR(5) NOT NULL,
    code_commune VARCHAR(5) NOT NULL,
    date_effet DATE NOT NULL,
    nature TEXT NOT NULL,
    part DOUBLE PRECISION NOT NULL,
    geo_ini INTEGER,
    geo_fin INTEGER,
    PRIMARY KEY (code_ancien, code_commune, date_effet)
);
CREATE INDEX ON passage_communes (code_commune);
