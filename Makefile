# One line for each target: `make`. The only tools needed are python3, pip, venv, make.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help figures test verify notebooks paper lint typecheck lock status results \
	bench mutation clean

# What is computed: `default` fits two CPU cores, `published` is the papers' own size.
PROFILE := default

# `make figures PYTHON=python` uses an environment of your own (conda, CUDA build)
# and leaves .venv alone; otherwise .venv is made from requirements.lock when needed.
ifeq ($(origin PYTHON),command line)
ENV :=
else
PYTHON := .venv/bin/python
ENV := .venv/complete
endif

# Dates inside PDF files come from here, never from the clock (2026-01-01).
export SOURCE_DATE_EPOCH := 1767225600
export FORCE_SOURCE_DATE := 1
# Notebook kernels start in their own folder, so the path is absolute.
export PYTHONPATH := $(CURDIR)
# Sums depend on the number of threads that share them.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-12s%s\n", $$1, $$2}' Makefile

figures: $(ENV) ## compute what is missing, then draw every figure and its caption
	@echo "figures: computing what neither a record nor a table holds ($(PROFILE))"
	$(PYTHON) -m experiments run --profile $(PROFILE)
	@echo "figures: drawing into figures/output, captions into paper/generated"
	$(PYTHON) -m figures

test: $(ENV) ## run the test suite (HYPOTHESIS_PROFILE=dev|ci|nightly)
	$(PYTHON) -m pytest -n auto

verify: $(ENV) ## check every claim and print the ledger; fails when one is broken
	$(PYTHON) -m theory

notebooks: $(ENV) ## execute the notebooks, then compare them with a second execution
	$(PYTHON) paper/build_notebooks.py
	$(PYTHON) -m pytest -o addopts= -o filterwarnings= -p no:cacheprovider -q \
	  --nbval --nbval-current-env paper/notebooks

paper: figures ## build paper/main.pdf (needs LaTeX and latexmk)
	$(PYTHON) -m theory --tex paper/generated/claims.tex
	@command -v latexmk >/dev/null || { echo "paper: everything up to paper/generated\
	 is built, but latexmk is missing: install TeX Live (Debian: apt-get install latexmk\
	 texlive-latex-base texlive-latex-recommended)" >&2; exit 1; }
	@# not -silent: with it latexmk's first run leaves BibTeX out
	cd paper && latexmk -pdf -interaction=nonstopmode -halt-on-error main.tex \
	  >latexmk.log 2>&1 || { tail -40 latexmk.log; exit 1; }
	@if grep -i 'undefined' paper/main.log; then exit 1; fi

lint: $(ENV) ## check format and style (ruff)
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m ruff check

typecheck: $(ENV) ## check types (mypy, strict)
	$(PYTHON) -m mypy

# Starting from the old lock keeps every version that still fits, so an unchanged
# pyproject.toml gives the same bytes. NVIDIA's packages and triton follow from torch's
# own metadata: without their lines one lock serves CUDA, CPU builds and macOS.
lock: $(ENV) ## write requirements.lock from pyproject.toml
	@set -e; new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; \
	cp requirements.lock "$$new/all"; \
	$(PYTHON) -m uv pip compile pyproject.toml --group test --group notebooks --group peers \
	  --universal --no-annotate --no-header --quiet --output-file "$$new/all"; \
	sed -E '/^(nvidia|cuda|triton)(-|=)/d' "$$new/all" >"$$new/lock"; \
	if cmp -s "$$new/lock" requirements.lock; then echo "lock: unchanged"; \
	else cp "$$new/lock" requirements.lock; echo "lock: requirements.lock changed"; fi

status: $(ENV) ## show which results are computed, missing or made by older code
	$(PYTHON) -m experiments status

results: $(ENV) ## compare fresh records with the committed tables
	$(PYTHON) -m experiments compare

bench: $(ENV) ## time our code against peers or one gradient: ratios of one run
	$(PYTHON) -m pytest -o addopts= -o filterwarnings= -p no:cacheprovider -q -s \
	  --benchmark-columns=median,min,iqr,rounds tests/bench_*.py

mutation: $(ENV) ## change theory/ on purpose and count the changes no test notices
	$(PYTHON) -m mutmut run

clean: ## remove what is quickly made again (keeps records, data and .venv)
	rm -rf paper/generated mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f paper/latexmk.log figures/output/*.pdf $(addprefix paper/main.,pdf aux bbl blg \
	  fdb_latexmk fls log out)

# The stamp is written last, so a killed installation never counts as complete. A stale
# environment is made anew: nothing that the lock no longer names stays behind.
.venv/complete: requirements.lock
	@fail() { echo "make: $$1" >&2; exit 1; }; \
	command -v python3 >/dev/null || fail "python3 is missing: install Python >= 3.11"; \
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || fail "$$(python3 --version 2>&1) is too old: install Python >= 3.11"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || fail "python3 has no venv or\
	 ensurepip: install them (Debian: apt-get install python3-venv)"; \
	echo "making .venv from requirements.lock (one to several minutes: torch is large)"; \
	python3 -m venv --clear .venv || fail "python3 -m venv failed, see above"; \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r requirements.lock || fail "the installation failed, see above; make resumes it"
	@touch $@
