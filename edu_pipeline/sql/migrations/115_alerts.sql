-- What was posted to the webhook (edu_pipeline/alerts.py), so that a cause is posted once and not every night.
CREATE TABLE IF NOT EXISTS edu_pipeline.alerts (
    cause text PRIMARY KEY,
    first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    times integer NOT NULL DEFAULT 1,
    sent_at timestamptz,
    resolved_at timestamptz
);
COMMENT ON TABLE edu_pipeline.alerts IS 'One row per cause of a failed run or a red check. first_at, last_at, times: since it last began; sent_at: when the webhook took it, NULL as long as it has not; resolved_at: when it went away, NULL as long as it lasts. A cause that comes back begins anew.';
