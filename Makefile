# The doors of the house. `make` alone explains them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
BACKEND ?= rq
TREE ?= solutions
STACK ?= local
export BACKEND TREE STACK

.PHONY: graders flake crash-sweep ablation help demo up down status logs test lint bench clean lock diagrams conformance rabbitmq secrets

help: ## this page
	@echo 'Accepted: how do you run Flask background work at scale? Build it, break it, measure it.'
	@echo
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'
	@echo
	@echo 'BACKEND=rq (the default), celery-redis or celery-rabbitmq chooses the library. STACK=compose runs the demo in containers.'
	@echo 'Nothing but Python 3.11 or newer is needed: PostgreSQL and Redis come inside wheels.'

demo: $(VENV)/.ready $(if $(filter compose,$(STACK)),.env) ## watch a report, a webhook and a payout go through the whole house
	@$(BIN)/accepted demo

up: $(VENV)/.ready ## keep the system running; prints where its client page is
	@$(BIN)/accepted up

down: $(VENV)/.ready ## stop what `make up` left running elsewhere
	@$(BIN)/accepted down

status: $(VENV)/.ready ## what is running
	@$(BIN)/accepted status

logs: $(VENV)/.ready ## the merged log of what is running
	@$(BIN)/accepted logs

test: $(VENV)/.ready-dev ## the kit's own tests, against real servers
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

conformance: $(VENV)/.ready-dev ## what every broker owes, promise by promise, on all four implementations
	@CONFORMANCE_TABLE=1 $(BIN)/python -m pytest tests/conformance -q --no-header $(ARGS)

rabbitmq: ## install RabbitMQ for BACKEND=celery-rabbitmq; says what it will do first
	@./scripts/rabbitmq

secrets: .env ## make up the secrets of docker-compose.yml, on first use
.env:
	@./deploy/secrets $@

lint: $(VENV)/.ready-dev ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

exercise-%: $(VENV)/.ready-dev ## grade your tree: exercise-1 and so on (TREE= BACKEND= SEED=)
	@$(BIN)/accepted check $* $(ARGS)

graders: $(VENV)/.ready-dev ## grade the graders: known-bads caught, variants passed (BACKEND= EX=), all backends by default
	@BACKEND=$(if $(filter file,$(origin BACKEND)),all,$(BACKEND)) $(BIN)/accepted graders $(addprefix --ex ,$(EX)) $(ARGS)

flake: $(VENV)/.ready-dev ## one grader many times, no verdict may differ (EX= N= BACKEND= ONE_CORE=1)
	@$(BIN)/accepted flake $(or $(EX),1) --times $(or $(N),20) $(if $(ONE_CORE),--one-core) $(ARGS)

bench: $(VENV)/.ready ## speed and memory, as ratios measured side by side
	@$(BIN)/accepted bench $(ARGS)

crash-sweep: $(VENV)/.ready ## kill every process at every crossing, and judge (BACKEND= QUICK=1 SEED=)
	@$(BIN)/accepted sweep $(ARGS)

ablation: $(VENV)/.ready ## switch each defence off: the sweep must find the hole (BACKEND= SEED=)
	@$(BIN)/accepted ablation $(ARGS)

diagrams: diagrams/house.svg ## render the diagrams from their text sources
%.svg: %.dot
	@command -v dot >/dev/null || { echo 'accepted: graphviz draws the diagrams and is missing. On Debian: apt-get install graphviz' >&2; exit 1; }
	@dot -Tsvg $< -o $@

clean: ## remove the environment and what runs left behind
	@rm -rf $(VENV) .accepted results build src/*.egg-info

lock: $(VENV)/.ready-dev ## write the lock files again after a change of pyproject.toml
	@./scripts/lock

# -- the environment, made on first use: uv where there is one, else venv and pip

define install
	@./scripts/environment $(VENV) $(1) $(2)
	@touch $@
endef

$(VENV)/.ready: requirements.lock pyproject.toml
	$(call install,requirements.lock)

$(VENV)/.ready-dev: requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch $(VENV)/.ready
