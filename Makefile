# Everything a clone needs is Python 3.11 or newer, make and the package registry.
# Each target does its own set-up; what is already done is not done again.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE :=
export DO_NOT_TRACK := 1

DBT_FILES := $(shell find dbt_models -name target -prune -o -name logs -prune -o -type f \( -name '*.sql' -o -name '*.yml' -o -name '*.md' \) -print)

.PHONY: help setup hooks demo ui test long lint format docs keycloak postgres faults properties laws year zones kills fortnight month readers recipes container lock clean

help:
	@echo "make demo   a filled data/energy.duckdb from four simulated vendors"
	@echo "make ui     Dagster's UI on http://127.0.0.1:3000"
	@echo "make test   lint, types and the tests that take no longer than ten minutes"
	@echo "make long   what takes longer: every fault, a real Keycloak, killed processes, fast clocks"
	@echo "make lint   ruff, mypy and sqlfluff only"
	@echo "make hooks  ruff, sqlfluff and mypy before each commit of this clone"
	@echo "make docs   the docs as a site that needs no network: docs/_build/html/index.html"
	@echo "make keycloak  the Socomec login against a real Keycloak (Java 17, Maven; downloads once)"
	@echo "make postgres  the tests of ledger, catalogue and Dagster's records on a real PostgreSQL"
	@echo "make faults    every fault of every vendor, as a table"
	@echo "make properties  the properties of energy on 10,000 random histories each (slow)"
	@echo "make year      a year of meters that are hard to read, each day judged (slow)"
	@echo "make zones     local days of many zones through the marts, as a table"
	@echo "make kills     the platform killed at 100 random moments, and what it comes to (slow)"
	@echo "make fortnight  fifteen days of troubles on a fast clock, with the alerts counted (slow)"
	@echo "make month     what a month of 15-minute cycles leaves on the disk (slow)"
	@echo "make readers   every tool that people read with, kept open over 50 publications (Java, Maven, Node)"
	@echo "make recipes   units by systemd-analyze, the proxy on a real nginx (Debian: nginx-light, systemd)"
	@echo "make container  the container recipe in a root file system of Debian's packages (root, debootstrap)"
	@echo "make setup  the virtual environment and the dbt manifest only"
	@echo "make lock   resolve requirements.lock anew (needs uv)"
	@echo "make clean  remove what runs left in data/ and the caches (keeps $(VENV))"

setup: $(VENV)/.installed dbt_models/target/manifest.json

$(VENV)/.installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "needs $(PYTHON); or run: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib || true  # templates of some packages are no Python
	@touch $@

dbt_models/target/manifest.json: $(VENV)/.installed $(DBT_FILES)
	$(BIN)/dbt parse --quiet --project-dir dbt_models --profiles-dir dbt_models --log-path dbt_models/logs
	@touch $@

demo: setup
	$(BIN)/energy-platform demo

ui: setup
	$(BIN)/energy-platform ui

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m 'not long' energy_platform_tests

long: setup
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m long energy_platform_tests
	$(BIN)/python -m energy_platform_tests.kills --times 8

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_models/models dbt_models/tests

hooks: setup
	$(BIN)/pre-commit install

docs: setup
	cd dbt_models && ../$(BIN)/dbt docs generate --quiet --static --empty-catalog
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --builder html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

keycloak: setup
	KEYCLOAK_REQUIRED=1 $(BIN)/python -m pytest -v -rs energy_platform_tests/keycloak

postgres: setup
	$(BIN)/python -m energy_platform_tests.delivery.postgres

faults: setup
	$(BIN)/python -m energy_platform_tests.faults.matrix

properties: setup
	$(BIN)/python -m energy_platform_tests.properties --examples 10000 --histories 1000

# The name of before 0.2.0.
laws: properties

year: setup
	$(BIN)/python -m energy_platform_tests.hard_year

zones: setup
	$(BIN)/python -m energy_platform_tests.zones

kills: setup
	$(BIN)/python -m energy_platform_tests.kills --times 100

fortnight: setup
	$(BIN)/python -m energy_platform_tests.fortnight

month: setup
	$(BIN)/python -m energy_platform_tests.fortnight.month

readers: setup
	$(BIN)/python -m energy_platform_tests.readers

recipes: setup
	$(BIN)/python -m pytest -v energy_platform_tests/deploy/systemd_checks.py energy_platform_tests/deploy/nginx_checks.py

container: setup
	$(BIN)/python -m energy_platform_tests.deploy.container --work $(or $(WORK),$(shell mktemp -d))

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix --disable-progress-bar dbt_models/models dbt_models/tests

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-strip-extras --no-header \
	  --extra dev --extra postgres --output-file requirements.lock pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-strip-extras --no-header \
	  --extra postgres --constraint requirements.lock --output-file energy_platform/deploy/recipes/requirements.lock pyproject.toml

clean:
	find data -mindepth 1 -not -name README.md -delete
	rm -rf dbt_models/target dbt_models/logs docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
