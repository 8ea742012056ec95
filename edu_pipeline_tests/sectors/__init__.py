"""Tests of ``edu_pipeline.sectors``."""
