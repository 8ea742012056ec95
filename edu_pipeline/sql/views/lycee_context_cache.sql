-- A lycée général et technologique of the latest session with what parents compare: results, social position index
-- (IPS), specialties, options, international sections, and the commune around it. Every lycée of the session is here,
-- also when nothing is known of its commune; an arrondissement has its city's figures where a table has only the city.
-- Search specialties with `specialites_array @> ARRAY['Mathématiques']`, which uses the index.

\ir shared/school.sql

CREATE MATERIALIZED VIEW lycee_context_cache AS
WITH :school_ctes
SELECT
    resultat.uai,
    resultat.annee,
    coalesce(resultat.etablissement, annuaire.nom_etablissement) AS etablissement,
    coalesce(resultat.secteur, annuaire.statut_public_prive) AS secteur,
    coalesce(
        resultat.code_departement, commune.code_departement, annuaire.code_departement, indice.code_departement
    ) AS code_departement,
    coalesce(
        commune.code_commune, resultat.code_commune, annuaire.code_commune, indice.code_commune
    ) AS code_commune,
    coalesce(commune.nom_commune, annuaire.nom_commune, resultat.ville) AS nom_commune,
    resultat.academie,
    annuaire.address,
    annuaire.latitude,
    annuaire.longitude,
    indice.ips,
    indice.ips_voie_gt,
    indice.ecart_type AS ecart_type_ips,
    indice.rentree_scolaire AS rentree_scolaire_ips,
    indice.type_de_lycee,
    specialites.specialites_array,
    seconde.options,
    seconde.lv1,
    seconde.lv2,
    sections.uai IS NOT NULL AS has_section_internationale,
    sections.sections AS sections_internationales,
    to_jsonb(resultat) - ARRAY[
        'uai', 'annee', 'etablissement', 'code_departement', 'departement', 'code_commune', 'ville', 'academie',
        'code_region', 'region', 'secteur'
    ] AS results,
    :school_columns
FROM aggregated_data_lycees_2024 AS resultat
LEFT JOIN annuaire_education AS annuaire ON annuaire.uai = resultat.uai
LEFT JOIN ips_lycees AS indice ON indice.uai = resultat.uai
LEFT JOIN specialites_lycees AS specialites ON specialites.uai = resultat.uai
LEFT JOIN enseignements_optionnels_seconde AS seconde ON seconde.uai = resultat.uai
:school_joins
WHERE resultat.annee = (SELECT max(annee) FROM aggregated_data_lycees_2024);

CREATE UNIQUE INDEX ON lycee_context_cache (uai);
CREATE INDEX ON lycee_context_cache USING gin (specialites_array);
CREATE INDEX ON lycee_context_cache (code_departement);
CREATE INDEX ON lycee_context_cache (ips);
CREATE INDEX ON lycee_context_cache (code_commune);

COMMENT ON MATERIALIZED VIEW lycee_context_cache IS
    'A lycée général et technologique of the latest session with its results, social position index, specialties, options and the commune around it. Every lycée of the session is here, also when nothing is known of its commune; an arrondissement has its city''s figures where a table has only the whole city.';
COMMENT ON COLUMN lycee_context_cache.annee IS 'Year of the exam session of the results, the latest.';
COMMENT ON COLUMN lycee_context_cache.etablissement IS 'Name.';
COMMENT ON COLUMN lycee_context_cache.ips IS
    'Social position index of the whole establishment (about 45 to 185, France about 105); NULL where the publisher finds the pupils too few.';
COMMENT ON COLUMN lycee_context_cache.ips_voie_gt IS 'The same index of its general and technological tracks alone.';
COMMENT ON COLUMN lycee_context_cache.ecart_type_ips IS 'Standard deviation of the index in the establishment.';
COMMENT ON COLUMN lycee_context_cache.type_de_lycee IS 'LEGT (general and technological), LP (vocational) or LPO (both).';
COMMENT ON COLUMN lycee_context_cache.specialites_array IS
    'Specialties of première générale offered, canonical labels, sorted; NULL where ONISEP does not list the lycée.';
COMMENT ON COLUMN lycee_context_cache.options IS 'Optional courses of seconde, sorted; NULL where ONISEP does not list the lycée.';
COMMENT ON COLUMN lycee_context_cache.lv1 IS 'First languages of seconde, sorted; NULL where ONISEP does not list the lycée.';
COMMENT ON COLUMN lycee_context_cache.lv2 IS 'Second languages of seconde, sorted; NULL where ONISEP does not list the lycée.';
COMMENT ON COLUMN lycee_context_cache.results IS
    'The session''s results: the columns of aggregated_data_lycees_2024 from presents_toutes_series on (units: pupils; taux_*: %; valeur_ajoutee_*, va_*: points). null: hidden, or a series that the lycée does not have.';

\set view lycee_context_cache
:school_comments
