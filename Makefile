# `make` lists the targets. Most of them run setup first, which takes no time once everything is installed.
bin := .venv/bin
unexport PYTHONDONTWRITEBYTECODE # every program starts a fifth faster if Python keeps what it has compiled

.DEFAULT_GOAL := help
.PHONY: help setup demo ui site test lint types docs picture fuzz bench bench-national bench-daily bench-year bench-export bench-exchange bench-site bench-node bench-growth bench-phases torture stop clean lock

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything: PostgreSQL and PostGIS if they are missing, and .venv
	@scripts/setup

demo: setup ## fill a private database with invented data, or with what EDU_UPSTREAM names
	@scripts/demo

ui: setup ## serve the Dagster UI
	$(bin)/edu-pipeline ui

site: setup ## build the static site from the database that `make demo` has filled (TO=.local/site)
	@$(bin)/edu-pipeline site --to $(or $(TO),.local/site)

test: setup ## run all tests
	$(bin)/python -m pytest -n 3

lint: setup ## run ruff and lint-imports
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/lint-imports --no-cache

types: setup ## run mypy
	$(bin)/mypy

docs: setup ## write docs/cli.md from the commands' own help
	$(bin)/python scripts/cli_reference.py

picture: setup ## take docs/picture.png from a site about the database that `make demo` has filled
	$(bin)/python scripts/readme_picture.py

fuzz: setup ## damage files and load them (SEED=1 MINUTES=30 COUNT=10000)
	$(bin)/python -m fuzz --seed $(or $(SEED),1) --minutes $(or $(MINUTES),30) --count $(or $(COUNT),10000)

bench: setup ## time how fast tables are copied
	$(bin)/python bench/copy_speed.py

bench-national: setup ## time a rebuild at national size against its floor
	$(bin)/python bench/national.py

bench-daily: setup ## time the daily refresh at national size, with nothing new and with a change
	$(bin)/python bench/daily.py

bench-year: setup ## let 400 nights pass, and prune
	$(bin)/python bench/a_year.py

torture: setup ## kill, restart and mislead the pipeline on a scratch database (SEED=1 KILLS=200 REPORT=torture.md)
	$(bin)/python -m torture --seed $(or $(SEED),1) --kills $(or $(KILLS),200) --report $(or $(REPORT),torture.md)

bench-export: setup ## time the export of everything at national size against its floor
	$(bin)/python bench/export.py

bench-exchange: setup ## time how long a reader waits while five million rows are replaced
	$(bin)/python bench/exchange.py

bench-site: setup ## time the static site at national size, part by part
	$(bin)/python bench/site.py

bench-node: setup ## compare a million rows with the way of the Node importers
	$(bin)/python bench/node_import.py

bench-growth: setup ## load the crime file at half, once and twice its size
	$(bin)/python bench/growth.py

bench-phases: setup ## tell where the processor time of a rebuild at national size goes
	$(bin)/python bench/phases.py

stop: ## stop the private database server and the sample publisher
	$(bin)/edu-pipeline sample stop
	$(bin)/edu-pipeline db stop

clean: ## remove .venv and caches; keep the data in .local
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.local/*' -prune -exec rm -rf {} +

lock: ## rewrite requirements.lock and that of the image (UPGRADE=--upgrade for the newest versions)
	@test -x $(bin)/uv || $(bin)/python -m pip install --quiet --disable-pip-version-check uv
	$(compile) --extra dev --universal --python-version 3.11 $(UPGRADE) --output-file requirements.lock
	$(compile) --extra export --extra k8s --extra s3 --python-platform linux --python-version 3.13 \
	  --constraint requirements.lock $(UPGRADE) --output-file deploy/requirements.lock

compile = echo 'setuptools>=77' | $(bin)/uv pip compile pyproject.toml - --generate-hashes --no-emit-index-url --no-emit-find-links \
  --no-config --quiet --custom-compile-command 'make lock'
