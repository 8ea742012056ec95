-- Whether a publisher shows a later edition of a source than the one that the catalogue reads.
ALTER TABLE edu_pipeline.probes ADD COLUMN IF NOT EXISTS later text;
COMMENT ON COLUMN edu_pipeline.probes.later IS 'A later edition that the publisher shows and that is not read, as it names it; NULL if it shows none, or would show none.';
