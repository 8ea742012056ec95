-- Full rebuilds, which build a schema beside the live one: who is at it, so that a second one can say so.
CREATE TABLE IF NOT EXISTS edu_pipeline.rebuilds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target_schema text NOT NULL,
    run_id text NOT NULL,
    started_by text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    outcome text CHECK (outcome IN ('swapped', 'not swapped', 'abandoned'))
);
COMMENT ON TABLE edu_pipeline.rebuilds IS 'Full rebuilds: the live schema that each is for, its Dagster run, and how it ended; outcome NULL: under way, or its process has died.';
