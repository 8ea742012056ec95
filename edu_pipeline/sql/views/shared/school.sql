-- What the views of lycées and of collèges say of a school's commune and of its international sections, once for both;
-- how: see commune.sql.
--
-- school_joins needs relations `resultat`, `annuaire` and `indice` with uai and code_commune; school_comments needs a
-- variable `view`: `\set view lycee_context_cache`.
\ir commune.sql

SELECT $sql$
places AS NOT MATERIALIZED (
    SELECT code_commune, code_commune_parent FROM info_communes
), :commune_ctes, crime AS (
    SELECT DISTINCT ON (code_commune) code_commune, round(avg(ratio), 2) AS ratio
    FROM crime_rates
    GROUP BY code_commune, preference
    ORDER BY code_commune, preference
), sections AS (
    SELECT uai, array_agg(DISTINCT section ORDER BY section) AS sections FROM sections_internationales GROUP BY uai
)
$sql$ AS school_ctes \gset

SELECT $sql$
    commune.population,
    :commune_columns,
    (coalesce(immo, immo_ville)).prix_m2_moyen,
    (coalesce(revenu, revenu_ville)).mediane_niveau_vie,
    (coalesce(revenu, revenu_ville)).taux_pauvrete,
    (coalesce(activite, activite_ville)).taux_chomage,
    (coalesce(education, education_ville)).part_sup5,
    (coalesce(logement, logement_ville)).taux_locataires_hlm,
    (coalesce(age, age_ville)).evolution_2015_2021
$sql$ AS school_columns \gset

SELECT $sql$
LEFT JOIN sections ON sections.uai = resultat.uai
-- The first of the codes that is in force: the result's, the directory's, the index's.
LEFT JOIN info_communes AS by_result ON by_result.code_commune = resultat.code_commune
LEFT JOIN info_communes AS by_directory ON by_directory.code_commune = annuaire.code_commune
LEFT JOIN info_communes AS by_index ON by_index.code_commune = indice.code_commune
LEFT JOIN info_communes AS commune ON commune.code_commune = coalesce(
    by_result.code_commune, by_directory.code_commune, by_index.code_commune
)
CROSS JOIN LATERAL (SELECT commune.code_commune, commune.code_commune_parent) AS place
LEFT JOIN crime ON crime.code_commune = place.code_commune
:commune_joins
$sql$ AS school_joins \gset

SELECT $sql$
COMMENT ON COLUMN :view.uai IS 'Establishment code: 7 digits and a check letter.';
COMMENT ON COLUMN :view.secteur IS 'public, privé, privé sous contrat or privé hors contrat, as far as the publisher says.';
COMMENT ON COLUMN :view.code_departement IS 'Code of the département or collectivity, e.g. 01, 2A, 971.';
COMMENT ON COLUMN :view.code_commune IS
    'INSEE code of the commune or arrondissement in force; a former commune''s code is brought up to date, one that is not known stays as published.';
COMMENT ON COLUMN :view.nom_commune IS 'Name of the commune; where the code is not known, as the directory or the results write it.';
COMMENT ON COLUMN :view.academie IS 'Name of the académie.';
COMMENT ON COLUMN :view.address IS 'Postal address on one line (directory).';
COMMENT ON COLUMN :view.latitude IS 'Latitude, WGS 84 (unit: °); NULL where the directory has no position.';
COMMENT ON COLUMN :view.longitude IS 'Longitude, WGS 84 (unit: °); NULL where the directory has no position.';
COMMENT ON COLUMN :view.rentree_scolaire_ips IS 'School year of the index, e.g. 2024-2025.';
COMMENT ON COLUMN :view.has_section_internationale IS
    'Whether sections_internationales has a section of it; false also while that table is empty.';
COMMENT ON COLUMN :view.sections_internationales IS 'Its international sections, sorted; NULL where there is none.';
COMMENT ON COLUMN :view.population IS 'Commune: municipal population of the latest reference census (unit: inhabitants).';
COMMENT ON COLUMN :view.local_services IS 'Commune: shops and services by kind, the columns of commerce_sante_2024 (unit: establishments).';
COMMENT ON COLUMN :view.crime_level IS
    'Commune: recorded crime against the average of the published communes of the département: faible (crime_ratio below 0.8), moyen, élevé (above 1.2). NULL where no indicator is published for the commune: then nothing is known.';
COMMENT ON COLUMN :view.crime_ratio IS
    'Commune: for each indicator published for it in the year of crime_indicateur_avg its rate divided by the average rate of the published communes of the département (of France where the département has none); the mean of these ratios, each indicator counting the same, rounded to two decimals (1 = as the average).';
COMMENT ON COLUMN :view.prix_m2_moyen IS
    'Commune: average price of a square metre sold in the latest year, houses and flats (unit: €/m²); an arrondissement has its city''s.';
COMMENT ON COLUMN :view.mediane_niveau_vie IS 'Commune: median standard of living 2021 (unit: € a year); NULL where INSEE hides it.';
COMMENT ON COLUMN :view.taux_pauvrete IS
    'Commune: share of people below 60 % of the national median 2021 (unit: %); NULL where INSEE hides it.';
COMMENT ON COLUMN :view.taux_chomage IS 'Commune: unemployment rate of people of 15 to 64, census 2022 (unit: %).';
COMMENT ON COLUMN :view.part_sup5 IS
    'Commune: share of people of 15 or older not at school with a diploma of five years of higher education or more, census 2021 (unit: %).';
COMMENT ON COLUMN :view.taux_locataires_hlm IS 'Commune: share of main residences let by a social landlord, census 2021 (unit: %).';
COMMENT ON COLUMN :view.evolution_2015_2021 IS 'Commune: change of the population from 2015 to 2021 (unit: %).';
$sql$ AS school_comments \gset
