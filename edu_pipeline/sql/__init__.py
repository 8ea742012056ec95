"""The SQL: `migrations/` (numbered, applied once) and `views/` (applied again whenever their text changes)."""
