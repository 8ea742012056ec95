"""Publishing: the same code for every table. Validate, compare with what is published, write, record."""
