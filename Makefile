# `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
IMAGE ?= demo/pictures/coffee.jpg
OUT ?= demo-output
T ?= tests

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check fmt lock migrate migration

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

setup: .venv/.installed ## make the virtual environment and install what is pinned

.venv/.installed: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-dev.txt
	touch $@

demo: setup ## one picture in seven palettes, for real; IMAGE=… PALETTES=file.json OUT=folder
	$(BIN)/python -m demo show "$(IMAGE)" --out "$(OUT)" $(if $(PALETTES),--palettes "$(PALETTES)")

run: setup ## keep dispatcher, worker and local queue running, and print what to curl
	$(BIN)/python -m demo serve

test: setup ## the whole suite; T=path for a part
	$(BIN)/python -m pytest $(T)

check: setup ## what CI runs besides the tests: ruff, mypy, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup ## format and mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

lock: setup ## compile requirements*.in to pinned, hashed requirements*.txt
	$(UV_COMPILE) requirements.in -o requirements.txt
	$(UV_COMPILE) requirements-dev.in -o requirements-dev.txt

migrate: setup ## bring the ledger at DATABASE_URL to the newest revision
	$(BIN)/alembic upgrade head

migration: setup ## a new revision from the tables: M="what changes"
	$(BIN)/alembic revision --autogenerate -m "$(M)"
