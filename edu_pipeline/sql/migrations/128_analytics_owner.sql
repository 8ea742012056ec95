-- analytics may belong to a role of its own (`edu-pipeline roles`), so that the pipeline cannot drop or empty what the
-- application has written. Adding the foreign keys needs its owner's rights: the function, which is its too then, runs
-- with them, and so it is not for everybody.
ALTER FUNCTION edu_pipeline.link_analytics_to_users() SECURITY DEFINER;
REVOKE EXECUTE ON FUNCTION edu_pipeline.link_analytics_to_users() FROM PUBLIC;
