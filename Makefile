# The commands of this project. `make` alone lists them. A fresh machine needs git, make and Python 3.11 or newer.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test test-spark test-week lint format texts lock audit sbom scan screenshots bench bench-replay bench-queue clean

VENV := .venv
PYTHON := $(VENV)/bin/python
TRIAGE := $(VENV)/bin/triage
SUPPLY := .venv-supply
CHECKED := triage tests migrations bench supply config.py
# The lock files name every package with the hash of each file, and pip refuses any other. They are whole, so pip has
# nothing to resolve: older pips look for a newer `coverage[toml]` than the one that is pinned, and stop.
PIP_INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps

# How many test processes at once, and more words for pytest: make test PYTEST_ARGS="-k fever -x"
WORKERS ?= 2
PYTEST_ARGS ?=
PYTEST := $(PYTHON) -m pytest -n $(WORKERS) --dist worksteal
# Coverage is asked of the rule language, by the tests of the language, which run first: following every call in all
# other tests too takes a third of the whole time.
LANGUAGE := tests/rules tests/spec
COVERAGE := --cov=triage.rules --cov-branch --cov-report=term-missing --cov-fail-under=95

help: ## list these commands
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1 \2/p' Makefile | awk '{ c = $$2; $$1 = $$2 = ""; printf "  make %-13s%s\n", c, $$0 }'

install: $(VENV)/.installed ## what running needs, in .venv; leaves .venv/bin/triage

run: install ## start with demo patients on http://127.0.0.1:8000 (TRIAGE_PORT changes the port)
	@$(TRIAGE) demo --if-empty
	@exec $(TRIAGE) serve

test: $(VENV)/.installed-dev $(SUPPLY)/.installed ## every test, on SQLite and PostgreSQL, with a real browser (PYTEST_ARGS="-k fever" for some)
	@$(PYTHON) -m tests.servers ensure
ifeq ($(strip $(PYTEST_ARGS)),)
	$(PYTEST) $(COVERAGE) $(LANGUAGE)
	$(PYTEST) $(LANGUAGE:%=--ignore=%)
else
	$(PYTEST) $(PYTEST_ARGS)
endif

test-spark: $(VENV)/.installed-spark ## the replay on a local Spark cluster: installs Spark and a Java runtime, some 500 MB
	@$(PYTHON) -m tests.servers java
	SPARK_TESTS=yes $(PYTHON) -m pytest tests/spark $(PYTEST_ARGS)

test-week: $(VENV)/.installed-dev ## a week of fifty made-up patients, minute by minute, against the response file (some minutes)
	WEEK_TESTS=yes $(PYTHON) -m pytest tests/alerts/test_week.py $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev ## style, types and the rule files
	$(VENV)/bin/ruff check $(CHECKED)
	$(VENV)/bin/ruff format --check $(CHECKED)
	$(VENV)/bin/mypy
	$(TRIAGE) rules check
	$(TRIAGE) rules test

format: $(VENV)/.installed-dev ## put the code into its one form
	$(VENV)/bin/ruff check --fix $(CHECKED)
	$(VENV)/bin/ruff format $(CHECKED)

texts: $(VENV)/.installed-dev ## put new texts of the pages into translations/, and name those without a translation
	@$(PYTHON) -m tests.translations.catalogue

lock: ## pin all dependencies anew after a change of pyproject.toml (needs uv on PATH)
	$(LOCK) --group build pyproject.toml -o requirements.lock
	$(LOCK) -c requirements.lock --group build --group dev --extra postgres pyproject.toml -o requirements-dev.lock
	$(LOCK) -c requirements-dev.lock --group build --extra spark pyproject.toml -o requirements-spark.lock
	$(LOCK) --group pyproject.toml:postgres-server -o requirements-postgres-server.lock
	$(LOCK) --group pyproject.toml:supply -o requirements-supply.lock

audit: $(SUPPLY)/.installed ## known holes in what is installed and built in; fails where their databases cannot be asked
	@$(SUPPLY)/bin/python -m supply.audit

sbom: $(SUPPLY)/.installed ## the bill of materials of what a ward runs, as CycloneDX: build/sbom.json
	@$(SUPPLY)/bin/python -m supply.sbom

# SCAN_EXAMPLES: how many junk requests (docs/security.md keeps what was found).
scan: $(SUPPLY)/.installed $(VENV)/.installed-dev ## look for holes of our own: bandit over the code, ten thousand junk requests
	$(SUPPLY)/bin/bandit --quiet --recursive triage migrations config.py --baseline supply/bandit-baseline.json
	SCAN_EXAMPLES=$(or $(SCAN_EXAMPLES),10000) $(PYTHON) -m pytest tests/house/test_junk.py

screenshots: $(VENV)/.installed-dev ## take the pictures of docs/images anew (synthetic demo people)
	@$(PYTHON) -m tests.servers ensure
	$(PYTHON) -m tests.journeys.screenshots

bench: $(VENV)/.installed-bench ## how fast the rules judge, beside plain Python and public rule engines (docs/performance.md)
	@$(PYTHON) -m bench.engine

bench-replay: $(VENV)/.installed ## how fast a replay goes through millions of reports, beside Polars by hand (some minutes, 2 GB of disk)
	@$(PYTHON) -m bench.replay

bench-queue: $(VENV)/.installed-dev ## queue and record beside two million reports, and 200 open dashboards (some ten minutes, 8 GB of disk)
	@$(PYTHON) -m bench.queue
	@$(PYTHON) -m bench.dashboards

bench-encryption: $(VENV)/.installed-dev ## what encryption costs the queue, a record and sending a report (half a minute)
	@$(PYTHON) -m bench.encryption

clean: ## remove .venv and what tools left behind; keeps the database
	rm -rf $(VENV) $(SUPPLY) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Every Python from 3.11, every system; names and hashes only, never where a file came from.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock"

# The stamps below make a second `make` do nothing. The first Python that is new enough and can make a virtual
# environment is taken; it is run, not only looked for, since a name on PATH may be an empty shell.
$(VENV)/bin/python:
	@for python in python3.13 python3.12 python3.11 python3; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		found=$$python; \
		$$python -c 'import ensurepip, venv' 2>/dev/null || continue; \
		echo "Making $(VENV) with $$($$python --version)"; \
		$$python -m venv $(VENV) && exit 0; \
		rm -rf $(VENV); \
	done; \
	if [ -n "$$found" ]; then \
		echo "$$found cannot make a virtual environment. Install what it lacks (Debian: apt-get install python3-venv)." >&2; \
	else \
		echo "Python 3.11 or newer is needed (Debian: apt-get install python3 python3-venv)." >&2; \
	fi; exit 1

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what running needs"
	@$(PIP_INSTALL) -r requirements.lock
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what tests and checks need"
	@$(PIP_INSTALL) -r requirements-dev.lock
	@touch $@

$(SUPPLY)/.installed: requirements-supply.lock $(VENV)/.installed
	@echo "Installing what looks at the supply, in a place of its own"
	@$(PYTHON) -m venv $(SUPPLY)
	@$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-supply.lock
	@touch $@

$(VENV)/.installed-spark: requirements-spark.lock $(VENV)/.installed-dev
	@echo "Installing Spark"
	@$(PIP_INSTALL) -r requirements-spark.lock
	@touch $@

# Without hashes: these only run beside made-up reports. --no-deps would leave out what they need.
$(VENV)/.installed-bench: bench/requirements.txt $(VENV)/.installed
	@echo "Installing the rule engines to compare with"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@
