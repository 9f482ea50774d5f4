# Everything runs in a virtual environment of this checkout, made on first use.
# PYTHON picks the interpreter, VENV the folder: make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST_ARGS ?=
# How many tests run at a time: as many as there are cores, but no more than four, for some start 64 processes.
CORES ?= auto
PARALLEL := --numprocesses $(CORES) --maxprocesses 4 --dist worksteal

.PHONY: help demo test proof faults conformance fuzz test-long test-lowest audit build bench-renewal bench-sandbox foreign screenshots check format lint types test-httpx test-httpx2 clean

help:  ## show this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-14s %s\n", $$1, $$2 }'

demo: $(READY)  ## the ten-line program against the sandbox, with three strategies
	@$(BIN)/python examples/demo.py

test: $(READY)  ## the test suite
	@$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

proof: faults conformance fuzz test-long  ## the long programme: the pages from their tables, 10^6 inputs for each target, all kills

faults: $(READY)  ## docs/faults.md from its tables, a summary, and the fault matrix
	@$(BIN)/python -m tests.faults.page
	@$(BIN)/python -m pytest $(PARALLEL) tests/faults $(PYTEST_ARGS)

conformance: $(READY)  ## docs/conformance.md from its rules, and the tests that the rows name
	@$(BIN)/python -m tests.conformance.page
	@$(BIN)/python -m pytest tests/conformance tests/foreign/test_oidc_provider.py $(PYTEST_ARGS)

FUZZ ?= 1000000
fuzz: $(READY)  ## FUZZ=1000000 inputs for each target
	@PROCOUNTOR_AUTH_FUZZ=$(FUZZ) $(BIN)/python -m pytest $(PARALLEL) --durations=0 tests/fuzz $(PYTEST_ARGS)

test-long: $(READY)  ## the kill tests with their full counts
	@PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest tests/stores/test_kills.py $(PYTEST_ARGS)

bench-renewal: $(READY)  ## what a cached token costs, and how long a new one is in memory only
	@$(BIN)/python benchmarks/renewal.py

bench-sandbox: $(READY)  ## the sandbox at 500 token requests a second
	@$(BIN)/python benchmarks/sandbox.py

foreign: $(READY)  ## clients that others wrote, against the sandbox
	@$(BIN)/python examples/foreign_clients.py --cache $(VENV)/foreign

screenshots: $(READY)  ## the pictures in docs/images, with Chromium
	@$(BIN)/python docs/screenshots.py

check: format lint types test  ## what CI runs, and what to run before every commit

format: $(READY)  ## check the formatting
	@$(BIN)/ruff format --check --quiet . || { echo "Run $(BIN)/ruff format to format these files:"; $(BIN)/ruff format --check .; exit 1; }

lint: $(READY)  ## check the style
	@$(BIN)/ruff check --quiet .

types: $(READY)  ## check the types
	@$(BIN)/mypy

test-httpx: VENV := .venv-httpx
test-httpx:  ## the test suite with httpx and without httpx2
	@$(MAKE) --no-print-directory test VENV=$(VENV) REMOVE="httpx2 httpcore2"

test-httpx2: VENV := .venv-httpx2
test-httpx2:  ## the test suite with httpx2 and without httpx
	@$(MAKE) --no-print-directory test VENV=$(VENV) REMOVE="httpx httpcore"

test-lowest: VENV := .venv-lowest-versions
test-lowest:  ## the test suite with the lowest versions that pyproject.toml allows
	@$(MAKE) --no-print-directory test VENV=$(VENV) LOWEST=yes

build: $(READY)  ## the wheel and the source distribution in dist/: the same bytes wherever they are built
	@rm -rf dist
	@env -u SOURCE_DATE_EPOCH $(BIN)/python -m hatchling build
	@$(BIN)/python -c 'import hashlib, pathlib; [print(hashlib.sha256(p.read_bytes()).hexdigest(), p) for p in sorted(pathlib.Path("dist").iterdir())]'

audit: $(READY)  ## known vulnerabilities of what is installed; says so where no database can be reached
	@test -x $(VENV)/audit/bin/pip-audit || { $(BIN)/python -m venv $(VENV)/audit && $(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.10'; }
	@$(BIN)/python tests/supply/audit.py $(VENV)/audit/bin/pip-audit "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

clean:  ## remove the virtual environments and what tools leave behind
	rm -rf .venv .venv-* build dist .mypy_cache .pytest_cache .ruff_cache

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "procountor-auth needs Python 3.11 or newer; name one with make PYTHON=python3.13"; exit 1; }
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv --clear $(VENV) 2>/dev/null || \
		{ $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group dev
	@# uv knows how to choose the lowest versions of what pyproject.toml names; pip does not.
	@test -z "$(LOWEST)" || { $(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
		$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --upgrade --resolution lowest-direct -r pyproject.toml --all-extras --group test && \
		$(BIN)/python tests/supply/lowest.py pyproject.toml; }
	@test -z "$(REMOVE)" || $(BIN)/python -m pip uninstall --quiet --yes $(REMOVE)
	@# The accessibility checker and a certified OAuth server. Without npm their tests are skipped, but not in CI.
	@! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --prefix $(VENV) axe-core@4 oidc-provider@8
	@touch $(READY)
