-- What the publishers were last seen to have. In the schema edu_pipeline: the archive that it is compared with serves all
-- target schemas of a database.
CREATE TABLE IF NOT EXISTS edu_pipeline.probes (
    source text PRIMARY KEY,
    version text,
    known_version text,
    published_at timestamptz,
    probed_at timestamptz NOT NULL,
    changed_at timestamptz,
    error text,
    consecutive_errors integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE edu_pipeline.probes IS 'One row per source: what the newest probe of its publisher said. version: a text that changes with what the publisher shows, NULL if none was ever shown; known_version: the version that the archive was last brought up to date with, so that a source is new as long as the two differ; published_at: the publisher''s own date; changed_at: the probe since which version is as it is; error: why the newest probe failed, NULL if it did not; consecutive_errors: probes that failed since one did not.';
