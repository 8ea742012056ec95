"""Tests of ``edu_pipeline.orchestration``."""
