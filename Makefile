# One job each: demo, test, test-slow, test-cluster, test-browser, check, plots, bench, clean. Each
# makes its own environment first.
#
#   make demo                     the curse of multilinguality at one width, three seeds of five
#   make demo PYTHON=python3.12   with another interpreter (3.11 to 3.13)
#   make demo RUN="--workers 4 blocks=all"    options and overrides for the run

PYTHON ?= python3
VENV ?= .venv
STUDY ?= studies/curse_of_multilinguality.yaml
RUN ?= "blocks=[fixed width]" "replicates.seed=[1, 2, 3]"
PYTEST ?= -n 2 --dist loadfile

PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo plots test test-slow test-cluster test-browser check bench clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.ready
	$(VENV)/bin/python -m grid run $(STUDY) $(RUN)

plots: $(VENV)/.ready
	$(VENV)/bin/python -m plots

test: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m "not slow and not cluster and not browser" $(PYTEST)

test-slow: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m "slow and not cluster"

# Starts Slurm's daemons itself; without their packages it fails and says what to install.
test-cluster: $(VENV)/.ready-dev
	GRID_TEST_CLUSTER=1 OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m cluster -rs

# Drives Debian's Chromium; without its packages it fails and says what to install.
test-browser: $(VENV)/.ready-dev
	GRID_TEST_BROWSER=1 OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m browser -rs

check: $(VENV)/.ready-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: $(VENV)/.ready-dev
	$(VENV)/bin/python benchmarks/synthetic_speed.py
	$(VENV)/bin/python benchmarks/habits.py
	$(VENV)/bin/python benchmarks/expansion.py
	$(VENV)/bin/python benchmarks/tokenization.py
	$(VENV)/bin/python benchmarks/batches.py
	$(VENV)/bin/python benchmarks/output_layer.py

clean:
	rm -rf $(VENV) build *.egg-info

# The stamps are older than these files when the environment has to be brought up to date.
# torch comes first, for DeepSpeed's build asks which one there is.
$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (once; about a minute and 1.5 GB)"
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(PIP) --editable ".[dev]"
	touch $@
