"""Tests of ``edu_pipeline.sources``."""
