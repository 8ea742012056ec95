"""A static site about the published tables: reference pages, tables, a map and SQL, which need no server of their own."""
