-- The queries of eduinfo that `edu-pipeline compare` times: each follows a line with its name; tables have no schema.

-- name: lycées of a département
SELECT * FROM aggregated_data_lycees_2024 WHERE code_departement = '78' AND annee = 2024 LIMIT 10;

-- name: lycées with their social position index
SELECT l.uai, l.etablissement, i.ips
FROM aggregated_data_lycees_2024 AS l
JOIN ips_lycees AS i ON l.uai = i.uai
WHERE l.annee = 2024
LIMIT 10;

-- name: lycées of a département with a specialty
SELECT uai, etablissement, ips, specialites_array, local_services, crime_level
FROM lycee_context_cache
WHERE code_departement = '78' AND ips >= 100 AND specialites_array @> ARRAY['Mathématiques']::text[]
ORDER BY ips DESC
LIMIT 20;

-- name: lycées of a commune and its neighbours
SELECT uai, etablissement, nom_commune, ips, specialites_array
FROM lycee_context_cache
WHERE code_commune IN (
    SELECT '78646' UNION ALL SELECT unnest(insee_voisins) FROM communes_limitrophes WHERE insee = '78646'
)
ORDER BY ips DESC NULLS LAST, uai;

-- name: one lycée
SELECT * FROM lycee_context_cache WHERE uai = '0782562L';

-- name: one lycée over the sessions
SELECT annee, taux_reussite_toutes_series, valeur_ajoutee_taux_reussite_toutes_series, taux_mentions_toutes_series
FROM aggregated_data_lycees_2024
WHERE uai = '0782562L'
ORDER BY annee;

-- name: courses of a lycée
SELECT formation, type_formation, niveau_sortie, duree, modalites
FROM onisep_details_formations_lycees
WHERE uai = '0782562L'
ORDER BY formation;

-- name: lycées with an option in seconde
SELECT uai, etablissement, commune FROM enseignements_optionnels_seconde
WHERE options @> ARRAY['Sciences et laboratoire']::text[]
ORDER BY etablissement, uai
LIMIT 50;

-- name: lycées by specialty, all of France
SELECT specialite, count(*) AS lycees
FROM specialites_lycees
CROSS JOIN unnest(specialites_array) AS specialite
GROUP BY specialite
ORDER BY lycees DESC, specialite;

-- name: top specialties of a département
SELECT specialite, sum(effectif) AS eleves, count(DISTINCT uai) AS lycees
FROM effectifs_specialites_premiere
WHERE code_departement = '78' AND rentree_scolaire = (SELECT max(rentree_scolaire) FROM effectifs_specialites_premiere)
GROUP BY specialite
ORDER BY eleves DESC NULLS LAST, specialite
LIMIT 10;

-- name: collèges near a point
SELECT uai, nom_etablissement, nom_commune, ips, latitude, longitude
FROM college_context_cache
WHERE latitude BETWEEN 48.80 - 0.09 AND 48.80 + 0.09 AND longitude BETWEEN 2.13 - 0.14 AND 2.13 + 0.14
ORDER BY (latitude - 48.80) ^ 2 + ((longitude - 2.13) * cos(radians(48.80))) ^ 2, uai
LIMIT 20;

-- name: collèges of a département by their results
SELECT c.uai, c.nom_etablissement, c.taux_reussite_g, c.va_du_taux_de_reussite_g, i.ips
FROM metrics_colleges AS c
LEFT JOIN ips_colleges AS i ON i.uai = c.uai
WHERE c.code_departement = '78' AND c.session = (SELECT max(session) FROM metrics_colleges)
ORDER BY c.va_du_taux_de_reussite_g DESC NULLS LAST, c.uai;

-- name: context of one commune
SELECT * FROM commune_context_cache WHERE code_commune = '78646';

-- name: recorded crime in a commune over the years
SELECT c.indicateur, c.annee, c.taux_pour_mille, d.taux_moyen_pour_mille
FROM criminalite_2024 AS c
LEFT JOIN crime_indicateur_avg AS d ON d.code_departement = '78' AND d.indicateur = c.indicateur
WHERE c.code_commune = '78646'
ORDER BY c.indicateur, c.annee;

-- name: communes whose name begins with some letters
SELECT code_commune, nom_commune, code_postal, population
FROM info_communes
WHERE lower(nom_commune) LIKE 'saint-germain%'
ORDER BY population DESC NULLS LAST, code_commune
LIMIT 20;

-- name: communes of a postal code
SELECT code_commune, nom_commune FROM info_communes WHERE code_postal = '78000' ORDER BY code_commune;

-- name: the commune around a point
SELECT code_commune, nom_commune
FROM commune_boundaries
WHERE ST_Contains(geometry, ST_SetSRID(ST_MakePoint(2.13, 48.80), 4326));

-- name: lycées of an address
SELECT libelle_rue, number_from, number_to, side, uai_lycees_1, uai_lycees_2, uai_lycees_3, uai_lycees_4
FROM sectorisation_segments
WHERE code_commune = '75115' AND libelle_rue LIKE 'RUE DE%'
ORDER BY libelle_rue, side, number_from;

-- name: prices and incomes by département
SELECT i.code_departement, avg(m.prix_m2_moyen) AS prix_m2, avg(r.mediane_niveau_vie) AS niveau_vie
FROM info_communes AS i
LEFT JOIN mutations_immo_latest AS m ON m.code_commune = i.code_commune
LEFT JOIN merged_revenu_commune_bassin_2021 AS r ON r.code_commune = i.code_commune
GROUP BY i.code_departement
ORDER BY i.code_departement;
