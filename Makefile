# `make` says what there is; `make demo` is the place to begin.
# Needs Python 3.11 or later and make, nothing else. Another Python: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test lint unit kafka chaos moa testcontainers image up down clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## The whole main job on real data: no Kafka, Docker or Java needed
	@$(BIN)/driftline demo

test: $(VENV)/.dev $(VENV)/.system lint ## Everything: lint, then every lane, with coverage
	$(PYTEST) --cov --cov-report=term:skip-covered

lint: $(VENV)/.dev ## ruff, mypy --strict and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.dev ## Tests that need nothing but Python (the embedded broker included)
	$(PYTEST) -m "not kafka and not chaos and not testcontainers and not browser and not moa"

kafka: $(VENV)/.dev $(VENV)/.system ## Tests on a real Apache Kafka, started from Maven's jars
	$(PYTEST) -m "kafka and not chaos"

chaos: $(VENV)/.dev $(VENV)/.system ## Workers and brokers killed and frozen on a real Kafka
	$(PYTEST) -m chaos

moa: $(VENV)/.dev $(VENV)/.system ## What is recorded of MOA, held against MOA (62 MB from PyPI)
	$(PYTEST) -m moa

testcontainers: $(VENV)/.dev $(VENV)/.system ## Tests of the images; needs a Docker daemon
	$(PYTEST) -m testcontainers

image: ## Build the image driftline:latest
	docker build --tag driftline:latest .

up: ## Kafka, two workers, retraining, Prometheus and Grafana on this machine
	docker compose up --build --detach --wait

down: ## Stop what `make up` started; data stays
	docker compose down

clean: ## Remove what make made
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis htmlcov .coverage*

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON): Python 3.11 or later is needed: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON): its venv module is missing: on Debian, apt install python3-venv" >&2; exit 2; }

$(VENV)/.runtime: pyproject.toml | $(BIN)/python
	@echo "Installing Driftline into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing Driftline and its development tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.runtime

# Java and Maven for a real Kafka and for MOA, Chromium for the page: checked once.
$(VENV)/.system: .ci/system | $(BIN)/python
	@bash .ci/system
	@touch $@
