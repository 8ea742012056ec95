"""Tests of ``edu_pipeline.database``."""
