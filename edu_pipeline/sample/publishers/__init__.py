"""The sample's files, one module per publisher, one function per file; `publication.py` finds them all.

A module belongs here if its functions are marked with `publication` or `dataset`. What is true of the invented country
whoever publishes it is in `world.py`.
"""
