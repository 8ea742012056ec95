"""Dagster: assets, checks, jobs, sensors, schedules, executors, and Dagster's own storage."""
