"""The sample publisher: an invented country and every upstream dataset of it, in its publishers' exact forms.

`world.py` is the country, `publication.py` the writing of a whole directory, `publishers/` the files, one module per
publisher. Nothing here is imported by the pipeline itself, which reads the sample as it reads the real publishers.
"""
