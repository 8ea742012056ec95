# `make` lists the targets. Most of them begin with setup, which takes no time once it is done.
bin := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo ui test lint types bench stop clean lock upstream

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything: PostgreSQL and PostGIS if they are missing, and .venv
	@scripts/setup

demo: upstream setup ## fill a database of its own from EDU_UPSTREAM
	$(bin)/edu-pipeline db start
	$(bin)/edu-pipeline migrate
	$(bin)/edu-pipeline rebuild
	$(bin)/edu-pipeline status
	@echo "The database is filled. 'make ui' opens Dagster on it, 'make stop' stops its server."

upstream:
	@case "$(EDU_UPSTREAM)" in \
	  "") echo "make demo: until there is a sample publisher, EDU_UPSTREAM must name a directory of upstream" \
	    "files, <source>/<file>:  make demo EDU_UPSTREAM=/path/to/upstream" >&2; exit 1 ;; \
	  http://*|https://*) ;; \
	  *) test -d "$(EDU_UPSTREAM)" || { \
	    echo "make demo: EDU_UPSTREAM: expected a directory; '$(EDU_UPSTREAM)' is none." >&2; exit 1; } ;; \
	esac

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

stop: ## stop the private database server
	$(bin)/edu-pipeline db stop

clean: ## remove .venv and caches; the data in .local stay
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.local/*' -prune -exec rm -rf {} +

lock: ## write requirements.lock anew (UPGRADE=--upgrade for the newest versions)
	@test -x $(bin)/uv || $(bin)/python -m pip install --quiet --disable-pip-version-check uv
	echo 'setuptools>=77' | $(bin)/uv pip compile pyproject.toml - --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-config $(UPGRADE) --quiet \
	  --custom-compile-command 'make lock' --output-file requirements.lock
