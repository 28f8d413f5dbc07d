# `make repro` builds everything, from an empty clone to scored translations. `make help` lists the targets.

VENV := .venv
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
GROUPS := ingest|tokenize|vocab|embed|train_encoder|encode|train_decoder|translate|evaluate|compute
SCORES := beam[.](bleu|chrf)$$|reports/evaluate/metrics.json:perplexity$$
PLOT_PAGE := .dvc/plots_page_offline.html

# Whatever environment the shell has active, only ours counts.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DVC_NO_ANALYTICS := 1
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help setup dev repro experiments verify publish reproduce test attack lint deps docs wheel

help:
	@echo "make setup   create $(VENV) and install the pinned packages that the pipeline needs"
	@echo "make dev     the same, and what the tests need: more than a gigabyte of other tokenizers, models and servers"
	@echo "make repro   run every stage that is out of date, then write report.html and print the scores"
	@echo "make experiments  all experiments: the parameters that differ, and the scores"
	@echo "make verify  run everything again in a clone and compare every output with dvc.lock; RECIPE="multi30k joint" for recipes"
	@echo "make publish TAG=v1.0  verify, push artifacts and run cache to the DVC remote, tag; VERIFY=no leaves the proof out"
	@echo "make reproduce  in a clone of a published result: fetch its artifacts, and show that nothing is left to compute"
	@echo "make test    lint, type checks and the test suite"
	@echo "make attack  make every hostile input of tests/attacks/ and count what came of it"
	@echo "make lint    lint and type checks alone"
	@echo "make wheel   build the package into dist/; the same commit gives the same bytes"
	@echo "make docs    build the site of the documents into site/: it needs no network, and a dead link is an error"
	@echo "make deps    after a change of parameter classes: update recipes/default.yaml"

setup: $(STAMP) $(PLOT_PAGE)

dev: $(DEV_STAMP) $(PLOT_PAGE)

# The first Python of at least 3.11 makes the environment; PYTHON=... chooses another one.
$(STAMP): pyproject.toml constraints.txt
	@for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			if [ ! -x $(VENV)/bin/python ]; then \
				echo "creating $(VENV) with $$candidate"; "$$candidate" -m venv $(VENV) || exit 1; \
			fi; exit 0; \
		fi; \
	done; \
	echo "error: Python 3.11 or newer is needed, found $$($(firstword $(or $(PYTHON),python3)) --version 2>&1); install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[pipeline,export]'
	@touch $@

# Apart from the rest, so that whoever runs the pipeline need not wait for what only tests use.
$(DEV_STAMP): $(STAMP)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[pipeline,export,dev]'
	@touch $@

$(PLOT_PAGE): .dvc/plots_page.html tools/plot_page.py | $(STAMP)
	@python -m tools.plot_page >/dev/null

# The check comes before DVC as well: DVC itself reads params.yaml, and reports a mistake in its YAML in many lines.
repro: setup
	@stageformer check
	dvc repro
	@stageformer report
	stageformer summary

# Every parameter and every figure of every stage is a column of DVC's table: here, what differs, and the scores.
experiments: setup
	@dvc exp show --no-pager --only-changed --keep '$(SCORES)' --drop '^(?!($(GROUPS))[.]|$(SCORES)).*'

verify: setup
	python -m tools.verify $(if $(RECIPE),--recipe '$(RECIPE)')

publish: setup
	@python -m tools.publish $(if $(TAG),'$(TAG)') $(if $(filter no,$(VERIFY)),--no-verify)

reproduce: setup
	@python -m tools.reproduce

# A worker per core, two at most: the tests are many small processes, and each worker loads torch once.
test: lint
	python -m pytest -n $(or $(WORKERS),2) --dist worksteal

attack: dev
	OMP_NUM_THREADS=1 python -m tests.attacks $(ATTACKS)
	$(if $(ATTACKS),,FUZZ=50 python -m pytest -q tests/attacks/test_fuzz_artifacts.py tests/attacks/test_fuzz_inputs.py)

lint: dev
	ruff check .
	mypy

deps: setup
	python -m tools.parameters

docs: setup
	@python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	@echo "site/index.html"

wheel: dev
	rm -rf build
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
