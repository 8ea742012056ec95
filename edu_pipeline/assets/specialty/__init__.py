"""The tables of the specialty layer, one module each."""
