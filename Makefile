# `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
IMAGE ?= demo/pictures/coffee.jpg
OUT ?= demo-output
T ?= tests

.DEFAULT_GOAL := help
.PHONY: help setup run doctor demo test mutants check-infra check-image fuzz fuzz-api chaos check fmt lock golden quality migrate migration

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-11s %s\n", $$1, $$2}'

setup: .venv/.installed ## make the virtual environment and install what is pinned

.venv/.installed: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-dev.txt
	touch $@

demo: setup ## one picture in seven palettes, for real; IMAGE=… PALETTES=file.json OUT=folder
	$(BIN)/python -m demo show "$(IMAGE)" --out "$(OUT)" $(if $(PALETTES),--palettes "$(PALETTES)")

run: setup ## keep dispatcher, worker and local queue running, and print what to curl; PROD=1: as in the cloud
	$(BIN)/python -m demo serve $(if $(PROD),--prod)

doctor: setup ## examine what `make run` keeps running: what is wrong, and the fix; PROD=1 as there
	$(BIN)/python -m demo doctor $(if $(PROD),--prod)

test: setup ## the whole suite; T=path for a part
	$(BIN)/python -m pytest $(T)

mutants: setup ## break a copy of the project in known ways, and see that the tests notice; ONLY=name
	$(BIN)/python -m mutants $(if $(ONLY),--only "$(ONLY)")

fuzz: setup ## decode damaged files for SECONDS=60, from SEED=… or a new one; CASE=… again
	$(BIN)/python -m tests.palette_worker.rendering.fuzz $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(CASE),--case $(CASE)) 2>/dev/null

fuzz-api: setup ## call the API as its document says, and as it does not, for SECONDS=60, from SEED=…
	$(BIN)/python -m tests.api.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

chaos: setup ## kill, freeze and cut everything for MINUTES=1, from SEED=…; prove that nothing got lost
	$(BIN)/python -m chaos $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) \
		$(if $(REPORT),--out "$(REPORT)")

check: setup ## what CI runs besides the tests: ruff, mypy, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-infra: setup .venv/infra/.installed ## judge infra/ and delivery: terraform, who may do what, linters; T=… for a part
	CHECK_INFRA=1 $(BIN)/python -m pytest $(if $(filter tests,$(T)),tests/infra,$(T))

check-image: ## build and run both images, by Docker or by the script at IMAGECHECK; TARGET=worker for one
	for target in $(or $(TARGET),dispatcher worker); do infra/check_image.sh $$target || exit 1; done

# a place of its own: checkov pins versions that are not ours
.venv/infra/.installed: .venv/.installed infra/requirements.txt
	$(PYTHON) -m venv .venv/infra
	.venv/infra/bin/pip install --quiet --disable-pip-version-check --require-hashes -r infra/requirements.txt
	touch $@

fmt: setup ## format and mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

lock: setup ## compile requirements*.in to pinned, hashed requirements*.txt
	$(UV_COMPILE) requirements.in -o requirements.txt
	$(UV_COMPILE) requirements-dev.in -o requirements-dev.txt
	$(UV_COMPILE) dispatcher/requirements.in -o dispatcher/requirements.txt
	$(UV_COMPILE) palette_worker/requirements.in -o palette_worker/requirements.txt
	$(UV_COMPILE) benchmarks/requirements.in -o benchmarks/requirements.txt
	$(UV_COMPILE) infra/requirements.in -o infra/requirements.txt

golden: setup ## draw what a raised ENGINE_VERSION renders, for the tests to hold it to
	$(BIN)/python -m tests.palette_worker.rendering.golden

quality: .venv/benchmarks/.installed ## renditions measured beside rivals; SHEETS=folder to see them
	.venv/benchmarks/bin/python -m benchmarks.quality $(if $(SHEETS),--sheets "$(SHEETS)")

# a place of its own: what rivals bring along stays out of what is tested and shipped
.venv/benchmarks/.installed: .venv/.installed benchmarks/requirements.txt
	$(PYTHON) -m venv .venv/benchmarks
	.venv/benchmarks/bin/pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements.txt -r requirements-dev.txt -r benchmarks/requirements.txt
	touch $@

migrate: setup ## bring the ledger at DATABASE_URL to the newest revision
	$(BIN)/alembic upgrade head

migration: setup ## a new revision from the tables: M="what changes"
	$(BIN)/alembic revision --autogenerate -m "$(M)"
