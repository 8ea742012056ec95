-- lycees_de_secteur() looks for streets that have lycées, which are few: reading the labels of all the others into an
-- index took ten times as long as loading the rows.
DROP INDEX sectorisation_segments_code_commune_rue_normalisee_idx, sectorisation_segments_code_commune_rue_normalisee_idx1;
CREATE INDEX ON sectorisation_segments (code_commune, rue_normalisee(libelle_rue)) WHERE uai_lycees IS NOT NULL;
CREATE INDEX ON sectorisation_segments (code_commune, rue_normalisee(nom_voie)) WHERE uai_lycees IS NOT NULL;
