"""Dagster: assets, checks, jobs, sensors, schedules, executors and its own storage."""
