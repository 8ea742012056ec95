-- Two functions for people at psql. Both take their schema from a table in it: the default of their argument, which
-- PostgreSQL keeps as an object, not as a name. So they work from any search_path, and on when a full rebuild has
-- swapped the names of two schemas (a search_path kept with the function would lead to the other schema then).

CREATE FUNCTION refresh_all_caches(schema_of regclass DEFAULT 'relevant_communes')
RETURNS TABLE (view_name text, rows bigint, seconds numeric)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    view record;
    started timestamptz;
BEGIN
    FOR view IN
        SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname) AS name,
            CASE WHEN c.relispopulated THEN 'CONCURRENTLY' ELSE '' END AS how
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'm' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = schema_of)
        ORDER BY c.relname
    LOOP
        started := clock_timestamp();
        EXECUTE format('REFRESH MATERIALIZED VIEW %s %s', view.how, view.name);
        EXECUTE format('ANALYZE %s', view.name);
        view_name := view.relname;
        EXECUTE format('SELECT count(*) FROM %s', view.name) INTO rows;
        seconds := round(extract(epoch FROM clock_timestamp() - started), 3);
        INSERT INTO edu_pipeline.loads
            (target_schema, table_name, state, started_at, releases, inputs_version, code_version, strategy, rows)
        VALUES
            (view.nspname, view.relname, 'published', started, '{}', 'by hand', 'refresh_all_caches', 'refresh', rows);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION refresh_all_caches(regclass) IS
    'Refresh all materialized views of this schema now, readers going on meanwhile, and say how many rows each has and how long it took. Call it without an argument. The pipeline does this by itself after every load.';

CREATE FUNCTION check_data_freshness(schema_of regclass DEFAULT 'relevant_communes')
RETURNS TABLE (
    table_name text, row_count bigint, last_updated timestamptz, age_days numeric, last_changed timestamptz,
    releases jsonb, released_at timestamptz, refused_rows bigint, failure text
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH load AS (
        SELECT l.* FROM edu_pipeline.loads AS l
        WHERE l.target_schema = (
            SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.oid = schema_of
        )
    ), newest AS (
        SELECT DISTINCT ON (table_name) * FROM load WHERE state = 'published' ORDER BY table_name, id DESC
    ), changed AS (
        SELECT DISTINCT ON (table_name) table_name, finished_at FROM load
        WHERE state = 'published' AND strategy <> 'nothing' ORDER BY table_name, id DESC
    ), failed AS (
        SELECT DISTINCT ON (table_name) table_name, id, error FROM load
        WHERE state = 'failed' ORDER BY table_name, id DESC
    )
    SELECT
        c.relname::text,
        newest.rows,
        newest.finished_at,
        round(extract(epoch FROM now() - newest.finished_at) / 86400, 1),
        changed.finished_at,
        newest.releases,
        (
            SELECT min(coalesce(r.published_at, r.retrieved_at)) FROM jsonb_each_text(newest.releases) AS used
            JOIN edu_pipeline.releases AS r ON r.source = used.key AND r.release = used.value
        ),
        newest.refused,
        CASE WHEN failed.id > coalesce(newest.id, 0) THEN failed.error END
    FROM pg_class AS c
    LEFT JOIN newest ON newest.table_name = c.relname
    LEFT JOIN changed ON changed.table_name = c.relname
    LEFT JOIN failed ON failed.table_name = c.relname
    WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = schema_of)
        AND c.relkind IN ('r', 'p', 'm')
        AND NOT c.relispartition
        AND c.relname !~ '__rows(_[0-9]+)?$'  -- a partition that was exchanged and is not yet swept
    ORDER BY newest.finished_at NULLS FIRST, c.relname
$$;
COMMENT ON FUNCTION check_data_freshness(regclass) IS
    'Every table and view of this schema as the ledger knows it, the stalest first: rows, end of the newest published load, days since then, newest load that changed a row, releases that it was made of, the oldest of their dates (the publisher''s, else of the download), rows refused, and the error if a later load failed. NULL: never loaded. Call it without an argument.';
