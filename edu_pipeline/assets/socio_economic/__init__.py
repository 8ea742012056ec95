"""The tables of the socio_economic layer, one module each."""
