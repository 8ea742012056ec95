-- What the three views say of a commune, once for all of them: texts that psql keeps as variables, and that a view's
-- file inserts by :name. (`edu-pipeline migrate` does the same; see database/psql_files.py.) They make no object in the
-- database, so a view is planned as if the text stood in it.
--
-- commune_ctes needs a CTE `places`, commune_joins a relation `place`, both with code_commune and code_commune_parent;
-- commune_columns needs commune_joins and a relation `crime` with the ratio.

SELECT $sql$
own_or_city AS (
    -- The codes under which a commune may be found: its own, and for an arrondissement its city's, if its own is not.
    SELECT code_commune, code_commune AS code_source, 1 AS preference FROM places
    UNION ALL
    SELECT code_commune, code_commune_parent, 2 FROM places WHERE code_commune_parent IS NOT NULL
), crime_rates AS (
    -- ratio: to the average of the published communes of the département; definition: comment of crime_ratio.
    SELECT
        own_or_city.code_commune,
        own_or_city.preference,
        crime.annee,
        crime.indicateur,
        crime.unite_de_compte,
        crime.taux_pour_mille,
        departement.taux_moyen_pour_mille AS moyenne_departement,
        france.taux_moyen_pour_mille AS moyenne_france,
        crime.taux_pour_mille / coalesce(
            nullif(departement.taux_moyen_pour_mille, 0), nullif(france.taux_moyen_pour_mille, 0)
        ) AS ratio
    FROM criminalite_2024 AS crime
    JOIN own_or_city ON own_or_city.code_source = crime.code_commune
    LEFT JOIN crime_indicateur_avg AS departement
        ON departement.code_departement
            = left(crime.code_commune, CASE WHEN crime.code_commune >= '97' THEN 3 ELSE 2 END)
        AND departement.indicateur = crime.indicateur
    LEFT JOIN crime_indicateur_avg AS france
        ON france.code_departement = 'FR' AND france.indicateur = crime.indicateur
    WHERE crime.annee = (SELECT max(annee) FROM crime_indicateur_avg) AND crime.taux_pour_mille IS NOT NULL
)
$sql$ AS commune_ctes \gset

SELECT $sql$
    coalesce(to_jsonb(services), to_jsonb(services_ville)) - ARRAY['code_commune', 'codes_anciens', 'commune', 'annee']
        AS local_services,
    CASE
        WHEN crime.ratio < 0.8 THEN 'faible'
        WHEN crime.ratio > 1.2 THEN 'élevé'
        WHEN crime.ratio IS NOT NULL THEN 'moyen'
    END AS crime_level,
    crime.ratio AS crime_ratio
$sql$ AS commune_columns \gset

SELECT $sql$
-- Each table twice: the commune's own row, and for an arrondissement its city's, which stands in for a missing row.
LEFT JOIN commerce_sante_2024 AS services ON services.code_commune = place.code_commune
LEFT JOIN commerce_sante_2024 AS services_ville ON services_ville.code_commune = place.code_commune_parent
LEFT JOIN mutations_immo_latest AS immo ON immo.code_commune = place.code_commune
LEFT JOIN mutations_immo_latest AS immo_ville ON immo_ville.code_commune = place.code_commune_parent
LEFT JOIN merged_revenu_commune_bassin_2021 AS revenu ON revenu.code_commune = place.code_commune
LEFT JOIN merged_revenu_commune_bassin_2021 AS revenu_ville ON revenu_ville.code_commune = place.code_commune_parent
LEFT JOIN activite_economique_2022 AS activite ON activite.code_commune = place.code_commune
LEFT JOIN activite_economique_2022 AS activite_ville ON activite_ville.code_commune = place.code_commune_parent
LEFT JOIN niveau_education_2021 AS education ON education.code_commune = place.code_commune
LEFT JOIN niveau_education_2021 AS education_ville ON education_ville.code_commune = place.code_commune_parent
LEFT JOIN logement_2021 AS logement ON logement.code_commune = place.code_commune
LEFT JOIN logement_2021 AS logement_ville ON logement_ville.code_commune = place.code_commune_parent
LEFT JOIN population_evolution_age AS age ON age.code_commune = place.code_commune
LEFT JOIN population_evolution_age AS age_ville ON age_ville.code_commune = place.code_commune_parent
$sql$ AS commune_joins \gset
