"""Tests of ``edu_pipeline.operations``."""
