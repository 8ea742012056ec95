"""School sectors: from lists of streets to lines and zones on the map. Pure: no database, no Dagster."""
