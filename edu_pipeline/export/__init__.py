"""Open files from the database: the published tables and views in formats that need neither a server nor a password."""
