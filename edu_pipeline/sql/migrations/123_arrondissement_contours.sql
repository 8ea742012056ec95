-- The contours hold the municipal arrondissements beside the communes; this column keeps parent and child apart.
ALTER TABLE commune_boundaries ADD COLUMN code_commune_parent VARCHAR(5);
