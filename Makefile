# Every target sets up what it needs, in .venv; nothing is assumed but Python 3.11 or newer and make.
# PYTHON=/path/to/python3.x make test   chooses the interpreter.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
WORKERS ?= 2
RUN := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python

# Real data for the tests and the demo that need it: optional, beside the checkout.
ifneq ($(wildcard ../shared/data),)
export ROBUSTAE_DATA ?= $(abspath ../shared/data)
endif

.PHONY: demo test test-browser test-processes test-engines quick lint format types layers docs tables check-tables bench guard soak clean

demo: $(VENV)/.demo
	@mkdir -p out
	$(BIN)/robustae demo --out out/demo

test: $(VENV)/.test
	$(RUN) -m pytest -n $(WORKERS) --dist worksteal -m "not browser and not engines and not processes" --durations=15

# The pages in Chromium, where it is there.
test-browser: $(VENV)/.test
	$(RUN) -m pytest -n $(WORKERS) --dist worksteal -m browser --durations=5

# Commands are killed and resumed; fits by several processes; a server is attacked.
test-processes: $(VENV)/.test
	$(RUN) -m pytest -n $(WORKERS) --dist worksteal -m processes --durations=5

# What runs with Ray, Spark, MLflow, nginx and clients of the server, where they are there.
test-engines: $(VENV)/.test
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile -m engines --durations=5

quick: $(VENV)/.test
	$(RUN) -m pytest -n $(WORKERS) --dist worksteal -m "not slow"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: $(VENV)/.dev
	$(BIN)/lint-imports

docs: $(VENV)/.dev
	rm -rf docs/api/generated  # pages of names that are gone would be warned of
	$(RUN) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python docs/_links.py docs/_build/html
	@echo "docs/_build/html/index.html"

# The tables in README and docs are written from benchmarks/*.csv; `check` says where they differ.
tables: $(VENV)/.test
	$(BIN)/python benchmarks/tables.py

check-tables: $(VENV)/.test
	$(BIN)/python benchmarks/tables.py --check

# All of them, or some: make bench NAMES="restaurant table"
bench: $(VENV)/.bench
	$(RUN) -m benchmarks $(NAMES)
	$(BIN)/python benchmarks/tables.py

# Whether it is as quick as it was, against scikit-learn and OpenCV in one run: said, never failed.
guard: $(VENV)/.test
	$(RUN) -m benchmarks smoke

# What must not break, for longer than a test may take; all, or some: make soak NAMES="kills"
soak: $(VENV)/.test
	$(RUN) -m benchmarks.soak $(NAMES)

clean:
	rm -rf $(VENV) out dist build docs/_build docs/api/generated docs/gallery .pytest_cache .ruff_cache .hypothesis

# --- set-up: again only when pyproject.toml or constraints.txt changed ---

PYTHONS := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)

$(VENV)/.made:
	@for python in $(PYTHONS); do \
	    "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	        && rm -rf $(VENV) && "$$python" -m venv $(VENV) && touch $@ && exit 0; \
	done; \
	echo "robustae needs Python 3.11 or newer with venv (tried: $(PYTHONS));" \
	     "install it or name it: make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3" >&2; exit 1

# The build tools are pinned too: they go in first, and pip then builds without its own unpinned ones.
$(addprefix $(VENV)/.,demo test dev bench ci): $(VENV)/.%: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) install --quiet -c constraints.txt hatchling editables setuptools
	$(PIP) install --quiet -c constraints.txt --no-build-isolation -e '.[$(EXTRAS_$*)]'
	@touch $@

EXTRAS_demo := demo
EXTRAS_test := test
EXTRAS_dev := dev
EXTRAS_bench := test,benchmarks
EXTRAS_ci := ci
