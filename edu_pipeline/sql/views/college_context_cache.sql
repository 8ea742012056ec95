-- A collège of the latest session with what parents compare: results at the brevet, social position index (IPS),
-- international sections, and the commune around it. Every collège of the session is here, also when nothing is known
-- of its commune; an arrondissement has its city's figures where a table has only the whole city.
CREATE MATERIALIZED VIEW college_context_cache AS
WITH own_or_city AS (
    -- The codes under which a commune may be found: its own, and for an arrondissement its city's, if its own is not.
    SELECT code_commune, code_commune AS code_source, 1 AS preference FROM info_communes
    UNION ALL
    SELECT code_commune, code_commune_parent, 2 FROM info_communes WHERE code_commune_parent IS NOT NULL
), crime AS (
    -- Against the département's average of published communes; definition: comment of crime_ratio.
    SELECT DISTINCT ON (own_or_city.code_commune)
        own_or_city.code_commune,
        round(avg(crime.taux_pour_mille / coalesce(
            nullif(departement.taux_moyen_pour_mille, 0), nullif(france.taux_moyen_pour_mille, 0)
        )), 2) AS ratio
    FROM criminalite_2024 AS crime
    JOIN own_or_city ON own_or_city.code_source = crime.code_commune
    LEFT JOIN crime_indicateur_avg AS departement
        ON departement.code_departement
            = left(crime.code_commune, CASE WHEN crime.code_commune >= '97' THEN 3 ELSE 2 END)
        AND departement.indicateur = crime.indicateur
    LEFT JOIN crime_indicateur_avg AS france
        ON france.code_departement = 'FR' AND france.indicateur = crime.indicateur
    WHERE crime.annee = (SELECT max(annee) FROM crime_indicateur_avg) AND crime.taux_pour_mille IS NOT NULL
    GROUP BY own_or_city.code_commune, own_or_city.preference
    ORDER BY own_or_city.code_commune, own_or_city.preference
), sections AS (
    SELECT uai, array_agg(DISTINCT section ORDER BY section) AS sections FROM sections_internationales GROUP BY uai
)
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
    commune.population,
    coalesce(to_jsonb(services), to_jsonb(services_ville)) - ARRAY['code_commune', 'codes_anciens', 'commune', 'annee']
        AS local_services,
    CASE
        WHEN crime.ratio < 0.8 THEN 'faible'
        WHEN crime.ratio > 1.2 THEN 'élevé'
        WHEN crime.ratio IS NOT NULL THEN 'moyen'
    END AS crime_level,
    crime.ratio AS crime_ratio,
    (coalesce(immo, immo_ville)).prix_m2_moyen,
    (coalesce(revenu, revenu_ville)).mediane_niveau_vie,
    (coalesce(revenu, revenu_ville)).taux_pauvrete,
    (coalesce(activite, activite_ville)).taux_chomage,
    (coalesce(education, education_ville)).part_sup5,
    (coalesce(logement, logement_ville)).taux_locataires_hlm,
    (coalesce(age, age_ville)).evolution_2015_2021
FROM metrics_colleges AS resultat
LEFT JOIN annuaire_education AS annuaire ON annuaire.uai = resultat.uai
LEFT JOIN ips_colleges AS indice ON indice.uai = resultat.uai
LEFT JOIN sections ON sections.uai = resultat.uai
-- The first of the codes that is in force: the result's, the directory's, the index's.
LEFT JOIN info_communes AS by_result ON by_result.code_commune = resultat.code_commune
LEFT JOIN info_communes AS by_directory ON by_directory.code_commune = annuaire.code_commune
LEFT JOIN info_communes AS by_index ON by_index.code_commune = indice.code_commune
LEFT JOIN info_communes AS commune ON commune.code_commune = coalesce(
    by_result.code_commune, by_directory.code_commune, by_index.code_commune
)
LEFT JOIN crime ON crime.code_commune = commune.code_commune
-- Each table twice: the commune's own row, and for an arrondissement its city's, which stands in for a missing row.
LEFT JOIN commerce_sante_2024 AS services ON services.code_commune = commune.code_commune
LEFT JOIN commerce_sante_2024 AS services_ville ON services_ville.code_commune = commune.code_commune_parent
LEFT JOIN mutations_immo_latest AS immo ON immo.code_commune = commune.code_commune
LEFT JOIN mutations_immo_latest AS immo_ville ON immo_ville.code_commune = commune.code_commune_parent
LEFT JOIN merged_revenu_commune_bassin_2021 AS revenu ON revenu.code_commune = commune.code_commune
LEFT JOIN merged_revenu_commune_bassin_2021 AS revenu_ville ON revenu_ville.code_commune = commune.code_commune_parent
LEFT JOIN activite_economique_2022 AS activite ON activite.code_commune = commune.code_commune
LEFT JOIN activite_economique_2022 AS activite_ville ON activite_ville.code_commune = commune.code_commune_parent
LEFT JOIN niveau_education_2021 AS education ON education.code_commune = commune.code_commune
LEFT JOIN niveau_education_2021 AS education_ville ON education_ville.code_commune = commune.code_commune_parent
LEFT JOIN logement_2021 AS logement ON logement.code_commune = commune.code_commune
LEFT JOIN logement_2021 AS logement_ville ON logement_ville.code_commune = commune.code_commune_parent
LEFT JOIN population_evolution_age AS age ON age.code_commune = commune.code_commune
LEFT JOIN population_evolution_age AS age_ville ON age_ville.code_commune = commune.code_commune_parent
WHERE resultat.session = (SELECT max(session) FROM metrics_colleges);

CREATE UNIQUE INDEX ON college_context_cache (uai);
CREATE INDEX ON college_context_cache (code_departement);
CREATE INDEX ON college_context_cache (ips);
CREATE INDEX ON college_context_cache (code_commune);

COMMENT ON MATERIALIZED VIEW college_context_cache IS
    'A collège of the latest session with its results at the brevet, its social position index and the commune around it. Every collège of the session is here, also when nothing is known of its commune; an arrondissement has its city''s figures where a table has only the whole city.';
COMMENT ON COLUMN college_context_cache.uai IS 'Establishment code: 7 digits and a check letter.';
COMMENT ON COLUMN college_context_cache.session IS 'Year of the exam session of the results, the latest.';
COMMENT ON COLUMN college_context_cache.nom_etablissement IS 'Name.';
COMMENT ON COLUMN college_context_cache.secteur IS 'public, privé, privé sous contrat or privé hors contrat, as far as the publisher says.';
COMMENT ON COLUMN college_context_cache.code_departement IS 'Code of the département or collectivity, e.g. 01, 2A, 971.';
COMMENT ON COLUMN college_context_cache.code_commune IS
    'INSEE code of the commune or arrondissement in force; a former commune''s code is brought up to date, one that is not known stays as published.';
COMMENT ON COLUMN college_context_cache.nom_commune IS 'Name of the commune; where the code is not known, as the directory or the results write it.';
COMMENT ON COLUMN college_context_cache.academie IS 'Name of the académie.';
COMMENT ON COLUMN college_context_cache.address IS 'Postal address on one line (directory).';
COMMENT ON COLUMN college_context_cache.latitude IS 'Latitude, WGS 84 (unit: °); NULL where the directory has no position.';
COMMENT ON COLUMN college_context_cache.longitude IS 'Longitude, WGS 84 (unit: °); NULL where the directory has no position.';
COMMENT ON COLUMN college_context_cache.appartenance_education_prioritaire IS 'REP or REP+, NULL outside priority education.';
COMMENT ON COLUMN college_context_cache.ips IS
    'Social position index of the collège (about 45 to 185, France about 105); NULL where the publisher finds the pupils too few.';
COMMENT ON COLUMN college_context_cache.ecart_type_ips IS 'Standard deviation of the index in the collège.';
COMMENT ON COLUMN college_context_cache.rentree_scolaire_ips IS 'School year of the index, e.g. 2024-2025.';
COMMENT ON COLUMN college_context_cache.has_section_internationale IS
    'Whether sections_internationales has a section of it; false also while that table is empty.';
COMMENT ON COLUMN college_context_cache.sections_internationales IS 'Its international sections, sorted; NULL where there is none.';
COMMENT ON COLUMN college_context_cache.results IS
    'The session''s results: the columns of metrics_colleges from nb_candidats_g on (units: pupils; taux_*, part_*: %; note_*, va_de_la_note_g: out of 20; va_du_taux_*: points). null: hidden, or without pupils.';
COMMENT ON COLUMN college_context_cache.population IS 'Commune: municipal population of the latest reference census (unit: inhabitants).';
COMMENT ON COLUMN college_context_cache.local_services IS 'Commune: shops and services by kind, the columns of commerce_sante_2024 (unit: establishments).';
COMMENT ON COLUMN college_context_cache.crime_level IS
    'Commune: recorded crime against the average of the published communes of the département: faible (crime_ratio below 0.8), moyen, élevé (above 1.2). NULL where no indicator is published for the commune: then nothing is known.';
COMMENT ON COLUMN college_context_cache.crime_ratio IS
    'Commune: for each indicator published for it in the year of crime_indicateur_avg its rate divided by the average rate of the published communes of the département (of France where the département has none); the mean of these ratios, each indicator counting the same, rounded to two decimals (1 = as the average).';
COMMENT ON COLUMN college_context_cache.prix_m2_moyen IS
    'Commune: average price of a square metre sold in the latest year, houses and flats (unit: €/m²); an arrondissement has its city''s.';
COMMENT ON COLUMN college_context_cache.mediane_niveau_vie IS 'Commune: median standard of living 2021 (unit: € a year); NULL where INSEE hides it.';
COMMENT ON COLUMN college_context_cache.taux_pauvrete IS
    'Commune: share of people below 60 % of the national median 2021 (unit: %); NULL where INSEE hides it.';
COMMENT ON COLUMN college_context_cache.taux_chomage IS 'Commune: unemployment rate of people of 15 to 64, census 2022 (unit: %).';
COMMENT ON COLUMN college_context_cache.part_sup5 IS
    'Commune: share of people of 15 or older not at school with a diploma of five years of higher education or more, census 2021 (unit: %).';
COMMENT ON COLUMN college_context_cache.taux_locataires_hlm IS 'Commune: share of main residences let by a social landlord, census 2021 (unit: %).';
COMMENT ON COLUMN college_context_cache.evolution_2015_2021 IS 'Commune: change of the population from 2015 to 2021 (unit: %).';
