"""The tables, by layer: `assets/<layer>/<table>.py` holds one contract and one transform."""
