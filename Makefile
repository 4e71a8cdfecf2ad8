# Everything here sets up what it needs, in .venv; a machine needs only Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := outgrow/src outgrow/tests ventures/src ventures/tests demo benchmarks checks

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-quick faults ventures test check format bench bench-setup docs lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

$(BIN)/uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "outgrow needs Python 3.11 or newer; say which with: make PYTHON=python3.12 setup"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "this Python cannot make a private environment; on Debian: apt-get install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-uv.lock
	@touch $@

.venv/.ready: $(BIN)/uv requirements.lock outgrow/pyproject.toml ventures/pyproject.toml
	@echo "setting up .venv ..."
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable outgrow --editable ventures
	@$(BIN)/python -m compileall -q outgrow/src ventures/src
	@touch $@

setup: .venv/.ready ## private environment in .venv, with .venv/bin/outgrow and .venv/bin/ventures in it

demo: setup ## the story on the platform: it outgrows its index, is measured and moved in use; about six minutes
	@$(BIN)/python -m demo

demo-quick: setup ## the same in about ninety seconds, without proving
	@$(BIN)/python -m demo --quick

ventures: setup ## the platform: PostgreSQL, migrations, API and workers, on http://127.0.0.1:8400
	@$(BIN)/ventures serve

test: setup ## the whole suite, in parallel
	$(BIN)/pytest -n auto --dist worksteal

check: setup ## format, lint, types, import contracts, our own lints
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m checks

format: setup ## let ruff rewrite what it can
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

.venv/.bench: .venv/.ready requirements-bench.lock
	@echo "adding the peers (statsforecast, prophet, granian) to .venv ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-bench.lock
	@touch $@

bench-setup: .venv/.bench

bench: bench-setup ## every figure in benchmarks/results, with the peers in the same run
	$(BIN)/python -m benchmarks

lock: setup ## renew the locked versions
	cd $(CURDIR) && for name in uv "" bench; do \
	  in=requirements$${name:+-$$name}; \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes $$in.in -o $$in.lock; done

faults: setup ## tenants moved while everything is killed; MORE="--count 1000" goes on with more
	nice -n 5 $(BIN)/python -m benchmarks.faults $(MORE)

docs: setup ## the generated pages of docs/reference
	@$(BIN)/python -m checks.reference
	@$(BIN)/python -m checks.declaration_reference
	@$(BIN)/python -m checks.ventures_reference
	@$(BIN)/python -m checks.ventures_client

clean: ## remove what make made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
