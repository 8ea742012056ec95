-- The newest result of every check, whoever ran it: what health, the switch-over and alerts go by.
CREATE TABLE IF NOT EXISTS edu_pipeline.check_results (
    target_schema text NOT NULL,
    table_name text NOT NULL,
    check_name text NOT NULL,
    passed boolean NOT NULL,
    severity text NOT NULL CHECK (severity IN ('warn', 'error')),
    description text NOT NULL,
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (target_schema, table_name, check_name)
);
COMMENT ON TABLE edu_pipeline.check_results IS 'The newest result of every check of a table or view; description: what was expected and found.';
