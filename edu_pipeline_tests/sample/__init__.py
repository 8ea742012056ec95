"""Tests of the sample publisher, one module per module of `edu_pipeline.sample`."""
