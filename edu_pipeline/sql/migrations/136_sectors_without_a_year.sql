-- The maps of collèges' sectors of some départements have no school year.
ALTER TABLE secteurs_colleges ALTER COLUMN rentree_scolaire DROP NOT NULL;
