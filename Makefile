# Everything a person or CI runs. `make help` lists it. Needs git, make and Python >= 3.11 with venv.

PYTHON   ?= python3
LISTEN   ?= 127.0.0.1:8080
DATA_DIR ?= ./data
DURATION ?= 600
SECONDS  ?= 600
KILLS    ?= 500
CUTS     ?= 25
JOBS     ?= 2

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Stamps: a file per finished step, so that the second `make` only compares dates.
VENV_READY    := $(VENV)/.ready-venv
RUNTIME_READY := $(VENV)/.ready-runtime
DEV_READY     := $(VENV)/.ready-dev

.PHONY: run test check fmt lint types imports soak fuzz storms bench lock services clients sessions clean help
.DEFAULT_GOAL := help

run: $(RUNTIME_READY)  ## Start the hub on http://127.0.0.1:8080 with its data in ./data
	@exec $(BIN)/fairway serve --data-dir $(DATA_DIR) --listen $(LISTEN)

test: $(DEV_READY) services lint types imports  ## Everything: lint, types, imports and every test
	$(BIN)/python -m pytest -n $(JOBS) || { \
	    echo "once more, one after the other: what failed beside its neighbours"; \
	    $(BIN)/python -m pytest -n0 --last-failed --last-failed-no-failures=none; }

check: $(DEV_READY) lint types imports  ## The quick half: lint, types, imports and the fast tests
	$(BIN)/python -m pytest -n $(JOBS) -m "not system and not slow"

fmt: $(DEV_READY)  ## Format the code and repair what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

lint: $(DEV_READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(DEV_READY)
	$(BIN)/mypy

imports: $(DEV_READY)
	$(BIN)/lint-imports

soak: $(DEV_READY) services  ## Crowds among random kills for DURATION seconds, then deaths at KILLS points and CUTS power cuts
	$(BIN)/python tests/faults/soak.py --seconds $(DURATION) --kills $(KILLS) --cuts $(CUTS)

fuzz: $(DEV_READY) services  ## Bad input for every parser, the running hub and its whole API: make fuzz SECONDS=600 (each)
	FAIRWAY_TEST_FUZZ_SECONDS=$(SECONDS) $(BIN)/python -m pytest tests/security/fuzz tests/security/test_schema_fuzz.py -n $(JOBS) -rP

STORMS := FAIRWAY_TEST_SLOW_CLIENTS=3000 FAIRWAY_TEST_IDLE_CLIENTS=5000 FAIRWAY_TEST_PULLS=2000 FAIRWAY_TEST_ARTIFACTS=1000 \
          FAIRWAY_TEST_UPLOAD_FLOOD=10000 FAIRWAY_TEST_LOGINS=3500 FAIRWAY_TEST_OVERLOAD_SECONDS=60 FAIRWAY_TEST_STATES=500
STORMY := $(addprefix tests/, faults/test_slow_clients.py faults/test_pull_storm.py faults/test_half_done.py faults/test_overload.py \
          faults/test_state_machine.py security/test_upload_floods.py security/test_login_floods.py)

storms: $(DEV_READY) services  ## Thousands of clients, slow, idle, many at once or greedy: needs ulimit -Hn 11000, takes half an hour
	$(STORMS) $(BIN)/python -m pytest -n0 -rP $(STORMY)

bench: $(RUNTIME_READY)  ## Ratios against real registries, measured in the same run: make bench ARGS=--quick
	$(BIN)/python bench/run.py $(ARGS)

services:
	@sh tests/install-services.sh

clients:  ## Get crane, oras, helm, cosign, docker and more for the tests that drive them; builds some with Go, once
	@sh tests/install-clients.sh

SESSIONS := tests/system/sessions $(addprefix tests/system/test_, login.py debian_image.py platforms.py \
            repositories.py artifacts.py large_blob.py)

sessions: $(DEV_READY) services clients  ## What each real client can do with a hub; writes docs/reference/clients.md
	rm -f $(VENV)/sessions.xml
	-$(BIN)/python -m pytest $(SESSIONS) -n $(JOBS) --junitxml=$(VENV)/sessions.xml
	$(BIN)/python tests/system/sessions/page.py $(VENV)/sessions.xml > $(VENV)/clients.md
	mv $(VENV)/clients.md docs/reference/clients.md

# No index address, header or other trace of where it ran ends up in the files.
COMPILE = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
          --no-header --no-emit-index-url --no-emit-find-links

lock: $(DEV_READY)  ## Pin the newest allowed versions of all dependencies, with hashes
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) -c requirements.txt --group build -o requirements-build.txt
	$(COMPILE) -c requirements.txt pyproject.toml --group dev -o requirements-dev.txt

clean:  ## Remove what the targets above made; ./data stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -type d -name __pycache__ -prune -exec rm -rf {} +

help:  ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

$(VENV_READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Fairway needs Python 3.11 or newer; try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	    || { echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The build tools are pinned as well, hence no isolated (and unpinned) build environment.
$(RUNTIME_READY): requirements.txt requirements-build.txt pyproject.toml $(VENV_READY)
	$(PIP) install --require-hashes -r requirements.txt -r requirements-build.txt
	$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(DEV_READY): requirements-dev.txt $(RUNTIME_READY)
	$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
