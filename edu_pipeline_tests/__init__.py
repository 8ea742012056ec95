"""The tests, a pyramid: pure transforms, contracts against the catalogue, a real PostgreSQL, one whole job."""
