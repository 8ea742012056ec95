"""The municipal arrondissements of Paris, Lyon and Marseille, and the communes that they are part of.

Publishers give figures for these cities as a whole (75056, 69123, 13055), by arrondissement, or both: see each table.
"""

COMMUNES = (
    dict.fromkeys((f"751{number:02}" for number in range(1, 21)), "75056")
    | dict.fromkeys((f"6938{number}" for number in range(1, 10)), "69123")
    | dict.fromkeys((f"132{number:02}" for number in range(1, 17)), "13055")
)
"""Code of the commune by code of the arrondissement (20 + 9 + 16)."""
