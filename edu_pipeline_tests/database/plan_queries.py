"""The statements that the plan promises, as the plan writes them."""

from __future__ import annotations

SEARCH_PATH = "SET search_path TO educational_data, user_mgmt, public;"
RESULTS = "SELECT * FROM aggregated_data_lycees_2024 WHERE code_departement = '78' AND annee = 2024 LIMIT 10;"
INDEX = (
    "SELECT l.uai, l.etablissement, i.IPS FROM aggregated_data_lycees_2024 l JOIN ips_lycees i ON l.uai = i.uai "
    "WHERE l.annee = 2024 LIMIT 10;"
)
LYCEES = (
    "SELECT uai, etablissement, IPS, specialites_array, local_services, crime_level "
    "FROM educational_data.lycee_context_cache\n"
    "WHERE code_departement = '78' AND IPS >= 100 AND specialites_array @> ARRAY['Mathématiques']::text[] "
    "ORDER BY IPS DESC LIMIT 20;"
)
REFRESH = "SELECT educational_data.refresh_all_caches();"
FRESHNESS = "SELECT * FROM educational_data.check_data_freshness();"
