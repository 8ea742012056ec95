-- Alerts go to several channels: which of them have taken a cause, so that each is told once.
ALTER TABLE edu_pipeline.alerts ADD COLUMN IF NOT EXISTS sent_to text[] NOT NULL DEFAULT '{}';
UPDATE edu_pipeline.alerts SET sent_to = '{webhook}' WHERE sent_at IS NOT NULL AND sent_to = '{}';
COMMENT ON TABLE edu_pipeline.alerts IS 'One row per cause of a failed run or a red check. first_at, last_at, times: since it last began; sent_at: when a channel first took it, NULL as long as none has; sent_to: the channels that have taken it; resolved_at: when it went away, NULL as long as it lasts. A cause that comes back begins again.';
