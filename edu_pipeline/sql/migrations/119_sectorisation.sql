-- What the cartes scolaires say beyond the plan's columns: the collèges, all lycées of which the plan has four, how many
-- lines say so, how the row came to its place, and why it has none.
SELECT edu_pipeline.use_postgis();

ALTER TABLE sectorisation_segments
    ADD COLUMN lieu_dit TEXT,
    ADD COLUMN uai_colleges VARCHAR(8)[],
    ADD COLUMN uai_lycees VARCHAR(8)[],
    ADD COLUMN lignes INTEGER NOT NULL,
    ADD COLUMN nom_voie TEXT,
    ADD COLUMN placement TEXT,
    ADD COLUMN motif TEXT,
    ALTER COLUMN rule SET NOT NULL;
ALTER TABLE sectorisation_zones
    ADD COLUMN nature TEXT NOT NULL,
    ADD COLUMN uai_colleges VARCHAR(8)[],
    ADD COLUMN uai_lycees VARCHAR(8)[],
    ADD COLUMN lignes INTEGER,
    ADD COLUMN motif TEXT,
    ALTER COLUMN rule SET NOT NULL;

CREATE INDEX ON sectorisation_segments (code_commune, rue_normalisee(libelle_rue));
CREATE INDEX ON sectorisation_segments (code_commune, rue_normalisee(nom_voie));

-- The lycées of an address. The bodies are parsed here and kept as they are understood, with tables and functions as
-- objects: so they work from any search_path, and on when a full rebuild has swapped the names of two schemas.

CREATE FUNCTION lycees_de_secteur(code_commune text, libelle_rue text, numero integer)
RETURNS TABLE (rang integer, uai text, evidence text, rule text, evidence_id integer, evidence_label text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH candidate AS (
        SELECT
            CASE WHEN s.rule LIKE '% > %' THEN 2 ELSE 1 END AS step, 'segment' AS evidence, s.id, s.rule, s.uai_lycees,
            concat_ws(', ', s.libelle_rue, s.lieu_dit) AS label
        FROM sectorisation_segments AS s
        WHERE s.code_commune = $1
            AND (rue_normalisee(s.libelle_rue) = rue_normalisee($2) OR rue_normalisee(s.nom_voie) = rue_normalisee($2))
            AND $3 BETWEEN coalesce(s.number_from, $3) AND coalesce(s.number_to, $3)
            AND s.side IN ('tous', CASE $3 % 2 WHEN 0 THEN 'pair' ELSE 'impair' END)
            AND s.uai_lycees IS NOT NULL
        UNION ALL
        SELECT 3, 'commune', z.id, z.rule, z.uai_lycees, z.zone_name
        FROM sectorisation_zones AS z
        WHERE z.code_commune = $1 AND z.nature = 'commune' AND z.uai_lycees IS NOT NULL
    ), chosen AS (
        SELECT DISTINCT ON (label, uai_lycees) *
        FROM candidate
        WHERE step = (SELECT min(step) FROM candidate)
        ORDER BY label, uai_lycees, id
    )
    SELECT lycee.rang::integer, lycee.uai::text, chosen.evidence, chosen.rule, chosen.id, chosen.label
    FROM chosen CROSS JOIN unnest(chosen.uai_lycees) WITH ORDINALITY AS lycee (uai, rang)
    ORDER BY chosen.label, chosen.id, lycee.rang;
END;
COMMENT ON FUNCTION lycees_de_secteur(text, text, integer) IS
    'The lycées of an address in order: INSEE code of the commune, street as people write it, house number. evidence: segment (the street''s row that has the number), or commune (it goes whole); evidence_id and evidence_label: the row in sectorisation_segments or sectorisation_zones. Streets of one name in one commune have rows each. No row: no open rule names a lycée.';

CREATE FUNCTION lycees_de_secteur(longitude double precision, latitude double precision)
RETURNS TABLE (rang integer, uai text, evidence text, rule text, evidence_id integer, evidence_label text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH chosen AS (
        SELECT z.id, z.rule, z.uai_lycees, z.zone_name, CASE z.nature WHEN 'commune' THEN 'commune' ELSE 'zone' END AS evidence
        FROM sectorisation_zones AS z
        WHERE ST_Covers(z.geometry, ST_SetSRID(ST_MakePoint($1, $2), 4326)) AND z.uai_lycees IS NOT NULL
        ORDER BY z.id
        LIMIT 1
    )
    SELECT lycee.rang::integer, lycee.uai::text, chosen.evidence, chosen.rule, chosen.id, chosen.zone_name
    FROM chosen CROSS JOIN unnest(chosen.uai_lycees) WITH ORDINALITY AS lycee (uai, rang)
    ORDER BY lycee.rang;
END;
COMMENT ON FUNCTION lycees_de_secteur(double precision, double precision) IS
    'The lycées of a position (WGS 84, longitude first) in order. evidence: commune (it goes whole) or zone (a part of it, by the nearest address, or one that an operator has supplied); evidence_id and evidence_label: the row in sectorisation_zones. On a border one of the two zones answers. No row: no open rule names a lycée.';
