# Each target sets up what it needs in .venv, and is quick the second time.
#   make demo [ARGS="--dir X --no-serve"]   make test [ARGS="-k word"]   make test-slow   make faults
#   make check   make bench   make bench-page   make page   make screenshots   make fresh   make clean

# The newest suitable one on PATH, unless named: make PYTHON=python3.12
PYTHON ?=
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt

.PHONY: setup page browser demo test test-slow faults check native-check format bench bench-page screenshots fresh clean
.DELETE_ON_ERROR:

setup: $(STAMPS)/test $(STAMPS)/check

$(STAMPS)/venv:
	@python=$$(sh tools/find_python.sh $(PYTHON)) && echo "Using $$("$$python" --version) ($$(command -v "$$python"))" && \
		"$$python" -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# What builds the package, Node for the page included, in the versions that were tested.
$(STAMPS)/build: $(STAMPS)/venv pyproject.toml constraints.txt
	$(PIP) $$($(BIN)/python tools/group.py build)
	@touch $@

$(STAMPS)/demo: $(STAMPS)/build hatch_build.py requirements.txt src/hashmark/native/md5.c tools/native.py
	$(PIP) --require-hashes --requirement requirements.txt
	$(PIP) --no-build-isolation --editable '.[demo]'
	@touch $@

$(STAMPS)/test: $(STAMPS)/demo
	$(PIP) $$($(BIN)/python tools/group.py test)
	@touch $@

$(STAMPS)/check: $(STAMPS)/demo
	$(PIP) $$($(BIN)/python tools/group.py check test)
	@touch $@

# s3cmd alone is for the benchmark.
$(STAMPS)/bench: $(STAMPS)/test
	$(PIP) $$($(BIN)/python tools/group.py bench)
	@touch $@

# No stamp: it finds out by itself whether the frontend has changed, say by a `git pull`.
page: $(STAMPS)/demo
	@$(BIN)/python tools/frontend.py build

demo: $(STAMPS)/demo page
	$(BIN)/hashmark demo $(ARGS)

# No stamp either: a browser can be removed again.
browser: $(STAMPS)/test
	@$(BIN)/python tools/browser.py

# Two at a time, each with stores of its own; what is left over goes to who is done first.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test: $(STAMPS)/test page browser
	$(PYTEST) -m "not slow" $(ARGS)

# What takes minutes: long runs of properties and kills, every other tool's objects, packages, ten thousand pairs.
test-slow: $(STAMPS)/test page browser
	$(PYTEST) -m slow $(ARGS)

# The fault matrix, then each guard taken out in turn: ten minutes. Writes docs/faults.md. ARGS=3 is row 3 alone.
faults: $(STAMPS)/test page browser
	$(BIN)/python -m support.faults.report $(ARGS)

check: $(STAMPS)/check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/names.py
	$(BIN)/python tools/frontend.py check

format: $(STAMPS)/check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The hashing kernel's tests under AddressSanitizer and UndefinedBehaviorSanitizer, but not for leaks: Python has its own.
CC ?= cc
native-check: $(STAMPS)/test
	NATIVE_FLAGS="-g -fsanitize=address,undefined -fno-sanitize-recover=all" ASAN_OPTIONS=detect_leaks=0 \
		LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
		$(BIN)/python -m pytest --capture=sys tests/native

bench: $(STAMPS)/bench
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(ARGS)

bench-page: $(STAMPS)/test page browser
	$(BIN)/python -m bench.page $(ARGS)

# What each store honours, ignores and gets wrong, into docs/stores.md: ARGS="swift moto" measures some, and leaves the rest out.
stores: $(STAMPS)/test
	$(BIN)/python -m support.store_table $(ARGS)

screenshots: $(STAMPS)/test page browser
	$(BIN)/python -m tools.screenshots

# On bare Debians, as root: ARGS="--debian trixie --user root --make 'test ARGS=tests/tools'" is one of its trials.
fresh: $(STAMPS)/venv
	@$(BIN)/python tools/fresh.py $(ARGS)

clean:
	rm -rf src/hashmark/web/static src/hashmark/web/frontend/node_modules src/hashmark/native/md5.so
	rm -rf $(VENV) demo-library build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
