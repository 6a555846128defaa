# Every target sets up what it needs; `make help` lists them.
PORT ?= 8000
HOST ?= 127.0.0.1
PYTHON ?= python3
ARGS ?=
# Example: `make setup TORCH=cpu` takes the small CPU build of PyTorch from its own package index.
TORCH ?=

.DEFAULT_GOAL := help
.PHONY: help setup run train test lint format check image clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.stamp  ## create .venv with all that running, training and testing need

.venv/.stamp: pyproject.toml tasks/setup.sh
	PYTHON=$(PYTHON) TORCH=$(TORCH) tasks/setup.sh
	@touch $@

run: .venv/.stamp  ## serve the API and the web page on PORT (8000) with the bundled model
	.venv/bin/im2latex serve --host $(HOST) --port $(PORT) $(ARGS)

train: .venv/.stamp  ## train on the small data set in the repository; ARGS="--model.d_model=128 ..."
	.venv/bin/python training/run_experiment.py $(ARGS)

test: .venv/.stamp  ## run every test; ARGS="-k name" chooses
	@tasks/unit_test.sh $(ARGS)

lint: .venv/.stamp  ## ruff, mypy, import-linter
	@tasks/lint.sh

format: .venv/.stamp  ## let ruff sort imports and mend what it can
	.venv/bin/ruff check --fix .

check: lint test  ## all that must be silent before a change is handed in

image: .venv/.stamp  ## build the container image and test it with a real engine
	IMAGE=im2latex tasks/docker_test.sh $(ARGS)

clean:  ## remove the environment and all caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
