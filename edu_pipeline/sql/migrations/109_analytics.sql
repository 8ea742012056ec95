-- The schema analytics: two tables that the application writes. They belong to the database, not to one target schema:
-- every target schema finds the same ones, and nothing here ever drops or empties them.
CREATE SCHEMA IF NOT EXISTS analytics;

CREATE TABLE IF NOT EXISTS analytics.nl_query_log (
    id SERIAL PRIMARY KEY,
    user_id UUID,
    user_query TEXT NOT NULL,
    generated_sql TEXT,
    success BOOLEAN,
    execution_time_ms INTEGER,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS nl_query_log_user_id_idx ON analytics.nl_query_log (user_id);
CREATE INDEX IF NOT EXISTS nl_query_log_created_at_idx ON analytics.nl_query_log (created_at);
COMMENT ON TABLE analytics.nl_query_log IS 'A question in natural language and the SQL that was made of it. Written by the application.';

CREATE TABLE IF NOT EXISTS analytics.user_feedback (
    id SERIAL PRIMARY KEY,
    user_id UUID,
    user_action VARCHAR(50),
    mood VARCHAR(20),
    message TEXT,
    metadata JSONB,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS user_feedback_user_id_idx ON analytics.user_feedback (user_id);
CREATE INDEX IF NOT EXISTS user_feedback_created_at_idx ON analytics.user_feedback (created_at);
COMMENT ON TABLE analytics.user_feedback IS 'What a user said of the application, and doing what. Written by the application.';

-- The reference to the application's users, which may be there now, later, or never. This file is applied once; the
-- function is for every migration run. It never fails for want of users: it says what is missing and leaves the tables
-- as they are. Rows whose user is gone stay: then the constraint holds for new rows only (NOT VALID), and each later
-- run tries again to validate it.
CREATE OR REPLACE FUNCTION edu_pipeline.link_analytics_to_users() RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    users regclass := (  -- not to_regclass: that wants USAGE on the schema
        SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'user_mgmt' AND c.relname = 'users'
    );
    log regclass;
    constraint_name name;
    validated boolean;
    said text;
    patience text := current_setting('lock_timeout');
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute AS a
        JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
        WHERE a.attrelid = users AND a.attname = 'id' AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped
            AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
    ) THEN
        said := 'no foreign key from analytics to user_mgmt.users(id): expected a unique column of type uuid, found '
            || CASE WHEN users IS NULL THEN 'no such table' ELSE 'none' END;
        RAISE NOTICE '%', said;
        RETURN NEXT said;
        RETURN;
    END IF;
    PERFORM set_config('lock_timeout', '2s', true);  -- the application's table: rather not today than in its way
    FOREACH log IN ARRAY ARRAY['analytics.nl_query_log', 'analytics.user_feedback']::regclass[] LOOP
        BEGIN
            SELECT c.conname, c.convalidated INTO constraint_name, validated FROM pg_constraint AS c
            JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attname = 'user_id' AND c.conkey = ARRAY[a.attnum]
            WHERE c.contype = 'f' AND c.conrelid = log AND c.confrelid = users;
            IF NOT FOUND THEN
                constraint_name := 'user_id_fkey';
                EXECUTE format(
                    'ALTER TABLE %s ADD CONSTRAINT user_id_fkey FOREIGN KEY (user_id) REFERENCES %s (id) NOT VALID',
                    log, users
                );
            END IF;
        EXCEPTION WHEN insufficient_privilege OR lock_not_available THEN
            said := format('no foreign key from %s to %s: %s', log, users, sqlerrm);
            RAISE NOTICE '%', said;
            RETURN NEXT said;
            CONTINUE;
        END;
        CONTINUE WHEN validated;
        BEGIN
            EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', log, constraint_name);
        EXCEPTION WHEN foreign_key_violation OR insufficient_privilege OR lock_not_available THEN
            said := format('the foreign key of %s holds for new rows only: %s', log, sqlerrm);
            RAISE NOTICE '%', said;
            RETURN NEXT said;
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', patience, true);
END
$$;
COMMENT ON FUNCTION edu_pipeline.link_analytics_to_users() IS
    'Add the foreign keys from analytics to user_mgmt.users(id) where they are missing and possible. Returns what stood in the way, nothing if all is well. For every migration run.';

SELECT edu_pipeline.link_analytics_to_users();
