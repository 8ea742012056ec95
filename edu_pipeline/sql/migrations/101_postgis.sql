-- PostGIS, in a schema of its own unless the database has it already: public is not ours.
-- Files that name its types begin with edu_pipeline.use_postgis(), which puts its schema, wherever it is, behind the
-- target schema on the session's search_path, so that each file runs by itself.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'postgis') THEN
        CREATE SCHEMA IF NOT EXISTS postgis;
        CREATE EXTENSION postgis SCHEMA postgis;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION edu_pipeline.use_postgis() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    home text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis');
BEGIN
    IF home <> ALL (current_schemas(false)) THEN
        PERFORM set_config('search_path', current_setting('search_path') || ', ' || quote_ident(home), false);
    END IF;
END
$$;
COMMENT ON FUNCTION edu_pipeline.use_postgis() IS 'Puts the schema of PostGIS behind the others on the search_path of this session.';
