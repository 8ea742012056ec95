"""The tables of the geographic layer, one module each."""
