-- Geographic layer: the communes, their contours, their neighbours, and which of them get a context page.
-- anecdotes_communes has no open source: it is filled from an editorial file.
SELECT edu_pipeline.use_postgis();

CREATE TABLE info_communes (
    code_commune VARCHAR(5) PRIMARY KEY,
    nom_commune VARCHAR(255) NOT NULL,
    code_departement VARCHAR(5) NOT NULL,
    code_region VARCHAR(3) NOT NULL,
    code_postal VARCHAR(10),
    codes_postaux VARCHAR(10)[],
    population INTEGER,
    latitude DOUBLE PRECISION,
    longitude DOUBLE PRECISION,
    code_epci VARCHAR(9),
    siren VARCHAR(9),
    type_commune TEXT NOT NULL,
    code_commune_parent VARCHAR(5)
);
CREATE INDEX ON info_communes (code_departement);
CREATE INDEX ON info_communes (code_region);
CREATE INDEX ON info_communes (code_postal);
CREATE INDEX ON info_communes USING gin (codes_postaux);
CREATE INDEX ON info_communes (code_epci);
CREATE INDEX ON info_communes (code_commune_parent);
CREATE INDEX ON info_communes (lower(nom_commune) text_pattern_ops);

CREATE TABLE commune_boundaries (
    code_commune VARCHAR(5) PRIMARY KEY,
    nom_commune VARCHAR(255) NOT NULL,
    geometry GEOMETRY(MultiPolygon,4326) NOT NULL,
    surface_km2 NUMERIC(9,2) NOT NULL
);
CREATE INDEX ON commune_boundaries USING gist (geometry);

CREATE TABLE communes_limitrophes (
    insee VARCHAR(10) PRIMARY KEY,
    insee_voisins VARCHAR(10)[] NOT NULL,
    nb_voisins INTEGER NOT NULL
);
CREATE INDEX ON communes_limitrophes USING gin (insee_voisins);

CREATE TABLE anecdotes_communes (
    code_commune VARCHAR(5) PRIMARY KEY,
    anecdote TEXT NOT NULL
);

CREATE TABLE relevant_communes (
    code_commune VARCHAR(5) PRIMARY KEY,
    raisons TEXT[] NOT NULL
);
CREATE INDEX ON relevant_communes USING gin (raisons);
