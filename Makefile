# Needs make, Python >= 3.11 and a package index; everything else is installed into .venv, by what uv.lock says.
# `make run PYTHON=/opt/python/bin/python3` names another Python.

unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

INSTALL := PYTHON="$(PYTHON)" .ci/bootstrap
BIN := .venv/bin
WITH_SERVERS := $(BIN)/python -m authapi.dev
args ?=
PROOFS := tests/model tests/faults tests/hostile tests/awaits tests/upgrade tests/cluster tests/races \
	tests/api/test_mass_assignment.py tests/contract/test_schemathesis.py
export m ?=

##@ Start here

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: ## the whole service on 127.0.0.1:8000, with Postgres and Valkey of its own (AUTHAPI_HOST, AUTHAPI_PORT)
	@$(INSTALL) run && exec $(BIN)/python -m authapi dev

.PHONY: seed
seed: ## people to develop with, beside `make run` or before it (args="--people 50"); gone again with args="--clean"
	@$(INSTALL) run && exec $(WITH_SERVERS) authapi seed $(args)

.PHONY: doctor
doctor: ## what this machine has and what is missing
	@$(INSTALL) run && exec $(WITH_SERVERS) authapi doctor

##@ Before you land something

.PHONY: check
check: install ## everything that must be green: format, lint, types, tests, contract, OpenAPI
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/openapi-spec-validator openapi/authapi.json
	$(BIN)/pytest -n auto $(args)

.PHONY: test
test: install ## the whole test suite; some of it by args="tests/api -k refresh"
	$(BIN)/pytest -n auto $(args)

.PHONY: format
format: install ## format the code, and repair what lint can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: lint
lint: install ## ruff, with its security rules
	$(BIN)/ruff check .

.PHONY: types
types: install ## mypy --strict
	$(BIN)/mypy

##@ Proof

.PHONY: prove
prove: install ## what holds under faults, races and hostile input, in full: into reports/proof.html (args="tests/model")
	$(BIN)/pytest -n 2 --dist loadgroup --prove $(or $(args),$(PROOFS))

.PHONY: soak
soak: install ## 200 virtual users, a fault at random every 20 seconds, 20 minutes (args="--minutes 3")
	@$(BIN)/python -m tests.faults.soak $(or $(args),--minutes 20)

.PHONY: cluster
cluster: install ## the service on several hosts of this machine, until Ctrl-C (args="--redis cluster"); says what it needs
	@$(BIN)/python -m tests.cluster $(args)

##@ When the API or the database changes

.PHONY: openapi
openapi: install ## write openapi/ anew from the code
	@$(BIN)/python -c 'from pathlib import Path; from authapi import reference; reference.write(Path("openapi"))'

.PHONY: migrate
migrate: install ## bring the database of `make run` (or AUTHAPI_DATABASE_URL) to the newest revision
	@$(WITH_SERVERS) authapi migrate up

.PHONY: revision
revision: install ## write a migration for what the models have changed: m="add passkeys"
	@test -n "$$m" || { echo 'A revision is named by its deed, as in `make revision m="add passkeys"`.' >&2; exit 1; }
	@$(WITH_SERVERS) sh -c 'alembic upgrade head && exec alembic revision --autogenerate -m "$$m"'

##@ Speed

.PHONY: bench
bench: install ## how fast it is, beside its peers: half an hour, into benchmarks/, or into .bench/ (args="--only refresh --rounds 3")
	@$(BIN)/python -m benchmarks $(args)

.PHONY: bench-quick
bench-quick: install ## ours beside bare FastAPI in under three minutes (args="--against HEAD": and beside a revision)
	@$(BIN)/python -m benchmarks --quick $(args)

##@ Upkeep

.PHONY: install
install: ## install what uv.lock names, and the tools, into .venv; all other targets do that by themselves
	@$(INSTALL) dev

.PHONY: clean
clean: ## remove what can be made again; .authapi (your data) stays
	rm -rf .venv dist reports .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests migrations -name __pycache__ -type d -prune -exec rm -rf {} +

