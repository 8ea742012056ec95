"""The tables of the reference layer, one module each."""
