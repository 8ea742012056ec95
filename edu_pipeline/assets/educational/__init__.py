"""The tables of the educational layer, one module each."""
