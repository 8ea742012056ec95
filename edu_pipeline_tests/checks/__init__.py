"""Tests of ``edu_pipeline.checks``."""
