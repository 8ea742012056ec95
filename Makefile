# `make` lists the targets. Most of them begin with setup, which takes no time once it is done.
bin := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo ui test lint types bench bench-national bench-daily stop clean lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything: PostgreSQL and PostGIS if they are missing, and .venv
	@scripts/setup

demo: setup ## fill a database of its own: with invented data, or from EDU_UPSTREAM
	@scripts/demo

ui: setup ## Dagster's UI
	$(bin)/edu-pipeline ui

test: setup ## all tests
	$(bin)/python -m pytest -n 2

lint: setup ## ruff
	$(bin)/ruff check .
	$(bin)/ruff format --check .

types: setup ## mypy
	$(bin)/mypy

bench: setup ## how fast tables are copied
	$(bin)/python bench/copy_speed.py

bench-national: setup ## a rebuild at national size against its floor
	$(bin)/python bench/national.py

bench-daily: setup ## the daily refresh at national size, with nothing new and with a change
	$(bin)/python bench/daily.py

stop: ## stop the private database server and the sample publisher
	$(bin)/edu-pipeline sample stop
	$(bin)/edu-pipeline db stop

clean: ## remove .venv and caches; the data in .local stay
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.local/*' -prune -exec rm -rf {} +

lock: ## write requirements.lock anew (UPGRADE=--upgrade for the newest versions)
	@test -x $(bin)/uv || $(bin)/python -m pip install --quiet --disable-pip-version-check uv
	echo 'setuptools>=77' | $(bin)/uv pip compile pyproject.toml - --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-config $(UPGRADE) --quiet \
	  --custom-compile-command 'make lock' --output-file requirements.lock
