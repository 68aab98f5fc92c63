# make bench              run the embedded tables with every method, report, and say where the report is
# make bench SUBSET=small90 ARCHIVE=path/to/archive    the same for another subset and source
# make report RUN=... PUBLISHED=1     the report again, with the 2014 study's own results fetched for it
# make comparison ARCHIVE=...         the whole comparison that the repository keeps: hours; goes on where it stopped
#   STUDY=path/to/results.txt         with a copy of the 2014 study's own results instead of fetching them
# make test | lint | report | setup
#   PARALLEL=             tests in one process instead of one per core, as a debugger needs it
# make coverage           the tests, and the share of the code that they run; docs: the documentation site, in site/
# make bench ACTIVE=1     in the environment that is active and has PyTorch, instead of a new one in .venv (test, lint, ... too)
PYTHON   ?= python3
VENV     ?= .venv
SUBSET   ?= embedded
PROTOCOL ?= clean
ARCHIVE  ?=
RUN      ?= $(SUBSET)-$(PROTOCOL)
ARGS     ?=
PUBLISHED ?=
STUDY    ?=
PARALLEL ?= -n logical --maxprocesses 8 --dist worksteal
# PyTorch comes first, by its version: where the index offers a CPU build of it, that is taken. constraints.txt pins the rest.
TORCH    ?= torch==2.13.0

ifdef ACTIVE
RUN_PYTHON := $(shell command -v $(PYTHON))
READY = active
READY_DEV = active-dev
else
RUN_PYTHON = $(VENV)/bin/python
READY = $(VENV)/.ready
READY_DEV = $(VENV)/.ready-dev
endif
INSTALL = $(RUN_PYTHON) -m pip install --quiet --disable-pip-version-check
PIP = $(INSTALL) -c constraints.txt
BENCH = $(RUN_PYTHON) -m bench
ENGINE = @$(RUN_PYTHON) -c "import rfm; print('engine:', rfm.engine())"

.PHONY: setup active active-dev bench report comparison variants test coverage docs lint format clean

setup: $(READY)

# What the native chain of rfm is built from: the installation builds it again when one of these changed.
NATIVE = hatch_build.py tools/build_native.py $(wildcard rfm/native/*.[ch])

$(VENV)/.ready: pyproject.toml constraints.txt $(NATIVE)
	$(PYTHON) -m venv $(VENV)
	$(PIP) "$(TORCH)"
	$(PIP) -e .
	$(RUN_PYTHON) tools/check_environment.py
	$(ENGINE)
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(PIP) -e ".[dev]"
	touch $@

# What is there already stays as it is: no constraints here, and PyTorch is the environment's own.
active:
	@$(RUN_PYTHON) -c "import torch" 2>/dev/null || { echo "ACTIVE=1: $(PYTHON) has no PyTorch: activate an environment that has it, or leave ACTIVE out" >&2; exit 2; }
	$(INSTALL) -e .
	$(RUN_PYTHON) tools/check_environment.py
	$(ENGINE)

active-dev: active
	$(INSTALL) -e ".[dev]"

bench: $(READY)
	$(BENCH) run --subset "$(SUBSET)" --protocol $(PROTOCOL) --run "results/$(RUN)" $(if $(ARCHIVE),--archive "$(ARCHIVE)") $(ARGS); \
	  status=$$?; \
	  if [ $$status -le 1 ]; then $(BENCH) report "results/$(RUN)" --out "reports/$(RUN)" || status=$$?; fi; \
	  exit $$status

report: $(READY)
	$(if $(PUBLISHED),$(BENCH) fetch --published)
	$(BENCH) report "results/$(RUN)" --out "reports/$(RUN)" $(if $(PUBLISHED),--published)

# Exit code 1: some jobs failed (a table that the archive has not), all others are stored.
COMPARE = $(BENCH) run $(if $(ARCHIVE),--archive "$(ARCHIVE)")
PARTS = clean clean-cv nominal paper
SEVEN = rfm,laplace,ntk,mlp,xgboost,random_forest,svm_rbf
ELEVEN = $(SEVEN),extra_trees,logistic_regression,rfm_l1,rfm_pool
KEPT = $(PARTS:%=results/comparison-%)
# The stores of these runs as far as they have come, for a machine that has none of them.
STORES = results/kept/comparison/stores.tar.xz

comparison: $(READY)
	[ -e results/comparison-clean-cv ] || [ ! -e $(STORES) ] || tar -xJf $(STORES) -C results
	$(COMPARE) --subset small90 --protocol clean-cv --ensemble none,greedy --methods $(ELEVEN) \
	  --run results/comparison-clean-cv || [ $$? -eq 1 ]
	$(COMPARE) --subset small90-nominal --protocol clean-cv --ensemble none,greedy --inputs nominal --methods $(ELEVEN) \
	  --run results/comparison-nominal || [ $$? -eq 1 ]
	$(COMPARE) --subset all121 --protocol published,relearn --methods $(SEVEN) --run results/comparison-paper || [ $$? -eq 1 ]
	$(COMPARE) --subset all121 --protocol clean --ensemble none,greedy --run results/comparison-clean || [ $$? -eq 1 ]
	$(COMPARE) --subset small90 --protocol clean-cv --ensemble none,greedy --methods $(ELEVEN) --seeds 0,1,2 \
	  --run results/comparison-clean-cv || [ $$? -eq 1 ]
	mkdir -p results/kept/comparison
	$(BENCH) export $(KEPT) --format csv.gz --out results/kept/comparison
	$(if $(ARCHIVE),$(RUN_PYTHON) tools/kept_scores.py --archive results/kept/comparison --copy "$(ARCHIVE)")
	$(if $(STUDY),,$(BENCH) fetch --published)
	$(BENCH) report $(KEPT) --out reports/kept/comparison --published $(STUDY)
	$(RUN_PYTHON) tools/readme_table.py --published $(STUDY)

# The methods at their best (docs/variants.md), on the small datasets of at most 1,000 rows; LightGBM too.
variants: $(READY)
	$(PIP) -e ".[lightgbm]"
	$(COMPARE) --subset "$$($(RUN_PYTHON) tools/variants_table.py --datasets)" --protocol clean-cv --ensemble none,greedy \
	  --methods $(ELEVEN),lightgbm --run results/variants || [ $$? -eq 1 ]
	$(COMPARE) --subset "$$($(RUN_PYTHON) tools/variants_table.py --datasets nominal)" --protocol clean-cv \
	  --ensemble none,greedy --inputs nominal --methods $(ELEVEN),lightgbm --run results/variants-nominal || [ $$? -eq 1 ]
	$(RUN_PYTHON) tools/variants_table.py --keep results/variants results/variants-nominal

test: $(READY_DEV)
	$(RUN_PYTHON) -m pytest $(PARALLEL) $(ARGS)

coverage: $(READY_DEV)
	$(RUN_PYTHON) -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered --cov-report=html $(ARGS)

# Without a network, and without importing the package. REPOSITORY_URL=... makes links to files outside the site.
docs: $(READY_DEV)
	NO_MKDOCS_2_WARNING=1 $(RUN_PYTHON) -m mkdocs build --strict --quiet

lint: $(READY_DEV)
	$(RUN_PYTHON) -m ruff format --check .
	$(RUN_PYTHON) -m ruff check .
	$(RUN_PYTHON) -m mypy

format: $(READY_DEV)
	$(RUN_PYTHON) -m ruff format .
	$(RUN_PYTHON) -m ruff check --fix .

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis site htmlcov .coverage*
