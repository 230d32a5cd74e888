# One vocabulary for people and CI. Every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.ready

.PHONY: run test soak quick style lint docs bench clean

run: $(SETUP)  ## the sample use case, from sources to a release, demo identities deciding
	@$(BIN)/hallmark init
	@$(BIN)/hallmark run --as ml-engineer --demo-approvals
	@echo "its server goes on: $(BIN)/hallmark up shows all pages, $(BIN)/hallmark down stops what is up"

# Three at once, also on two cores: most of the time is spent waiting for a server or another process. Slow files first
# (tests/conftest.py).
test: style  ## every test but those of `make soak`; one of them checks types
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

# Under two minutes on two cores. Types are checked where `make lint` has left its cache: without one they alone take two.
quick: $(SETUP)  ## style, imports, types, and every test but those of tests/slow_files.py
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports >/dev/null || $(BIN)/lint-imports
	@[ ! -d .mypy_cache ] || $(BIN)/mypy
	@$(BIN)/pytest --quick --quiet -n 2 --dist loadfile --no-loadscope-reorder

style: $(SETUP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

lint: style
	@$(BIN)/mypy

docs: $(SETUP)  ## the documentation as a site, readable without a server or a network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "open site/index.html"

# ROOMS="supervise runs" names the folders of tests/ to run; without it all of them run.
soak: $(SETUP)  ## repetitions that `make test` leaves out: every kill, every case of a grid
	@$(BIN)/pytest --soak only -n 2 $(or $(ROOMS:%=tests/%),tests) || [ $$? = 5 ]  # 5: none of the rooms has any

# A script exits with 3 where what it measures with is not at hand: the package index, or contexts of coverage.
bench: $(SETUP)  ## claims of speed, memory and quality; results in benchmarks/results
	@for script in benchmarks/*.py; do $(BIN)/python $$script || [ $$? = 3 ] || exit; done

clean:  ## everything a run made here, and the environment; releases and ledger too
	@-[ -x $(BIN)/hallmark ] && $(BIN)/hallmark down
	rm -rf $(VENV) .hallmark artefacts measured inputs gates evidence dvc.lock build site *.egg-info

# The constraints file pins everything but torch: plain pip then takes the CPU build where one is at hand and the
# usual CUDA build elsewhere. With all versions known, three pips at once fetch and unpack the packages, and none has to
# resolve anything. The last pip adds what is still missing (of CUDA, or for another Python) and checks the rest. Python
# then compiles the packages on all cores, since a stage in its sandbox may not leave what it compiles. Together 37
# seconds and 35 more on two cores, against 87 where pip compiles.
$(SETUP): pyproject.toml setup.py constraints.txt
	@echo "setting up $(VENV) (some minutes where package files must be downloaded)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v in ((3, 11), (3, 12)) else f"Hallmark needs Python 3.11 or 3.12, this is {v[0]}.{v[1]}: say make PYTHON=python3.11")'
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@grep -ohE '^[^ "]+==.+|torch>[^"]+' pyproject.toml constraints.txt \
		| xargs -P 3 -n 40 $(BIN)/python -m pip install --quiet --no-deps --no-compile
	@$(BIN)/python -m pip install --quiet --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m compileall -q -j 0 -x '/tests?/' $(VENV)/lib >/dev/null || true  # a few are no valid Python
	@touch $@
