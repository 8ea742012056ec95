"""Tests of ``edu_pipeline.monitoring``."""
