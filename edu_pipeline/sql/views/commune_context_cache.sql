-- A commune worth a context page (relevant_communes) with all that the socio-economic tables say of it: shops and
-- services, recorded crime, property sales, diplomas, ages, incomes, activity and dwellings, its neighbours, a fact
-- about it. Paris, Lyon and Marseille are here as cities and by arrondissement; an arrondissement has its city's
-- figures where a table has only the whole city. NULL: the source has nothing on the commune; a null inside a JSONB:
-- the publisher hides the value.

\ir shared/commune.sql

CREATE MATERIALIZED VIEW commune_context_cache AS
WITH places AS NOT MATERIALIZED (
    SELECT relevant.code_commune, commune.code_commune_parent
    FROM relevant_communes AS relevant
    LEFT JOIN info_communes AS commune ON commune.code_commune = relevant.code_commune
), :commune_ctes, crime AS (
    SELECT DISTINCT ON (code_commune)
        code_commune,
        max(annee) AS annee,
        round(avg(ratio), 2) AS ratio,
        round(avg(taux_pour_mille / nullif(moyenne_france, 0)), 2) AS ratio_france,
        jsonb_object_agg(indicateur, jsonb_build_object(
            'taux_pour_mille', taux_pour_mille,
            'moyenne_departement', moyenne_departement,
            'moyenne_france', moyenne_france,
            'unite_de_compte', unite_de_compte
        )) AS indicateurs
    FROM crime_rates
    GROUP BY code_commune, preference
    ORDER BY code_commune, preference
), voisins AS (
    SELECT DISTINCT ON (own_or_city.code_commune)
        own_or_city.code_commune,
        jsonb_agg(
            jsonb_build_object('code_commune', voisin.code, 'nom_commune', commune.nom_commune) ORDER BY voisin.code
        ) AS voisins
    FROM communes_limitrophes AS limitrophe
    JOIN own_or_city ON own_or_city.code_source = limitrophe.insee
    CROSS JOIN LATERAL unnest(limitrophe.insee_voisins) AS voisin (code)
    LEFT JOIN info_communes AS commune ON commune.code_commune = voisin.code
    GROUP BY own_or_city.code_commune, own_or_city.preference
    ORDER BY own_or_city.code_commune, own_or_city.preference
)
SELECT
    relevant.code_commune,
    commune.nom_commune,
    relevant.raisons,
    commune.type_commune,
    commune.code_commune_parent,
    commune.code_departement,
    departements.nom_departement,
    commune.code_region,
    departements.nom_region,
    commune.codes_postaux,
    commune.code_epci,
    commune.population,
    contour.surface_km2,
    commune.latitude,
    commune.longitude,
    anecdote.anecdote,
    :commune_columns,
    crime.ratio_france AS crime_ratio_france,
    crime.annee AS crime_annee,
    crime.indicateurs AS crime_indicateurs,
    coalesce(to_jsonb(immo), to_jsonb(immo_ville)) - 'code_commune' AS immobilier,
    coalesce(to_jsonb(education), to_jsonb(education_ville)) - 'code_commune' AS niveau_education,
    coalesce(to_jsonb(age), to_jsonb(age_ville)) - 'code_commune' AS population_age,
    coalesce(to_jsonb(revenu), to_jsonb(revenu_ville)) - 'code_commune' AS revenu,
    coalesce(to_jsonb(activite), to_jsonb(activite_ville)) - 'code_commune' AS activite_economique,
    coalesce(to_jsonb(logement), to_jsonb(logement_ville)) - 'code_commune' AS logement,
    voisins.voisins AS neighbours
FROM relevant_communes AS relevant
LEFT JOIN info_communes AS commune ON commune.code_commune = relevant.code_commune
CROSS JOIN LATERAL (SELECT relevant.code_commune, commune.code_commune_parent) AS place
LEFT JOIN departements ON departements.code_departement = commune.code_departement
LEFT JOIN commune_boundaries AS contour ON contour.code_commune = relevant.code_commune
LEFT JOIN anecdotes_communes AS anecdote ON anecdote.code_commune = relevant.code_commune
LEFT JOIN crime ON crime.code_commune = relevant.code_commune
LEFT JOIN voisins ON voisins.code_commune = relevant.code_commune
:commune_joins;

CREATE UNIQUE INDEX ON commune_context_cache (code_commune);
CREATE INDEX ON commune_context_cache (code_departement);
CREATE INDEX ON commune_context_cache (lower(nom_commune) text_pattern_ops);

COMMENT ON MATERIALIZED VIEW commune_context_cache IS
    'A commune worth a context page with all that the socio-economic tables say of it. Paris, Lyon and Marseille are here as cities and by arrondissement; an arrondissement has its city''s figures where a table has only the whole city. NULL: the source has nothing on the commune.';
COMMENT ON COLUMN commune_context_cache.code_commune IS 'INSEE code of the commune or municipal arrondissement.';
COMMENT ON COLUMN commune_context_cache.nom_commune IS 'Name, with its article.';
COMMENT ON COLUMN commune_context_cache.raisons IS 'Why it has a context page: collège, lycée, 2000 habitants ou plus.';
COMMENT ON COLUMN commune_context_cache.type_commune IS 'commune or arrondissement municipal.';
COMMENT ON COLUMN commune_context_cache.code_commune_parent IS 'An arrondissement''s commune: 75056, 69123 or 13055; NULL for a commune.';
COMMENT ON COLUMN commune_context_cache.code_departement IS 'Code of the département or collectivity, e.g. 01, 2A, 971.';
COMMENT ON COLUMN commune_context_cache.nom_departement IS 'Name of the département or collectivity.';
COMMENT ON COLUMN commune_context_cache.code_region IS 'INSEE code of the region; an overseas collectivity''s own code.';
COMMENT ON COLUMN commune_context_cache.nom_region IS 'Name of the region; an overseas collectivity''s own name.';
COMMENT ON COLUMN commune_context_cache.codes_postaux IS 'All postal codes, NULL where there is none.';
COMMENT ON COLUMN commune_context_cache.code_epci IS 'SIREN of its group of communes (EPCI); NULL for arrondissements and the few communes in none.';
COMMENT ON COLUMN commune_context_cache.population IS 'Municipal population of the latest reference census (unit: inhabitants).';
COMMENT ON COLUMN commune_context_cache.surface_km2 IS 'Area of the generalised contour (unit: km²); NULL where the contours lack it, as those until 2024 do arrondissements.';
COMMENT ON COLUMN commune_context_cache.latitude IS 'Latitude of the centre of its area, WGS 84 (unit: °).';
COMMENT ON COLUMN commune_context_cache.longitude IS 'Longitude of the centre of its area, WGS 84 (unit: °).';
COMMENT ON COLUMN commune_context_cache.anecdote IS 'A fact about the commune, NULL where none has been written.';
COMMENT ON COLUMN commune_context_cache.local_services IS 'Shops and services by kind, the columns of commerce_sante_2024 (unit: establishments).';
COMMENT ON COLUMN commune_context_cache.crime_level IS
    'Recorded crime against the average of the published communes of the département: faible (crime_ratio below 0.8), moyen, élevé (above 1.2). NULL where no indicator is published for the commune: then nothing is known.';
COMMENT ON COLUMN commune_context_cache.crime_ratio IS
    'For each indicator published for the commune in the year of crime_indicateur_avg its rate divided by the average rate of the published communes of the département (of France where the département has none); the mean of these ratios, each indicator counting the same, rounded to two decimals (1 = as the average).';
COMMENT ON COLUMN commune_context_cache.crime_ratio_france IS 'The same mean of ratios, each to the average of the published communes of France (1 = as the average).';
COMMENT ON COLUMN commune_context_cache.crime_annee IS 'Year of the crime columns.';
COMMENT ON COLUMN commune_context_cache.crime_indicateurs IS
    'The published indicators by name: taux_pour_mille and the averages moyenne_departement and moyenne_france (unit: per 1,000 inhabitants; Cambriolages de logement: per 1,000 dwellings), unite_de_compte.';
COMMENT ON COLUMN commune_context_cache.immobilier IS 'Sales of houses and flats, the columns of mutations_immo_latest (units: sales, %, €, €/m², m²).';
COMMENT ON COLUMN commune_context_cache.niveau_education IS 'People of 15 or older not at school by highest diploma, and people at school by age, the columns of niveau_education_2021 (units: people; part_*, taux_*: %).';
COMMENT ON COLUMN commune_context_cache.population_age IS 'Population by age and its evolution, the columns of population_evolution_age (units: people; part_*, evolution_*: %).';
COMMENT ON COLUMN commune_context_cache.revenu IS 'Incomes of the commune and of its bassin de vie, the columns of merged_revenu_commune_bassin_2021 (units: € a year, %).';
COMMENT ON COLUMN commune_context_cache.activite_economique IS 'Activity of people of 15 to 64 and jobs, the columns of activite_economique_2022 (units: people, jobs; taux_*, part_*: %).';
COMMENT ON COLUMN commune_context_cache.logement IS 'Dwellings, the columns of logement_2021 (units: dwellings; taux_*: %).';
COMMENT ON COLUMN commune_context_cache.neighbours IS
    'The communes that touch it: a list of {code_commune, nom_commune}, by code; an arrondissement has its city''s if its own are unknown. Empty or NULL where none is known.';
