"""The names of the regions; geo.api.gouv.fr only gives the regions' codes for its départements.

From INSEE, Code officiel géographique 2025, v_region_2025.csv, column LIBELLE
(https://www.insee.fr/fr/information/8377162); unchanged since 1 January 2016. Does not belong here: the overseas
collectivities, which belong to no region.
"""

REGIONS = {
    "01": "Guadeloupe",
    "02": "Martinique",
    "03": "Guyane",
    "04": "La Réunion",
    "06": "Mayotte",
    "11": "Île-de-France",
    "24": "Centre-Val de Loire",
    "27": "Bourgogne-Franche-Comté",
    "28": "Normandie",
    "32": "Hauts-de-France",
    "44": "Grand Est",
    "52": "Pays de la Loire",
    "53": "Bretagne",
    "75": "Nouvelle-Aquitaine",
    "76": "Occitanie",
    "84": "Auvergne-Rhône-Alpes",
    "93": "Provence-Alpes-Côte d'Azur",
    "94": "Corse",
}
"""Name by INSEE region code."""
