"""The SQL: `migrations/` (numbered, applied once) and `views/` (applied again whenever their text changes)."""

from pathlib import Path

FOLDER = Path(__file__).parent
