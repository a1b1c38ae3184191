# Each target sets up what it needs in .venv, and is quick the second time.
#   make demo [ARGS="--dir X --no-serve"]   make test [ARGS="-k word"]   make check   make bench   make clean

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt

.PHONY: setup demo test check format bench clean
.DELETE_ON_ERROR:

setup: $(STAMPS)/test $(STAMPS)/check

$(STAMPS)/venv:
	@command -v $(PYTHON) >/dev/null || { echo "hashmark needs Python 3.11 or later: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/demo: $(STAMPS)/venv pyproject.toml constraints.txt
	$(PIP) --editable '.[demo]'
	@touch $@

$(STAMPS)/test: $(STAMPS)/demo
	$(PIP) $$($(BIN)/python tools/group.py test)
	@touch $@

$(STAMPS)/check: $(STAMPS)/demo
	$(PIP) $$($(BIN)/python tools/group.py check test)
	@touch $@

demo: $(STAMPS)/demo
	$(BIN)/hashmark demo $(ARGS)

test: $(STAMPS)/test
	$(BIN)/python -m pytest $(ARGS)

check: $(STAMPS)/check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMPS)/check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMPS)/test
	$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) demo-library build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
