-- Sectors of collèges that a city publishes as areas, with the codes of their collèges.
SELECT edu_pipeline.use_postgis();

CREATE TABLE secteurs_colleges (
    id integer NOT NULL PRIMARY KEY,
    code_departement character varying(5) NOT NULL,
    nom_secteur text,
    noms_colleges text[] NOT NULL,
    uai_colleges character varying(8)[] NOT NULL,
    rentree_scolaire character varying(9) NOT NULL,
    rule text NOT NULL,
    geometry geometry(MultiPolygon,4326) NOT NULL
);
CREATE INDEX ON secteurs_colleges USING gin (uai_colleges);
CREATE INDEX ON secteurs_colleges USING gist (geometry);
