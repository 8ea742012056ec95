-- What the switch-over of the application (docs/SWITCH_OVER.md) found and what it set, so that the way back restores
-- exactly that. In the schema edu_pipeline, which serves all target schemas of a database.
CREATE TABLE IF NOT EXISTS edu_pipeline.switchovers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target_schema text NOT NULL,
    database_name text NOT NULL DEFAULT current_database(),
    former_value text,
    new_value text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by text NOT NULL DEFAULT session_user,
    rolled_back_at timestamptz
);
COMMENT ON TABLE edu_pipeline.switchovers IS 'One row per switch-over of the database to a target schema. database_name: a copy of the database under another name has none of its own; former_value, new_value: the database''s setting of search_path, as pg_db_role_setting has it, former_value NULL where there was none; rolled_back_at: NULL as long as it is in force.';
