# Everything a fresh machine with Python 3.11+ and make needs; all of it lands in .venv, nothing else is touched.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: run test check bench man format clean

run: $(STAMP)            ## start a node and say what to do next
	$(BIN)/peerage up --open

test: $(STAMP)           ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: $(STAMP)          ## lint, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -p no:randomly tests/unit/test_architecture.py

bench: $(STAMP)          ## every claim of the README, with its rival in the same run
	for script in bench/[a-z]*.py; do $(BIN)/python $$script || exit 1; done

man: $(STAMP)            ## the manual page, and look at it
	@mkdir -p build
	$(BIN)/peerage manual > build/peerage.1
	man -l build/peerage.1

format: $(STAMP)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/.work

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Peerage needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" 2>$(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --editable ".[lab]" --group dev 2>$(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@touch $@
