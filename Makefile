# Sets itself up: nothing but Python >= 3.12 needs to be on the machine.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= demo
STUDY ?= $(DEMO)/study
SIZES ?= 20000 100000 270000

.PHONY: help setup demo test check format calibrate bench mutants clean

help:  ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## make .venv and install the pinned versions

$(READY): requirements.lock pyproject.toml
	@python=$$(scripts/find_python) || exit 1; \
	echo "setting up $(VENV) with $$($$python --version)"; \
	$$python -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(READY)  ## simulate a small cohort and run the whole study on it
	@rm -rf $(DEMO)
	@$(BIN)/hiaim-sc simulate --settings configs/demo.yaml --out $(STUDY) --truth $(DEMO)/truth
	@$(BIN)/hiaim-sc validate $(STUDY)
	@$(BIN)/hiaim-sc run $(STUDY)

test: $(READY)  ## run the tests
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder

check: $(READY)  ## lint, format, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)  ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

calibrate: $(READY)  ## level, coverage and power, test by test and end to end; writes docs/calibration.md
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m benchmarks.calibrate

bench: $(READY)  ## speed beside plain scripts
	@$(BIN)/python -m benchmarks.resampling
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=2 $(BIN)/python -m benchmarks.receptors
	@$(BIN)/python -m benchmarks.dna_barcodes
	@$(BIN)/python -m benchmarks.doublets
	@$(BIN)/python -m benchmarks.cells $(SIZES)
	@$(BIN)/python -m benchmarks.orchestration

mutants: $(READY)  ## break each formula in turn and see that a test notices
	@$(BIN)/python -m benchmarks.mutants

clean:  ## remove what the demo made
	@rm -rf $(DEMO)
