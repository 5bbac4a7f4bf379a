# make run    everything, from raw orders to scored attributes, and a summary (the first time installs some 0.8 GB into .venv)
# make test   the tests
# make coverage  branches of the stages that the tests of stages and commands run; fails below the floor
# make ui     the Dagster UI on the same state; PORT=3000
# make full   all optional parts: Evidently, S3, the UI, dagster-dbt
# make dev    what tests, lint and `dg` need
# make check  lint and types
# make layout  files and lines per folder, import cycles, lengths of asset bodies
# make pictures  the pictures in docs/, taken by the tests that check the pages (needs chromium)
# make site   the documents as one site, in .site/
# make docs   the reference of settings in docs/, from the code
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(PYTHON) tools/install.py $(VENV)
SITE := .venv-site
PORT ?= 3000
export DO_NOT_TRACK := 1
export DAGSTER_DISABLE_TELEMETRY := true
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: run test coverage ui full dev check layout site docs pictures lock clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(INSTALL) requirements.lock --project --disk ", and 0.8 GB of disk"
	@touch $@

# What is installed on top of it, each from a lock of its own.
$(VENV)/.installed-%: $(VENV)/.installed requirements-%.lock
	@$(INSTALL) requirements-$*.lock
	@touch $@

run: $(VENV)/.installed
	@$(BIN)/python -m tdml_assets run

ui: $(VENV)/.installed-ui
	@$(BIN)/python -m tdml_assets ui --port $(PORT)

full: $(VENV)/.installed-full
dev: $(VENV)/.installed-dev

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest

coverage: $(VENV)/.installed-dev
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest tests/stages tests/commands tests/recommendation tests/tasks
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python tools/coverage_floor.py

check: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models sql

# The tools of the site agree on fewer versions than the project: they have an environment of their own.
$(SITE)/.installed: requirements-docs.lock
	@$(PYTHON) tools/install.py $(SITE) requirements-docs.lock
	@touch $@

site: $(SITE)/.installed
	@$(SITE)/bin/mkdocs build --strict --quiet
	@echo "The site is in .site/index.html"

layout:
	@$(PYTHON) tools/layout.py

docs: $(VENV)/.installed
	@$(BIN)/python -m tdml_assets.commands.reference docs

pictures: $(VENV)/.installed-dev
	@PICTURES=docs/pictures $(BIN)/python -m pytest -n 0 tests/e2e/test_ui.py tests/e2e/test_report_picture.py tests/e2e/test_dashboard_picture.py

# The locks record hashes and no addresses. Needs uv on the path.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-annotate --no-header
lock:
	@$(LOCK) pyproject.toml --extra recommend --group build --output-file requirements.lock
	@$(LOCK) pyproject.toml --extra ui --constraints requirements.lock --output-file requirements-ui.lock
	@$(LOCK) pyproject.toml --extra server --constraints requirements-ui.lock --output-file requirements-server.lock
	@$(LOCK) pyproject.toml --extra all --constraints requirements.lock --output-file requirements-full.lock
	@$(LOCK) pyproject.toml --extra all --group dev --constraints requirements-full.lock --output-file requirements-dev.lock
	@$(LOCK) pyproject.toml --group bench --constraints requirements-dev.lock --output-file requirements-bench.lock
	@$(LOCK) --group pyproject.toml:docs --output-file requirements-docs.lock

bench-accuracy: $(VENV)/.installed-dev $(VENV)/.installed-bench
	@$(BIN)/python -m benchmarks.accuracy

bench-% study-%: $(VENV)/.installed-dev
	@$(BIN)/python -m benchmarks.$(subst -,_,$*)

clean:
	@rm -rf .tdml .site
