-- Sectorisation layer: which lycées an address leads to, by street segment where the carte scolaire goes down to
-- streets, by zone where it stops at communes or parts of them; and how well the segments were placed.
SELECT edu_pipeline.use_postgis();

-- One side of a street, or a part of it. number_from and number_to are NULL where the rule has no such bound; side is
-- pair, impair or tous. rule is the line of the carte scolaire that the segment follows from, match_* how its street
-- was found among the addresses of the BAN (0 to 100), NULL where it was not: geometry is NULL then too.
CREATE TABLE sectorisation_segments (
    id SERIAL PRIMARY KEY,
    code_departement VARCHAR(5) NOT NULL,
    code_commune VARCHAR(5) NOT NULL,
    libelle_rue TEXT NOT NULL,
    number_from INTEGER,
    number_to INTEGER,
    side VARCHAR(10) NOT NULL,
    zone_name TEXT,
    uai_lycees_1 VARCHAR(8),
    uai_lycees_2 VARCHAR(8),
    uai_lycees_3 VARCHAR(8),
    uai_lycees_4 VARCHAR(8),
    rentree_scolaire VARCHAR(9),
    rule TEXT,
    match_method TEXT,
    match_score NUMERIC(5,2),
    geometry GEOMETRY(LineString,4326)
);
CREATE INDEX ON sectorisation_segments (code_commune, libelle_rue);
CREATE INDEX ON sectorisation_segments (code_departement);
CREATE INDEX ON sectorisation_segments (uai_lycees_1);
CREATE INDEX ON sectorisation_segments USING gist (geometry);

-- A commune, or a named part of one, whose pupils all go to the same lycées.
CREATE TABLE sectorisation_zones (
    id SERIAL PRIMARY KEY,
    code_departement VARCHAR(5) NOT NULL,
    code_commune VARCHAR(5) NOT NULL,
    zone_name TEXT NOT NULL,
    uai_lycees_1 VARCHAR(8),
    uai_lycees_2 VARCHAR(8),
    uai_lycees_3 VARCHAR(8),
    uai_lycees_4 VARCHAR(8),
    rentree_scolaire VARCHAR(9),
    rule TEXT,
    geometry GEOMETRY(Polygon,4326)
);
CREATE INDEX ON sectorisation_zones (code_commune);
CREATE INDEX ON sectorisation_zones (code_departement);
CREATE INDEX ON sectorisation_zones (uai_lycees_1);
CREATE INDEX ON sectorisation_zones USING gist (geometry);

-- match_confidence is the mean match_score of the matched segments. (The BAN has taken OpenStreetMap's place; the
-- column keeps its name.)
CREATE TABLE data_quality_metrics (
    department VARCHAR(5) PRIMARY KEY,
    total_segments INTEGER NOT NULL,
    osm_matched INTEGER NOT NULL,
    match_confidence NUMERIC(5,2)
);
