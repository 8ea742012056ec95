-- The flag of rows that were brought from former commune codes to those in force (edu_pipeline/passage.py).
ALTER TABLE commune_boundaries ADD COLUMN codes_anciens VARCHAR(5)[];
ALTER TABLE anecdotes_communes ADD COLUMN codes_anciens VARCHAR(5)[];
ALTER TABLE commerce_sante_2024 ADD COLUMN codes_anciens VARCHAR(5)[];
ALTER TABLE criminalite_2024 ADD COLUMN codes_anciens VARCHAR(5)[];
ALTER TABLE mutations_immo_latest ADD COLUMN codes_anciens VARCHAR(5)[];
ALTER TABLE niveau_education_2021 ADD COLUMN codes_anciens VARCHAR(5)[];
ALTER TABLE population_evolution_age ADD COLUMN codes_anciens VARCHAR(5)[];
ALTER TABLE merged_revenu_commune_bassin_2021 ADD COLUMN codes_anciens VARCHAR(5)[];
ALTER TABLE activite_economique_2022 ADD COLUMN codes_anciens VARCHAR(5)[];
ALTER TABLE logement_2021 ADD COLUMN codes_anciens VARCHAR(5)[];
