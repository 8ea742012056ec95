-- What a costly check found, as the UI shows it, and of which rows (a digest of these and of the check's code): while
-- they are the same it is not made again.
ALTER TABLE edu_pipeline.check_results
    ADD COLUMN IF NOT EXISTS metadata jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS of_rows text;
