# Everything runs in a virtual environment of this checkout, made on first use.
# PYTHON picks the interpreter, VENV the folder: make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYRIGHT := $(VENV)/node_modules/.bin/pyright
PYTEST_ARGS ?=
# The HTTP library that is installed: httpx or httpx2, or both where this is empty.
ONLY ?=
UNINSTALLED.httpx := httpx2 httpcore2
UNINSTALLED.httpx2 := httpx httpcore pytest-httpx respx
# What the slow tests and the checks need beside: type checkers, the site's builder, what comes from npm. The environments of
# other configurations have it with SLOW=yes only, and then another name.
SLOW ?=
TOOLS = $(if $(ONLY)$(LOWEST),$(filter yes,$(SLOW)),yes)
WHOLE := $(if $(filter yes,$(SLOW)),-whole)
UV = $(BIN)/python -m uv pip install --quiet --python $(BIN)/python --compile-bytecode
# How many tests run at a time: three for two cores, as some wait for servers and clocks; with more, each takes longer. No
# more than four, for some start 64 processes.
CORES ?= $(shell $(PYTHON) -c 'import os; print(1 + (os.cpu_count() or 1))')
PARALLEL := --numprocesses $(CORES) --maxprocesses 4 --dist worksteal
# Inputs for each fuzz target of the long programme.
FUZZ ?= 1000000
# How much the benchmark measures: full, or smallest.
BENCH ?= full
# Faults on each way of the model in the long programme.
FAULTS ?= 2
# The sample of mutants: another seed draws others; how many of each folder.
SEED ?= 1
SIZE ?= 60
# --survivors runs only those that survived the last run, --page-only writes the page alone.
MUTANTS_ARGS ?=
# The suite starts hundreds of interpreters: none of them is to compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-slow test-fast proof coverage faults conformance fuzz kills storms companies model installations test-long test-lowest audit build bench scale bench-renewal bench-sandbox foreign screens json settings cli-page errors-page screenshots check docs format lint types imports test-httpx test-httpx2 test-python clean hosts mutants

help:  ## show this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-14s %s\n", $$1, $$2 }'

demo: $(READY)  ## the ten-line program against the sandbox, with three strategies
	@$(BIN)/python examples/demo.py

test: $(READY)  ## the tests but for the slow ones, in three minutes
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(PYTEST_ARGS)

test-slow: $(READY)  ## the others: browsers, every fault, other people's programs, packages, pages (tests/slow.py)
	@$(BIN)/python -m pytest $(PARALLEL) -m slow $(PYTEST_ARGS)

test-fast: $(READY)  ## while writing: the tests that need no process, server or browser, in half a minute
	@PROCOUNTOR_AUTH_FUZZ=1000 $(BIN)/python -m pytest $(PARALLEL) -m "not process and not server and not browser" $(PYTEST_ARGS)

test-long: fuzz kills storms companies hosts model installations  ## what takes long by its nature: FUZZ inputs for each target, all kills, full storms, 500 companies, every host, the model, installations

proof: $(READY)  ## everything that takes long, within 90 minutes on two cores; writes docs/proof.md
	@VENV=$(VENV) $(BIN)/python -m tests.proof

# Not tests/hosts: a host that can't write a file, or that kills the process, can't write what was covered either.
coverage: $(READY)  ## the suite with coverage of the package by line and branch, its subprocesses counted
	@rm -rf $(VENV)/coverage && mkdir -p $(VENV)/coverage
	@COVERAGE_FILE=$(abspath $(VENV))/coverage/data $(BIN)/python -m coverage run -m pytest $(PARALLEL) --timeout 600 --ignore tests/hosts $(PYTEST_ARGS); \
	COVERAGE_FILE=$(abspath $(VENV))/coverage/data $(BIN)/python -m coverage combine --quiet && \
	COVERAGE_FILE=$(abspath $(VENV))/coverage/data $(BIN)/python -m coverage report

faults: $(READY)  ## docs/faults.md from its tables, a summary, and the fault matrix
	@$(BIN)/python -m tests.faults.page
	@$(BIN)/python -m pytest $(PARALLEL) tests/faults $(PYTEST_ARGS)

conformance: $(READY)  ## docs/conformance.md from its rules, and the tests that the rows name
	@$(BIN)/python -m tests.conformance.page
	@$(BIN)/python -m pytest tests/conformance tests/foreign/test_oidc_provider.py $(PYTEST_ARGS)

fuzz: $(READY)  ## FUZZ=1000000 inputs for each target
	@PROCOUNTOR_AUTH_FUZZ=$(FUZZ) $(BIN)/python -m pytest $(PARALLEL) --timeout 0 tests/fuzz $(PYTEST_ARGS)

kills: $(READY)  ## a thousand kills of each store's writer
	@PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal --timeout 900 tests/stores/test_kills.py $(PYTEST_ARGS)

# One for each core: they start many processes themselves.
storms: $(READY)  ## the storms at their full size: 1,000 threads, 10,000 coroutines, 64 processes
	@PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal --timeout 900 tests/storms $(PYTEST_ARGS)

companies: $(READY)  ## five hundred companies that change their strategy; a gigabyte and ten thousand calls through a bridge
	@PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest $(PARALLEL) --timeout 900 tests/migration/test_many_companies.py tests/bridge/test_bodies.py tests/bridge/test_companies.py $(PYTEST_ARGS)

hosts: $(READY)  ## every command on every host that is unlike a developer's
	@PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest $(PARALLEL) tests/hosts $(PYTEST_ARGS)

model: $(READY)  ## every order of what can happen to a renewal, with FAULTS=2 on each way
	@PROCOUNTOR_AUTH_LONG=1 PROCOUNTOR_AUTH_FAULTS=$(FAULTS) $(BIN)/python -m pytest $(PARALLEL) --timeout 1800 tests/model $(PYTEST_ARGS)

installations: $(READY)  ## the wheel and the source distribution, installed: each extra on each Python that this machine has
	@PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest $(PARALLEL) --timeout 900 tests/supply/test_installations.py tests/supply/test_container.py $(PYTEST_ARGS)

$(VENV)-bench/.ready: $(READY) benchmarks/requirements.txt
	@$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python $(VENV)-bench
	@$(BIN)/python -m uv pip install --quiet --python $(VENV)-bench/bin/python --compile-bytecode \
		--editable '.[bridge,cli,httpx2,redis,requests,sandbox]' -r benchmarks/requirements.txt
	@touch $@

bench: $(VENV)-bench/.ready  ## this package beside others; writes docs/performance.md, but not with BENCH=smallest
	@$(VENV)-bench/bin/python -m benchmarks.bench --size $(BENCH) $(if $(filter full,$(BENCH)),--write)

scale: $(VENV)-bench/.ready  ## a day of a thousand hosts on one Redis; writes docs/scale.md, but not with BENCH=smallest
	@$(VENV)-bench/bin/python -m benchmarks.scale --size $(BENCH) $(if $(filter full,$(BENCH)),--write)

bench-renewal: $(READY)  ## how long a new token is in memory only
	@$(BIN)/python benchmarks/renewal.py

bench-sandbox: $(READY)  ## the sandbox at 500 token requests a second
	@$(BIN)/python benchmarks/sandbox.py

$(VENV)-mutants/.ready: $(READY) pyproject.toml
	@$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python $(VENV)-mutants
	@$(BIN)/python -m uv pip install --quiet --python $(VENV)-mutants/bin/python --compile-bytecode \
		--editable '.[all]' --group mutants
	@touch $@

mutants: $(VENV)-mutants/.ready  ## changes of the code that a test should notice, SIZE=60 of each folder; writes docs/mutants.md
	@$(VENV)-mutants/bin/python -m tests.mutants.page --seed $(SEED) --size $(SIZE) $(MUTANTS_ARGS)

foreign: $(READY)  ## clients that others wrote, against the sandbox
	@$(BIN)/python examples/foreign_clients.py --cache $(VENV)/foreign
	@$(BIN)/python examples/foreign_requests.py

screens: $(READY)  ## the terminal screens in tests/screens/golden: look at what changes
	@PROCOUNTOR_AUTH_SCREENS=1 PROCOUNTOR_AUTH_LONG=1 $(BIN)/python -m pytest $(PARALLEL) --timeout 1800 tests/screens $(PYTEST_ARGS)

json: $(READY)  ## docs/json.md and its schema, from the models
	@$(BIN)/python docs/json_page.py

settings: $(READY)  ## docs/settings.md, from the fields of Settings
	@$(BIN)/python docs/settings_page.py

cli-page: $(READY)  ## docs/cli.md and the man page docs/procountor-auth.1, from the commands themselves
	@$(BIN)/python docs/cli_page.py

errors-page: $(READY)  ## docs/errors.md, from the classes of errors
	@$(BIN)/python docs/errors_page.py

docs: $(READY)  ## the site, in site/, without a warning (test-slow builds it as well)
	@$(BIN)/python docs/site.py
	@echo "The site is in site/: open site/index.html"

screenshots: $(READY)  ## the pictures in docs/images, with Chromium, and the one of a terminal
	@$(BIN)/python docs/terminal_picture.py
	@$(BIN)/python docs/screenshots.py

check: format lint types imports test test-slow  ## what CI runs, and what to run before every commit

format: $(READY)  ## check the formatting
	@$(BIN)/ruff format --check --quiet . || { echo "Run $(BIN)/ruff format to format these files:"; $(BIN)/ruff format --check .; exit 1; }

lint: $(READY)  ## check the style
	@$(BIN)/ruff check --quiet .

# Both at once, as each takes one core. In CI, nobody comes again to a cache.
MYPY = $(BIN)/mypy $(if $(filter true 1,$(CI)),--no-incremental --cache-dir /dev/null)
types: $(READY)  ## check the types: mypy, and pyright where npm is
	@if test -x $(PYRIGHT); then \
		$(PYRIGHT) --pythonpath $(BIN)/python >$(VENV)/pyright.txt & \
		$(MYPY); mypy=$$?; wait $$! || { cat $(VENV)/pyright.txt; exit 1; }; exit $$mypy; \
	elif test "$(CI)" = true -o "$(CI)" = 1; then echo "pyright is missing: it comes from npm, which CI must have"; exit 1; \
	else echo "Not checked with pyright, which comes from npm: install npm, and run make clean types"; $(MYPY); fi

# Other configurations run what depends on them (tests/resources.py has the marks), and of tables that take long two rows
# (tests/rows.py); with SLOW=yes, the slow tests and all rows as well.
QUICK := $(if $(filter yes,$(SLOW)),, and not slow)
FEW_ROWS := $(if $(filter yes,$(SLOW)),,PROCOUNTOR_AUTH_ROWS=2)
OTHER_TEST = $(FEW_ROWS) $(MAKE) --no-print-directory test VENV=$(VENV)
DEPENDS := -m 'not once$(QUICK)'
ON_HTTP := -m 'http_library and not once$(QUICK)'

imports: $(READY)  ## check that imports run down the layers of docs/architecture.md
	@$(BIN)/lint-imports --no-cache --no-logo >$(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }

test-httpx: VENV := .venv-httpx$(WHOLE)
test-httpx:  ## the tests that depend on it with httpx and without httpx2
	@$(OTHER_TEST) ONLY=httpx PYTEST_ARGS="$(ON_HTTP) $(PYTEST_ARGS)"

test-httpx2: VENV := .venv-httpx2$(WHOLE)
test-httpx2:  ## the tests that depend on it with httpx2 and without httpx
	@$(OTHER_TEST) ONLY=httpx2 PYTEST_ARGS="$(ON_HTTP) $(PYTEST_ARGS)"

test-lowest: VENV := .venv-lowest-versions$(WHOLE)
test-lowest:  ## the tests that depend on it with the lowest versions that pyproject.toml allows
	@$(OTHER_TEST) LOWEST=yes PYTEST_ARGS="$(DEPENDS) $(PYTEST_ARGS)"

test-python: VENV := .venv-$(notdir $(PYTHON))$(WHOLE)
test-python:  ## the tests that depend on it with another Python: PYTHON=python3.13
	@$(OTHER_TEST) PYTEST_ARGS="$(DEPENDS) $(PYTEST_ARGS)"

build: $(READY)  ## the wheel and the source distribution in dist/: the same bytes wherever they are built
	@rm -rf dist
	@env -u SOURCE_DATE_EPOCH $(BIN)/python -m hatchling build
	@$(BIN)/python -c 'import hashlib, pathlib; [print(hashlib.sha256(p.read_bytes()).hexdigest(), p) for p in sorted(pathlib.Path("dist").iterdir())]'

audit: $(READY)  ## known vulnerabilities of what is installed; says so where no database can be reached
	@test -x $(VENV)/audit/bin/pip-audit || { $(BIN)/python -m venv $(VENV)/audit && $(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.10'; }
	@$(BIN)/python tests/supply/audit.py $(VENV)/audit/bin/pip-audit "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

clean:  ## remove the virtual environments and what tools leave behind
	rm -rf .venv .venv-* build dist site .cache .mypy_cache .pytest_cache .ruff_cache mutants

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "procountor-auth needs Python 3.11 or newer; name one with make PYTHON=python3.13"; exit 1; }
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv --clear $(VENV) 2>/dev/null || \
		{ $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	@# uv installs in a few seconds, keeps what it has downloaded for the next environment, and knows how to choose the
	@# lowest versions of what pyproject.toml names.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
	@$(UV) --editable '.[all]' --group $(if $(TOOLS),dev,test)
	@test -z "$(LOWEST)" || { $(UV) --upgrade --resolution lowest-direct -r pyproject.toml --all-extras --group test && \
		$(BIN)/python tests/supply/lowest.py pyproject.toml; }
	@# niquests puts a urllib3 of its own in place of the one that requests is made for: here, requests has that one.
	@test -z "$(ONLY)" || { $(BIN)/python -m uv pip uninstall --quiet --python $(BIN)/python $(UNINSTALLED.$(ONLY)) \
		niquests urllib3-future && $(UV) --reinstall-package urllib3 urllib3; }
	@# The accessibility checker, the site's diagrams, a certified OAuth server, and the other type checker. Without npm
	@# what needs them is skipped, but not in CI.
	@test -z "$(TOOLS)" || ! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --prefix $(VENV) axe-core@4 mermaid@11 oidc-provider@9 pyright@1.1
	@touch $(READY)
