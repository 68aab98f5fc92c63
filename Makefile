# make bench              run the embedded tables with every method, report, and say where the report is
# make bench SUBSET=small90 ARCHIVE=path/to/archive    the same for another subset and source
# make report RUN=... PUBLISHED=1     the report again, with the 2014 study's own results fetched for it
# make comparison ARCHIVE=...         the whole comparison that the repository keeps: hours; goes on where it stopped
#   STUDY=path/to/results.txt         with a copy of the 2014 study's own results instead of fetching them
# make test | lint | report | setup
PYTHON   ?= python3
VENV     ?= .venv
SUBSET   ?= embedded
PROTOCOL ?= clean
ARCHIVE  ?=
RUN      ?= $(SUBSET)-$(PROTOCOL)
ARGS     ?=
PUBLISHED ?=
STUDY    ?=
# PyTorch comes first, by its version: where the index offers a CPU build of it, that is taken. constraints.txt pins the rest.
TORCH    ?= torch==2.13.0

PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
BENCH = $(VENV)/bin/python -m bench

.PHONY: setup bench report comparison test lint format clean

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

# Exit code 1: some jobs failed (a table that the archive has not), all others are stored.
COMPARE = $(BENCH) run $(if $(ARCHIVE),--archive "$(ARCHIVE)")
PARTS = clean clean-cv published relearn
KEPT = $(PARTS:%=results/comparison-%)

comparison: $(VENV)/.ready
	$(COMPARE) --subset all121 --run results/comparison-clean || [ $$? -eq 1 ]
	$(COMPARE) --subset small90 --protocol clean-cv --run results/comparison-clean-cv || [ $$? -eq 1 ]
	$(COMPARE) --subset all121 --methods rfm,laplace --protocol published --run results/comparison-published || [ $$? -eq 1 ]
	$(COMPARE) --subset all121 --methods rfm,laplace --protocol relearn --run results/comparison-relearn || [ $$? -eq 1 ]
	mkdir -p results/kept/comparison
	$(BENCH) export $(KEPT) --out results/kept/comparison
	$(if $(STUDY),,$(BENCH) fetch --published)
	$(BENCH) report $(KEPT) --out reports/kept/comparison --published $(STUDY)
	$(VENV)/bin/python tools/readme_table.py

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
