-- How many rows each correction of a known upstream error has found, at each load (edu_pipeline/corrections.toml).
ALTER TABLE edu_pipeline.loads ADD COLUMN IF NOT EXISTS corrections jsonb NOT NULL DEFAULT '{}';
