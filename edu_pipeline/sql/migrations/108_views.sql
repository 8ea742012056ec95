-- The three materialized views. Their text lives in sql/views, one file each; the lines below are for `psql -f`, which
-- runs the files here. `edu-pipeline migrate` leaves the lines out and applies the views after the last numbered file,
-- so that they may use columns of any migration, and again whenever their text changes.
\ir ../views/commune_context_cache.sql
\ir ../views/lycee_context_cache.sql
\ir ../views/college_context_cache.sql
