-- Where the rows of each file went, and from which file and row a refused row is.
ALTER TABLE edu_pipeline.loads ADD COLUMN IF NOT EXISTS balance jsonb NOT NULL DEFAULT '{}';
ALTER TABLE edu_pipeline.loads ADD COLUMN IF NOT EXISTS look_ups jsonb NOT NULL DEFAULT '{}';
ALTER TABLE edu_pipeline.refused_rows ADD COLUMN IF NOT EXISTS place text;
COMMENT ON COLUMN edu_pipeline.loads.balance IS 'File to the number of its rows, and how many of these were published, refused, added to another row, looked up, or set aside by which rule.';
COMMENT ON COLUMN edu_pipeline.loads.look_ups IS 'What was looked up for rows, to the number of these rows and for how many of them it was found.';
COMMENT ON COLUMN edu_pipeline.refused_rows.place IS 'File, and row (the first below the header is 1) or line; NULL for a row that is made from other tables.';
