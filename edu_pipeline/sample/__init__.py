"""The sample publisher: an invented country and every upstream dataset of it, in its publishers' exact forms.

`world.py` is the country, `publishers/` has the files, one module per publisher, `directory.py` writes all of them,
`server.py` serves them. The pipeline itself imports nothing from here: it reads the sample as it reads real publishers.
"""
