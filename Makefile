# The doors of the house. `make` alone explains them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
BACKEND ?= rq
TREE ?= solutions
STACK ?= local
export BACKEND TREE STACK
# Where a machine forbids bytecode, each of a stack's processes would compile your tree anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: compare demand cohort new-exercise lint-exercises start watch restore score doctor graders flake crash-sweep ablation help demo up down status logs test test-graders lint bench clean lock diagrams conformance rabbitmq secrets

help: # this page
	@echo 'Accepted: how do you run Flask background work at scale? Build it, break it, measure it.'
	@awk -F ':.*## ' '/^## / {printf "\n%s\n", substr($$0, 4)} /^[a-z%-]+:.*## / {sub("%", "N", $$1); printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'BACKEND=rq (the default), celery-redis or celery-rabbitmq chooses the library. STACK=compose runs the demo in containers.'
	@echo 'Nothing but Python 3.11 or 3.12 is needed: PostgreSQL and Redis come inside wheels. (3.13: gcc too; 3.14: a redis-server.)'

## Practise: briefs in exercises/*/README.md, your files in work/

start: $(VENV)/.ready ## begin: makes your tree, work/ (BACKEND=rq N=1: at an exercise further up)
	@$(ASKED) $(BIN)/accepted start $(addprefix --at ,$(N)) $(ARGS)

exercise-%: $(VENV)/.ready ## grade your tree (BACKEND= SEED= TREE=solutions: another tree)
	@$(ASKED) $(BIN)/accepted check $* $(ARGS)

watch: $(VENV)/.ready ## grade it on every save (N=: another than the next one)
	@$(ASKED) $(BIN)/accepted watch $(N) $(ARGS)

hint-%: $(VENV)/.ready ## the next of three hints
	@$(BIN)/accepted hint $* $(ARGS)

diff-%: $(VENV)/.ready ## what the reference does otherwise (BACKEND=)
	@$(ASKED) $(BIN)/accepted diff $* $(ARGS)

catch-up-%: $(VENV)/.ready ## the reference's modules for all below N; yours go into a stash
	@$(BIN)/accepted catch-up $* $(ARGS)

reset-%: $(VENV)/.ready ## its modules as they were at first; yours go into a stash
	@$(BIN)/accepted reset $* $(ARGS)

restore: $(VENV)/.ready ## your files back from the newest stash (STASH=: another)
	@$(BIN)/accepted restore $(STASH) $(ARGS)

score: $(VENV)/.ready ## what passes, points, what was shown
	@$(BIN)/accepted score $(ARGS)

doctor: $(VENV)/.ready ## what is missing on this machine, and the command that cures it
	@$(ASKED) $(BIN)/accepted doctor $(ARGS)

# What was not asked for is not said: the tree then is the learner's, and the backend the one that it was started with.
ASKED = env $(if $(filter file,$(origin BACKEND)),-u BACKEND) $(if $(filter file,$(origin TREE)),-u TREE)

# By name as well, for a shell that completes them; the patterns above have their recipes.
EXERCISES := 1 2 3 4 5 6 7 8 9 11
$(foreach verb,exercise hint diff catch-up reset,$(addprefix $(verb)-,$(EXERCISES))): FORCE
FORCE:

## Teach: docs/authoring.md

cohort: $(VENV)/.ready ## where a room sticks, as CSV and a page (DIR= holds a folder with results/ for each learner)
	@$(if $(DIR),,$(error DIR= is missing: make cohort DIR=room))$(BIN)/accepted cohort "$$DIR" --csv "$$DIR/cohort.csv" --html "$$DIR/cohort.html" $(ARGS)

new-exercise: $(VENV)/.ready ## lay the skeleton of an exercise of your own (NAME=rate-limits)
	@$(BIN)/accepted new-exercise $(if $(NAME),'$(NAME)',$(error NAME= is missing: make new-exercise NAME=rate-limits)) $(ARGS)

lint-exercises: $(VENV)/.ready ## what exercises still lack to be well-formed (N=: only that one)
	@$(BIN)/accepted lint-exercises $(N) $(ARGS)

## Watch it run

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

## Test and measure

test: $(VENV)/.ready-dev ## the kit's own tests, against real servers
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

test-graders: $(VENV)/.ready-dev ## those of them that are whole gradings, an hour and more (EX="4 9": of these exercises alone)
	@$(BIN)/python -m pytest -m graders -n auto --dist worksteal $(addprefix --ex ,$(EX)) $(ARGS)

conformance: $(VENV)/.ready-dev ## what every broker owes, promise by promise, on all four implementations
	@CONFORMANCE_TABLE=1 $(BIN)/python -m pytest tests/conformance -q --no-header $(ARGS)

lint: $(VENV)/.ready-dev ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@# Of a notebook only what it calls: that is what goes stale, and pandas' own types are another matter.
	@$(BIN)/mypy --follow-imports=silent --allow-untyped-calls --allow-untyped-defs --disable-error-code=arg-type \
	  --disable-error-code=assignment --disable-error-code=misc notebooks/*.py

graders: $(VENV)/.ready ## grade the graders: known-bads caught, variants passed (BACKEND= EX=), all backends by default
	@BACKEND=$(if $(filter file,$(origin BACKEND)),all,$(BACKEND)) $(BIN)/accepted graders $(addprefix --ex ,$(EX)) $(ARGS)

flake: $(VENV)/.ready ## one grader many times, no verdict may differ (EX= N= BACKEND= ONE_CORE=1)
	@$(BIN)/accepted flake $(or $(EX),1) --times $(or $(N),20) $(if $(ONE_CORE),--one-core) $(ARGS)

bench: $(VENV)/.ready ## speed and memory, as ratios measured side by side
	@$(BIN)/accepted bench $(ARGS)

# Each by its own name, so that the shell completes it.
LOADS := load-steady load-burst load-burst-scaled load-worker-kill load-broker-restart load-broker-wipe load-partner-outage load-poison load-noisy-neighbour load-deploy load-year-end load-soak load-ramp load-trace load-freeze-worker load-cut-network load-compare load-demand
.PHONY: load load-check $(LOADS)
load: $(VENV)/.ready-dev ## list the load scenarios; `make load-burst` and so on run one (BACKEND= TREE= SEED=)
	@$(BIN)/accepted load list
$(LOADS): load-%: $(VENV)/.ready-dev
	@$(BIN)/accepted load $* $(addprefix --seed ,$(SEED)) $(ARGS)

load-check: $(VENV)/.ready-dev ## the load generator itself: does it keep its schedule, does it measure what is on paper
	@$(BIN)/accepted bench pacer judge $(ARGS)

compare: $(VENV)/.ready-dev ## which system is better, on this machine (SYSTEMS="rq celery-redis" ROUNDS= SCENARIO=)
	@$(BIN)/accepted compare $(or $(SYSTEMS),rq celery-redis celery-rabbitmq) $(addprefix --rounds ,$(ROUNDS)) $(addprefix --scenario ,$(SCENARIO)) $(ARGS)

demand: $(VENV)/.ready-dev ## the least workers that hold the SLO at each load, and their cost (BACKEND= RATES=4,8 PRICES=)
	@$(BIN)/accepted demand $(addprefix --loads ,$(RATES)) $(addprefix --prices ,$(PRICES)) $(ARGS)

.PHONY: before-after notebooks lab
before-after: $(VENV)/.ready-notebooks ## the README's chart: the same burst on every rung of the ladder (BACKEND= ARGS=--resume)
	@$(BIN)/accepted before-after $(ARGS)

notebooks: $(VENV)/.ready-notebooks ## run the nine notebooks on the newest runs, write pages and pictures (ONLY=4, ARGS=--shipped)
	@$(BIN)/accepted notebooks $(ONLY) $(ARGS)

lab: $(VENV)/.ready-notebooks ## open them in Jupyter
	@mkdir -p $(VENV)/etc/jupyter/labconfig && cp notebooks/lab.json $(VENV)/etc/jupyter/labconfig/default_setting_overrides.json
	@$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks $(ARGS)

crash-sweep: $(VENV)/.ready ## kill every process at every crossing, and judge (BACKEND= QUICK=1 SEED=)
	@$(BIN)/accepted sweep $(ARGS)

ablation: $(VENV)/.ready ## switch each defence off: the sweep must find the hole (BACKEND= SEED=)
	@$(BIN)/accepted ablation $(ARGS)

## Keep house

rabbitmq: ## install RabbitMQ for BACKEND=celery-rabbitmq; says what it will do first
	@./scripts/rabbitmq

secrets: .env ## make up the secrets of docker-compose.yml, on first use
.env:
	@./deploy/secrets $@

diagrams: diagrams/house.svg ## render the diagrams from their text sources
%.svg: %.dot
	@command -v dot >/dev/null || { echo 'accepted: graphviz draws the diagrams and is missing. On Debian: apt-get install graphviz' >&2; exit 1; }
	@dot -Tsvg $< -o $@

clean: ## remove the environment and what runs left behind; your tree and its stashes stay
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

$(VENV)/.ready-notebooks: requirements-notebooks.lock pyproject.toml
	$(call install,requirements-notebooks.lock)
	@touch $(VENV)/.ready
