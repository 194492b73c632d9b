# Two commands set everything up and are safe to repeat: make demo, make test.
#
#   PYTHON=python3.12     another Python, 3.11 to 3.13
#   TORCH_INDEX=URL       an extra package index that offers CPU builds of torch
#   TEKIO_CACHE=DIR       where the models are kept (default: the user's cache folder)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
INDEX := .tekio/demo
TORCH_INDEX ?=
CONTRACT ?= 50
# Makes clients of the API's description, for a test. What it needs is there; its own bound on typer is an older one.
GENERATOR := --no-deps openapi-python-client
# Later ones want Python 3.11.5, and Debian 12 has 3.11.2.
OLDER := 'soupsieve<3'

.PHONY: help demo test lint unit contract models figures calibrate corpus lock clean

help:
	@echo "make demo     set up, fetch the models, ingest data/corpus, answer three questions"
	@echo "make test     set up, check style and types, run all tests"
	@echo "make figures  measure the README's figures on data/questions.jsonl"
	@echo "make contract sends many generated requests to every address of the API (CONTRACT=50 of each kind)"
	@echo "make corpus   render the sample corpus again;  make lock  renew constraints.txt;  make clean"

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Tekio needs Python 3.11 to 3.13 with venv: install one, or name it by PYTHON=..." >&2; exit 1; }
	@echo "== installing into $(VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(GENERATOR)
	@touch $@

models: $(STAMP)
	@echo "== models"
	$(BIN)/tekio models fetch

demo: models
	@echo "== ingesting data/corpus"
	$(BIN)/ingest ./data/corpus --index $(INDEX)
	@echo "== three questions"
	$(BIN)/python -m evaluation.demo --index $(INDEX)

lint: $(STAMP)
	@echo "== style, types and the arrows between rooms"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: models
	@echo "== tests"
	$(BIN)/python -m pytest -q

test: lint unit

contract: models
	TEKIO_CONTRACT_EXAMPLES=$(CONTRACT) $(BIN)/python -m pytest -q tests/ui/test_contract.py

figures: models
	$(BIN)/ingest ./data/corpus --index $(INDEX)
	$(BIN)/tekio evaluate --questions data/questions.jsonl --index $(INDEX)

calibrate: models
	$(BIN)/python -m evaluation.calibrate

corpus: $(STAMP)
	$(BIN)/python -m pip install --quiet reportlab
	$(BIN)/python -m pip install --quiet --no-deps matplotlib-fontja
	$(BIN)/python data/make_corpus.py
	$(BIN)/python data/make_corpus.py --check

lock:
	rm -rf .lock
	$(PYTHON) -m venv .lock
	.lock/bin/python -m pip install --quiet '.[dev,rivals]' 'torch==2.13.0' $(OLDER)
	.lock/bin/python -m pip install --quiet $(GENERATOR)
	{ sed -n '/^#/p' constraints.txt; .lock/bin/python -m pip freeze --exclude tekio | sed 's/+cpu$$//'; } > constraints.new
	mv constraints.new constraints.txt
	rm -rf .lock

clean:
	rm -rf $(VENV) .tekio .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
