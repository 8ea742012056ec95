"""School sectors: from lists of streets to lines and zones on the map. No database, no Dagster."""
