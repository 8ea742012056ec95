"""Tests of ``edu_pipeline.loading``."""
