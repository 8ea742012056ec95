-- The target schema (the first of the search_path), and the schema edu_pipeline: what was loaded, from which
-- release, when, by which code, what changed, what was refused. One bookkeeping serves all target schemas of a
-- database; every row says which schema it is about.
DO $$
DECLARE
    target text := trim(split_part(current_setting('search_path'), ',', 1));
BEGIN
    IF trim('"' FROM target) IN ('$user', '', 'public', 'user_mgmt', 'analytics', 'edu_pipeline') THEN
        RAISE EXCEPTION 'expected the target schema first on the search_path, found %', target
            USING HINT = 'PGOPTIONS=''-c search_path=educational_data'' psql -f ...';
    END IF;
    EXECUTE 'CREATE SCHEMA IF NOT EXISTS ' || target;
END
$$;

CREATE SCHEMA IF NOT EXISTS edu_pipeline;
COMMENT ON SCHEMA edu_pipeline IS 'Bookkeeping of the pipeline: migrations, releases, loads, refused rows.';

CREATE TABLE IF NOT EXISTS edu_pipeline.migrations (
    target_schema text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (target_schema, name)
);
COMMENT ON TABLE edu_pipeline.migrations IS 'The SQL files that were applied to a target schema, with the SHA-256 of their text.';

CREATE TABLE IF NOT EXISTS edu_pipeline.releases (
    source text NOT NULL,
    release text NOT NULL,
    retrieved_at timestamptz NOT NULL,
    published_at timestamptz,
    sha256 text NOT NULL,
    files jsonb NOT NULL,
    PRIMARY KEY (source, release)
);
COMMENT ON TABLE edu_pipeline.releases IS 'Every release that a load has used: the files as received (name, URL, bytes, SHA-256, ETag, Last-Modified).';

CREATE TABLE IF NOT EXISTS edu_pipeline.loads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target_schema text NOT NULL,
    table_name text NOT NULL,
    state text NOT NULL CHECK (state IN ('published', 'failed')),
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    releases jsonb NOT NULL,
    invented boolean,
    inputs_version text NOT NULL,
    code_version text NOT NULL,
    run_id text,
    strategy text,
    rows bigint,
    added bigint,
    changed bigint,
    removed bigint,
    refused bigint NOT NULL DEFAULT 0,
    hidden jsonb NOT NULL DEFAULT '{}',
    unknown jsonb NOT NULL DEFAULT '{}',
    error text
);
CREATE INDEX IF NOT EXISTS loads_by_table ON edu_pipeline.loads (target_schema, table_name, id DESC);
COMMENT ON TABLE edu_pipeline.loads IS 'The ledger: one row per load of a table or refresh of a view. releases: source to release; invented: whether these are of the sample publisher, NULL without releases; inputs_version: hash of releases, upstream loads and code; hidden: cells per column that the publisher hides; unknown: rows per column whose reference is not known.';

CREATE TABLE IF NOT EXISTS edu_pipeline.refused_rows (
    load_id bigint NOT NULL REFERENCES edu_pipeline.loads ON DELETE CASCADE,
    key text,
    reasons text[] NOT NULL,
    "row" jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS refused_rows_by_load ON edu_pipeline.refused_rows (load_id);
COMMENT ON TABLE edu_pipeline.refused_rows IS 'The quarantine: rows that a load refused, with every reason.';
