"""French open data about schools and their communes, in one PostGIS database, by a Dagster asset graph.

The way of the data, one direction: publisher -> ``sources`` (download, archive, read) -> ``assets`` (one
contract and one pure transform per table) -> ``publish`` (validate, compare, write, record) -> views.
"""
