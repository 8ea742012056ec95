"""The tables of the sectorisation layer, one module each."""
