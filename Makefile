# Needs only python3 (3.11 or later) and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-all lint docs clean

demo: $(VENV)/cosimo.installed  ## Install, fetch the model, embed Python's documentation, ask it three questions
	$(BIN)/cosimo demo

test: $(VENV)/test.installed lint  ## The quick, light part
	$(BIN)/python -m pytest -m "not heavy"

test-all: $(VENV)/heavy.installed lint  ## Everything, with torch and the programs we are compared with
	$(BIN)/python -m pytest

lint: $(VENV)/test.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/test.installed  ## Write the help texts into docs/ again
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/created:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "cosimo needs Python 3.11 or later; run: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/cosimo.installed: pyproject.toml $(VENV)/created
	$(PIP) -e .
	@touch $@

$(VENV)/test.installed: pyproject.toml $(VENV)/created
	$(PIP) -e '.[test]'
	@touch $@ $(VENV)/cosimo.installed

$(VENV)/heavy.installed: pyproject.toml $(VENV)/created
	$(PIP) -e '.[test,heavy]'
	@touch $@ $(VENV)/test.installed $(VENV)/cosimo.installed
