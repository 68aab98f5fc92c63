# make bench              run the embedded tables with every method, report, and say where the report is
# make bench SUBSET=small90 ARCHIVE=path/to/archive    the same for another subset and source
# make report RUN=... PUBLISHED=1     the report again, with the 2014 study's own results fetched for it
# make test | lint | report | setup
PYTHON   ?= python3
VENV     ?= .venv
SUBSET   ?= embedded
PROTOCOL ?= clean
ARCHIVE  ?=
RUN      ?= $(SUBSET)-$(PROTOCOL)
ARGS     ?=
PUBLISHED ?=
# PyTorch comes first, by its version: where the index offers a CPU build of it, that is taken. constraints.txt pins the rest.
TORCH    ?= torch==2.13.0

PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
BENCH = $(VENV)/bin/python -m bench

.PHONY: setup bench report test lint format clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) "$(TORCH)"
	$(PIP) -e .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(PIP) -e ".[dev]"
	touch $@

bench: $(VENV)/.ready
	$(BENCH) run --subset "$(SUBSET)" --protocol $(PROTOCOL) --run "results/$(RUN)" $(if $(ARCHIVE),--archive "$(ARCHIVE)") $(ARGS); \
	  status=$$?; \
	  if [ $$status -le 1 ]; then $(BENCH) report "results/$(RUN)" --out "reports/$(RUN)" || status=$$?; fi; \
	  exit $$status

report: $(VENV)/.ready
	$(if $(PUBLISHED),$(BENCH) fetch --published)
	$(BENCH) report "results/$(RUN)" --out "reports/$(RUN)" $(if $(PUBLISHED),--published)

test: $(VENV)/.ready-dev
	$(VENV)/bin/python -m pytest $(ARGS)

lint: $(VENV)/.ready-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

format: $(VENV)/.ready-dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
