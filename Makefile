# make run    everything, from raw orders to scored attributes, and a summary
# make test   the tests
# make ui     the Dagster UI on the same state
# make check  lint and types
# make pictures  the pictures in docs/, taken by the tests that check the pages (needs chromium)
# make docs   the reference of settings in docs/, from the code
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
export DO_NOT_TRACK := 1
export DAGSTER_DISABLE_TELEMETRY := true
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: run test ui check docs pictures lock clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "installing into $(VENV) (the first time takes some minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) --require-hashes --only-binary :all: -r requirements.lock
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@$(INSTALL) --require-hashes --only-binary :all: -r requirements-dev.lock
	@touch $@

run: $(VENV)/.installed
	@$(BIN)/python -m tdml_assets run

ui: $(VENV)/.installed
	@$(BIN)/python -m tdml_assets ui

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models

docs: $(VENV)/.installed
	@$(BIN)/python -m tdml_assets.commands.reference docs

pictures: $(VENV)/.installed-dev
	@PICTURES=docs/pictures $(BIN)/python -m pytest -n 0 tests/e2e/test_ui.py tests/e2e/test_report_picture.py

# The locks record hashes and no addresses. Needs uv on the path.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-annotate --no-header
lock:
	@$(LOCK) pyproject.toml --group build --output-file requirements.lock
	@$(LOCK) --group dev --constraints requirements.lock --output-file requirements-dev.lock

bench-% study-%: $(VENV)/.installed-dev
	@$(BIN)/python -m benchmarks.$(subst -,_,$*)

clean:
	@rm -rf .tdml
