"""The command line ``edu-pipeline``."""
