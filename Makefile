# Everything runs in a virtual environment of this checkout, made on first use.
# PYTHON picks the interpreter, VENV the folder: make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST_ARGS ?=
UV = $(BIN)/python -m uv pip install --quiet --python $(BIN)/python --compile-bytecode
# How many tests run at a time: as many as there are cores, but no more than four, for some start 64 processes.
CORES ?= auto
PARALLEL := --numprocesses $(CORES) --maxprocesses 4 --dist worksteal
# Inputs for each fuzz target of the long programme.
FUZZ ?= 1000000
# Faults on each way of the model in the long programme.
FAULTS ?= 2
# The suite starts hundreds of interpreters: none of them is to compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-fast proof faults conformance fuzz kills storms companies model test-long test-lowest audit build bench-renewal bench-sandbox foreign screenshots check format lint types imports test-httpx test-httpx2 test-python clean

help:  ## show this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-14s %s\n", $$1, $$2 }'

demo: $(READY)  ## the ten-line program against the sandbox, with three strategies
	@$(BIN)/python examples/demo.py

test: $(READY)  ## the test suite
	@$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

test-fast: $(READY)  ## while writing: the tests that need no process, server or browser, in half a minute
	@PROCOUNTOR_AUTH_FUZZ=1000 $(BIN)/python -m pytest $(PARALLEL) -m "not process and not server and not browser" $(PYTEST_ARGS)

test-long: fuzz kills storms companies model  ## what takes long by its nature: FUZZ inputs for each target, all kills, full storms, 500 companies, the model

proof: faults conformance test-long  ## the pages from their tables, and everything that takes long

faults: $(READY)  ## docs/faults.md from its tables, a summary, and the fault matrix
	@$(BIN)/python -m tests.faults.page
	@$(BIN)/python -m pytest $(PARALLEL) tests/faults $(PYTEST_ARGS)

conformance: $(READY)  ## docs/conformance.md from its rules, and the tests that the rows name
	@$(BIN)/python -m tests.conformance.page
	@$(BIN)/python -m pytest tests/conformance tests/foreign/test_oidc_provider.py $(PYTEST_ARGS)

fuzz: $(READY)  ## FUZZ=1000000 inputs for each target
	@PROCOUNTOR_AUTH_FUZZ=$(FUZZ) $(BIN)/python -m pytest $(PARALLEL) --timeout 0 tests/fuzz $(PYTEST_ARGS)

kills: $(READY)  ## a thousand kills of each store's writer
	@PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest $(PARALLEL) --timeout 900 tests/stores/test_kills.py $(PYTEST_ARGS)

storms: $(READY)  ## the storms at their full size: 1,000 threads, 10,000 coroutines, 64 processes
	@PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest $(PARALLEL) --timeout 900 tests/storms $(PYTEST_ARGS)

companies: $(READY)  ## five hundred companies that change their strategy
	@PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest $(PARALLEL) --timeout 900 tests/migration/test_many_companies.py $(PYTEST_ARGS)

model: $(READY)  ## every order of what can happen to a renewal, with FAULTS=2 on each way
	@PROCOUNTOR_AUTH_LONG=1 PROCOUNTOR_AUTH_FAULTS=$(FAULTS) $(BIN)/python -m pytest $(PARALLEL) --timeout 1800 tests/model $(PYTEST_ARGS)

bench-renewal: $(READY)  ## what a cached token costs, and how long a new one is in memory only
	@$(BIN)/python benchmarks/renewal.py

bench-sandbox: $(READY)  ## the sandbox at 500 token requests a second
	@$(BIN)/python benchmarks/sandbox.py

foreign: $(READY)  ## clients that others wrote, against the sandbox
	@$(BIN)/python examples/foreign_clients.py --cache $(VENV)/foreign

screenshots: $(READY)  ## the pictures in docs/images, with Chromium
	@$(BIN)/python docs/screenshots.py

check: format lint types imports test  ## what CI runs, and what to run before every commit

format: $(READY)  ## check the formatting
	@$(BIN)/ruff format --check --quiet . || { echo "Run $(BIN)/ruff format to format these files:"; $(BIN)/ruff format --check .; exit 1; }

lint: $(READY)  ## check the style
	@$(BIN)/ruff check --quiet .

types: $(READY)  ## check the types
	@$(BIN)/mypy

# Other configurations run what depends on them: `once` marks the tests that don't (tests/resources.py).
DEPENDS := -m 'not once'

imports: $(READY)  ## check that imports run down the floors of docs/architecture.md
	@$(BIN)/lint-imports --no-cache --no-logo >$(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }

test-httpx: VENV := .venv-httpx
test-httpx:  ## the tests that depend on it with httpx and without httpx2
	@$(MAKE) --no-print-directory test VENV=$(VENV) REMOVE="httpx2 httpcore2" PYTEST_ARGS="$(DEPENDS) $(PYTEST_ARGS)"

test-httpx2: VENV := .venv-httpx2
test-httpx2:  ## the tests that depend on it with httpx2 and without httpx
	@$(MAKE) --no-print-directory test VENV=$(VENV) REMOVE="httpx httpcore" PYTEST_ARGS="$(DEPENDS) $(PYTEST_ARGS)"

test-lowest: VENV := .venv-lowest-versions
test-lowest:  ## the tests that depend on it with the lowest versions that pyproject.toml allows
	@$(MAKE) --no-print-directory test VENV=$(VENV) LOWEST=yes PYTEST_ARGS="$(DEPENDS) $(PYTEST_ARGS)"

test-python: VENV := .venv-$(notdir $(PYTHON))
test-python:  ## the tests that depend on it with another Python: PYTHON=python3.13
	@$(MAKE) --no-print-directory test VENV=$(VENV) PYTEST_ARGS="$(DEPENDS) $(PYTEST_ARGS)"

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
	@# uv installs in a few seconds, keeps what it has downloaded for the next environment, and knows how to choose the
	@# lowest versions of what pyproject.toml names.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
	@$(UV) --editable '.[all]' --group dev
	@test -z "$(LOWEST)" || { $(UV) --upgrade --resolution lowest-direct -r pyproject.toml --all-extras --group test && \
		$(BIN)/python tests/supply/lowest.py pyproject.toml; }
	@test -z "$(REMOVE)" || $(BIN)/python -m uv pip uninstall --quiet --python $(BIN)/python $(REMOVE)
	@# The accessibility checker and a certified OAuth server. Without npm their tests are skipped, but not in CI.
	@! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --prefix $(VENV) axe-core@4 oidc-provider@8
	@touch $(READY)
