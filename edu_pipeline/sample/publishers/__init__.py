"""The sample's files, one module per publisher or subject, one function per file; `directory.py` imports them all.

A module belongs here if it registers files with `publication.py`. What is true of the invented country no matter who
publishes it is in `world.py`.
"""
