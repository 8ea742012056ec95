-- A collège of the latest session with what parents compare: results at the brevet, social position index (IPS),
-- international sections, and the commune around it. Every collège of the session is here, also when nothing is known
-- of its commune; an arrondissement has its city's figures where a table has only the whole city.

\ir shared/school.sql

CREATE MATERIALIZED VIEW college_context_cache AS
WITH :school_ctes
SELECT
    resultat.uai,
    resultat.session,
    coalesce(resultat.nom_etablissement, annuaire.nom_etablissement) AS nom_etablissement,
    coalesce(resultat.secteur, annuaire.statut_public_prive) AS secteur,
    coalesce(
        resultat.code_departement, commune.code_departement, annuaire.code_departement, indice.code_departement
    ) AS code_departement,
    coalesce(
        commune.code_commune, resultat.code_commune, annuaire.code_commune, indice.code_commune
    ) AS code_commune,
    coalesce(commune.nom_commune, annuaire.nom_commune, resultat.commune) AS nom_commune,
    resultat.academie,
    annuaire.address,
    annuaire.latitude,
    annuaire.longitude,
    annuaire.appartenance_education_prioritaire,
    indice.ips,
    indice.ecart_type_ips,
    indice.rentree_scolaire AS rentree_scolaire_ips,
    sections.uai IS NOT NULL AS has_section_internationale,
    sections.sections AS sections_internationales,
    to_jsonb(resultat) - ARRAY[
        'uai', 'session', 'nom_etablissement', 'code_commune', 'commune', 'code_departement', 'departement',
        'code_academie', 'academie', 'code_region_academique', 'region_academique', 'secteur'
    ] AS results,
    :school_columns
FROM metrics_colleges AS resultat
LEFT JOIN annuaire_education AS annuaire ON annuaire.uai = resultat.uai
LEFT JOIN ips_colleges AS indice ON indice.uai = resultat.uai
:school_joins
WHERE resultat.session = (SELECT max(session) FROM metrics_colleges);

CREATE UNIQUE INDEX ON college_context_cache (uai);
CREATE INDEX ON college_context_cache (code_departement);
CREATE INDEX ON college_context_cache (ips);
CREATE INDEX ON college_context_cache (code_commune);

COMMENT ON MATERIALIZED VIEW college_context_cache IS
    'A collège of the latest session with its results at the brevet, its social position index and the commune around it. Every collège of the session is here, also when nothing is known of its commune; an arrondissement has its city''s figures where a table has only the whole city.';
COMMENT ON COLUMN college_context_cache.session IS 'Year of the exam session of the results, the latest.';
COMMENT ON COLUMN college_context_cache.nom_etablissement IS 'Name.';
COMMENT ON COLUMN college_context_cache.appartenance_education_prioritaire IS 'REP or REP+, NULL outside priority education.';
COMMENT ON COLUMN college_context_cache.ips IS
    'Social position index of the collège (about 45 to 185, France about 105); NULL where the publisher finds the pupils too few.';
COMMENT ON COLUMN college_context_cache.ecart_type_ips IS 'Standard deviation of the index in the collège.';
COMMENT ON COLUMN college_context_cache.results IS
    'The session''s results: the columns of metrics_colleges from nb_candidats_g on (units: pupils; taux_*, part_*: %; note_*, va_de_la_note_g: out of 20; va_du_taux_*: points). null: hidden, or without pupils.';

\set view college_context_cache
:school_comments
