# One command to see the product, one to check it. Assumes Python >= 3.11 and make; uses uv where it is on the PATH.
# On Windows: conda env create -f environment.yml

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	"$$p" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
UV := $(shell uv --version >/dev/null 2>&1 && echo uv)
WORKERS ?= 2
SAMPLE := build/sample_run
CASES ?= 2000
LOCK_FLAGS := --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header --quiet

export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test lint pytest sample setup bench fuzz browser cities story postgis lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## set up, then plan the sample city into build/demo
	$(BIN)/siteplan demo

test: $(STAMP) ## set up, then every check: ruff, mypy, import contracts, tests, doctests, notebooks
	@rm -rf $(SAMPLE) && mkdir -p $(SAMPLE)
	@$(MAKE) --no-print-directory -j2 lint sample
	@SITEPLAN_SAMPLE_RUN=$(SAMPLE) $(MAKE) --no-print-directory pytest
	@rm -rf $(SAMPLE)

setup: $(STAMP) ## make .venv with the locked packages (the other commands do so too)

lint: $(STAMP) ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

pytest: $(STAMP)  # one thread of linear algebra each: threads that wait for each other keep the workers from their cores
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(WORKERS) --dist loadfile

sample: $(STAMP)  # one plan of the sample city for all tests; the kernels are compiled on the way, once
	@$(BIN)/python -m tests.sample_run $(SAMPLE)

fuzz: $(STAMP) ## damaged files through the layer readers (CASES=20000 for more), more examples of the property tests
	$(BIN)/python -m tests.fuzz.run --cases $(CASES) --workers $(WORKERS)
	HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -q -m hypothesis tests

browser: $(STAMP) ## map pages in a headless Chromium
	SITEPLAN_BROWSER=1 $(BIN)/pytest -q -m browser -rs tests

bench: $(STAMP) ## benchmarks, timed
	$(BIN)/pytest -q benchmarks -o python_files='test_*.py bench_*.py'

cities: $(STAMP) ## plan every city, the real ones of ../shared too, and recount each number of their plans
	SITEPLAN_CITIES=1 $(BIN)/pytest -q -rs tests/test_end_to_end.py tests/test_real_traps.py tests/test_xikou.py

story: $(STAMP) ## tell the three years of the sample city, and check what it wrote
	SITEPLAN_STORY=1 $(BIN)/pytest -q -rs tests/test_three_years.py

postgis: ## start the machine's own PostgreSQL and make the database of the tests (Debian, as root); others set SITEPLAN_TEST_POSTGIS
	@version=$$(ls /usr/lib/postgresql | sort -n | tail -n 1) && \
		{ pg_lsclusters -h | grep -q . || pg_createcluster "$$version" main; } >/dev/null && \
		{ pg_isready -q || pg_ctlcluster "$$version" main start; } && \
		for try in 1 2 3 4 5 6 7 8 9 10; do pg_isready -q && break; sleep 1; done; \
		runuser -u postgres -- psql -qtAc "SELECT 1 FROM pg_roles WHERE rolname = '$$(id -un)'" | grep -q 1 || \
		runuser -u postgres -- createuser --superuser "$$(id -un)"; \
		psql -qtAc "SELECT 1 FROM pg_database WHERE datname = 'siteplan_test'" postgres | grep -q 1 || createdb siteplan_test

lock: ## resolve requirements.lock and constraints.txt anew (needs uv)
	uv pip compile pyproject.toml --group dev --generate-hashes --upgrade $(LOCK_FLAGS) -o requirements.lock
	uv pip compile pyproject.toml --all-extras -c requirements.lock --upgrade $(LOCK_FLAGS) -o constraints.txt

clean: ## remove .venv, build/ and caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	find siteplan tests benchmarks data notebooks docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "siteplan needs Python 3.11 or newer; none was found. Try: make demo PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("siteplan needs Python 3.11 or newer; \
	%s is %d.%d. Try: make demo PYTHON=/path/to/python3.11" % (sys.executable, v[0], v[1]))'
	@echo "setting up $(VENV): $$(grep -c '==' requirements.lock) pinned packages, once"
ifeq ($(UV),uv)
	test -x $(BIN)/python || uv venv --quiet --python "$$(command -v $(PYTHON))" $(VENV)
	uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "python venv failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	$(BIN)/python -m pip install -qq --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
endif
	$(BIN)/python -m compileall -q siteplan  # also where Python is told not to write bytecode
	@touch $@
