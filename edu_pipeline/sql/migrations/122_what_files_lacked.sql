-- What a load found wrong with its files and did without: columns that they lack, lines and fields that are no data.
ALTER TABLE edu_pipeline.loads ADD COLUMN IF NOT EXISTS missing jsonb NOT NULL DEFAULT '{}';
ALTER TABLE edu_pipeline.loads ADD COLUMN IF NOT EXISTS skipped jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN edu_pipeline.loads.missing IS 'Source and upstream column that its file lacks (NULL in the table), to the names in the file that are close.';
COMMENT ON COLUMN edu_pipeline.loads.skipped IS 'Source and rule, such as blank lines, to the number of lines or fields that were left out.';
