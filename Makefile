# The front door. `make help` lists the targets; each sets up what it needs.

PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .venv/bin/uv
BIN := .venv/bin
READY := .venv/.ready
# Locust shoppers and how long they come.
USERS ?= 8
RUN_TIME ?= 1m
# Rounds of each suite.
N ?= 20
SLO ?= loadtests/slo.yaml
LOAD := .venv-load
# Which shop is meant, if not one that is started for it: `running`, `compose`, or a file of its endpoints.
AT_SHOP = $(if $(SHOP),CARTWRIGHT_ENDPOINTS=$(SHOP))
STOREFRONT := frontend/.next/standalone/server.js

# Meant for building images; here each process would compile once more all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup simulate test check audit contracts unit quick acceptance mutants conformance containers steps up down status format clean load demo frontend walk compose doors flakes

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Cartwright needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv \
	  || { echo "python3 cannot make environments here; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): $(UV) uv.lock pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml simulators/pyproject.toml)
	@echo "Setting up .venv from uv.lock …"
	@UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --quiet --frozen --inexact
	@touch $@

setup: $(READY) ## Make .venv with everything pinned

simulate: $(READY) ## Start the shop, replay real baskets, prove every checkout right
	@$(BIN)/cartwright simulate $(ARGS)

test: unit acceptance conformance ## Every test: units and stores, scenarios, what stands in for AWS

# A package is a folder with tests of its own; a service goes by its short name, as everywhere.
TESTED := $(wildcard libs/*/tests services/*/tests simulators/tests loadtests/tests)
PACKAGES := $(patsubst %-service,%,$(notdir $(TESTED:/tests=)))
UNKNOWN := $(filter-out $(PACKAGES) common,$(ONLY))
$(if $(UNKNOWN),$(error ONLY=$(UNKNOWN): there is no such package. There are $(PACKAGES)))
# `common` is what everybody calls python-common.
CHOSEN := $(foreach name,$(patsubst common,python-common,$(ONLY)), \
  $(wildcard libs/$(name)/tests services/$(name)-service/tests $(name)/tests))

# File by file, in this order: what costs much to set up is set up once, and long files come early.
# Three processes on two cores: many of these tests wait for some other process.
UNIT := -n 3 --dist loadfile --no-loadscope-reorder libs services simulators loadtests
unit: $(READY) ## Unit, store and component tests of every package; ONLY=order: of that one
	@UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --quiet --frozen --inexact --extra journey
	@$(BIN)/pytest -q $(if $(CHOSEN),-n 2 --dist loadfile $(CHOSEN),$(UNIT)) $(ARGS)

# A small package is done before a second process has imported what it needs; 25 files pay for it.
MANY = $(word 25,$(shell find $(CHOSEN) -name 'test_*.py'))
quick: $(READY) ## Those of them that need no database and no other process; ONLY=order: in seconds
	@$(BIN)/pytest -q --quick -r fE -p no:schemathesis -p no:pytest-bdd $(if $(CHOSEN),$(if $(MANY),-n 2 --dist loadfile) $(CHOSEN),$(UNIT) -n 2) $(ARGS)

acceptance: $(READY) ## The Gherkin scenarios, proven by trace; ARGS=--provider=… says on what
	@$(BIN)/pytest -q -n 2 features $(ARGS)

steps: $(READY) ## Every sentence that a scenario may say, with an example; ARGS=basket: those with that word
	@$(BIN)/python -m harness.suite.steps $(ARGS)

containers: $(READY) ## The same scenarios on PostgreSQL, Redis, LocalStack and Jaeger in containers
	@UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --quiet --frozen --inexact --group containers
	@$(BIN)/pytest -q -n 2 features --ignore features/security --provider containers $(ARGS)

mutants: $(READY) ## Plant each bug of mutants/ alone: who notices? Writes docs/mutants.md; an hour and a half
	@$(BIN)/python -m harness.suite.mutants --write $(ARGS)

# What has no engine is skipped, one reason a test: told in full only where somebody asks (-ra).
conformance: $(READY) ## One suite over the emulators and what they stand for
	@UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --quiet --frozen --inexact --group containers
	@$(BIN)/pytest -q -r fE conformance $(ARGS)

check: $(READY) contracts audit ## Format, lint, types, import and service contracts, secrets, advisories
	@UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --quiet --frozen --inexact --group containers
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m harness.suite.gherkin_lint && echo "scenarios readable"
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
	  git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --baseline .secrets.baseline \
	    && echo "no secrets"; \
	else echo "NOT SEARCHED FOR SECRETS: a download without .git commits none"; fi

contracts: $(READY) ## Whether the services' contracts keep what was promised before
	@$(BIN)/python -m harness.contracts.asyncapi --check
	@$(BIN)/python -m harness.contracts.lock && echo "contracts kept"

flakes: $(READY) ## Both suites N times on ever worse machines: which test fails, ever? 7 minutes a round
	@$(BIN)/python -m harness.suite.flakes --rounds $(N) $(ARGS)

# Exit code 1: an advisory. 2: nobody to ask, which is said, and is an error where it has to work.
audit: $(READY) ## Known advisories against everything in uv.lock (asks osv.dev)
	@$(UV) audit --quiet --frozen --preview-features audit-command $(AUDIT); code=$$?; \
	if [ $$code -eq 2 ] && [ -z "$(AUDIT_REQUIRED)" ]; then \
	  echo "NOT AUDITED: the advisory service cannot be reached from here (AUDIT_REQUIRED=1 makes this an error)"; \
	elif [ $$code -ne 0 ]; then exit $$code; else echo "no known advisories"; fi

format: $(READY) ## Format the code and mend what the linter can
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

load: $(READY) ## Real baskets by Locust, judged by loadtests/slo.yaml and the books; SHOP=compose: of that one
	@UV_PROJECT_ENVIRONMENT=$(LOAD) $(UV) sync --quiet --frozen --inexact --no-dev --group load
	@mkdir -p reports $(if $(SHOP),,&& $(BIN)/cartwright up)
	@CARTWRIGHT_ENDPOINTS=$(or $(SHOP),running) CARTWRIGHT_SLO=$(SLO) $(LOAD)/bin/locust -f loadtests/locustfile.py --headless -u $(USERS) -r 4 -t $(RUN_TIME) \
	  --only-summary --html reports/load.html $(ARGS)

# Where the machine has no Node.js, PyPI has one.
NODE = { command -v npm >/dev/null || $(UV) sync --quiet --frozen --inexact --group storefront; } \
  && cd frontend && export PATH="$$PATH:$(CURDIR)/$(BIN)"
$(STOREFRONT): $(shell find frontend \( -name node_modules -o -name .next \) -prune -o -type f \
  ! -name '*.py' ! -name '*.md' ! -name next-env.d.ts ! -name '*.tsbuildinfo' -print) | $(READY)
	@$(NODE) && npm ci --silent && npm run --silent build && touch .next/standalone/server.js

# npm writes that file last; an older one is of other packages.
frontend: $(READY) ## Lint, types and tests of the storefront's own code; what it does, `make walk` tells
	@$(NODE) && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent; } \
	  && npm run --silent lint && npm run --silent types && npm test --silent

demo: $(READY) $(STOREFRONT) ## The shop with its storefront; Ctrl-C ends the storefront, `make down` the shop
	@$(BIN)/cartwright up
	@$(BIN)/cartwright stock
	@$(BIN)/python frontend/start.py

walk: $(READY) $(if $(SHOP),,$(STOREFRONT)) ## A shopper without JavaScript buys through the storefront of a shop of its own, or of SHOP=compose
	@$(AT_SHOP) $(BIN)/pytest -q frontend $(ARGS)

# Everything twice, with the limits that simulated shoppers need; a project of its own, so that nobody's data is gone.
compose: export COMPOSE_FILE = docker-compose.yml:infra/compose-simulation.yml:infra/compose-replicas.yml
compose: export COMPOSE_PROJECT_NAME = cartwright-once
compose: $(READY) ## The shop in containers, each of ours twice: build, start, simulate, buy, leave nothing; needs Docker
	@test -e .env || cp .env.example .env
	@install -d -m 1777 reports/ledgers && docker compose up -d --build --quiet-pull >reports/compose.log 2>&1 \
	  || { tail -n 20 reports/compose.log; docker compose ps -a; docker compose down -v >/dev/null 2>&1; exit 1; }
	@$(BIN)/cartwright simulate --shop compose --baskets 50 $(ARGS) && $(MAKE) --no-print-directory walk SHOP=compose; code=$$?; \
	  docker compose down -v >>reports/compose.log 2>&1 && exit $$code

# With a home of its own, so that it never meets the shop of whoever tries it.
DOORS := $(CURDIR)/reports/doors
doors: export CARTWRIGHT_HOME = $(DOORS)
doors: $(READY) ## Walk every command that needs a shop, once; ten seconds of load, every book audited
	@mkdir -p $(DOORS)
	@$(MAKE) --no-print-directory up && $(MAKE) --no-print-directory up && $(MAKE) --no-print-directory status
	@$(BIN)/cartwright doctor && $(BIN)/cartwright stock && $(BIN)/cartwright redrive
	@$(BIN)/cartwright logs -n 1 >$(DOORS)/all.txt && $(BIN)/cartwright logs order-worker -n 1
	@$(MAKE) --no-print-directory load USERS=4 RUN_TIME=10s SLO=loadtests/smoke.yaml \
	  || { $(BIN)/cartwright down; exit 1; }
	@$(BIN)/cartwright simulate --baskets 10
	@$(BIN)/cartwright down && $(BIN)/cartwright down --wipe

up: $(READY) ## Start the shop and leave it running
	@$(BIN)/cartwright up $(ARGS)

down: $(READY) ## Stop it
	@$(BIN)/cartwright down $(ARGS)

status: $(READY) ## What runs, where, and what it costs
	@$(BIN)/cartwright status $(ARGS)

clean: ## Remove the environment, caches and reports; `make down` first
	@rm -rf .venv .venv-load .mypy_cache .ruff_cache .pytest_cache .import_linter_cache reports
