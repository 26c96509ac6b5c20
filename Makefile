# What a contributor types. The tools are those of `pip install -e ".[dev]"`, found on the PATH.

PYTHON ?= python
C_FILES = $(wildcard src/opcodetrace/*/*.[ch])

.DEFAULT_GOAL := help
.PHONY: help build test library faults lint format docs gold bench

help: ## these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the C extension anew, in place
	$(PYTHON) setup.py --quiet build_ext --inplace

test: ## the suite; TESTS="tests/probe -x" for a part of it
	$(PYTHON) -m pytest $(TESTS)

library: ## what CPython's own library and its tests say of the weaver: minutes, and no part of `make test`
	$(PYTHON) -m pytest -m library tests/fidelity

faults: ## reliability trials, drawn at random; FAULTS="--trials 500 --seed 7" for others
	$(PYTHON) -m tests.faults $(FAULTS)

lint: ## what CI checks without running anything: style, types, imports, the generated parts of README.md
	ruff check
	ruff format --check
	clang-format --dry-run -Werror $(C_FILES)
	mypy
	lint-imports
	cog --check README.md

format: ## Python and C as they should look
	ruff check --fix
	ruff format
	clang-format -i $(C_FILES)

docs: ## the generated parts of README.md anew
	cog -r README.md

gold: ## the expected reports in tests/gold anew; look at the difference
	$(PYTHON) -m pytest -q tests/report --rewrite-gold

bench: ## what a recording costs, beside what else a user could run
	$(PYTHON) -m benchmarks
