# The commands of the course. `make` alone lists them; README.md says the same in plain pip.
# One environment, .venv, is made once; a stamp file in it says which tools it already holds.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
ifeq ($(OS),Windows_NT)
  BIN := $(VENV)/Scripts
else
  BIN := $(VENV)/bin
endif
NOTEBOOKS = $(sort $(wildcard notebooks/[0-9]*.ipynb))
SOLUTIONS = $(sort $(wildcard notebooks/solutions/*.ipynb))
REPOSITORY ?=
BRANCH ?= main
NBVAL := --nbval-lax --nbval-current-env --nbval-sanitize-with=notebooks/nbval_sanitize.cfg \
  --nbval-cell-timeout=180

# Byte-compiling all of TensorFlow takes longer than unpacking it and most of it is never imported:
# pip leaves that to the first import, which has to be allowed to write what it compiled. Without,
# as in many containers, every import of TensorFlow takes twice as long.
export PYTHONDONTWRITEBYTECODE :=
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
  -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo lab test test-notebooks test-slow notebooks exercises colab book lint constraints clean

help:
	@echo "make demo            install, recognize the expressions in two photographs, say where the result is"
	@echo "make lab             open the notebooks in JupyterLab"
	@echo "make test            run the unit tests and the notebooks (12 minutes at most on two cores)"
	@echo "make test-notebooks  run the notebooks and compare what they print"
	@echo "make test-slow       run what takes longer: wheel, memory, solutions, the JAX backend, a browser"
	@echo "make notebooks       run every notebook and store its outputs"
	@echo "make exercises       generate the exercises from their solutions"
	@echo "make colab           badges for your fork: make colab REPOSITORY=https://github.com/USER/NAME"
	@echo "make book            build the course as a web site, with search and an API reference"
	@echo "make lint            check the style of the code and the form of the notebooks"
	@echo "make constraints     write the versions in .venv to constraints.txt"
	@echo "make clean           remove .venv, caches, builds and outputs"
	@echo
	@echo "Another interpreter (3.11 to 3.13): make demo PYTHON=python3.12"

demo: $(VENV)/.with-library
	@$(BIN)/python -m fer_lib demo

lab: $(VENV)/.with-notebooks
	$(BIN)/python -m jupyter lab notebooks

test: $(VENV)/.with-tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
	$(MAKE) test-notebooks

test-notebooks: $(VENV)/.with-tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(NBVAL) $(NOTEBOOKS)

# First those that measure neither time nor memory, two files at a time; then each of the others alone.
SIDE_BY_SIDE := $(addprefix tests/test_,$(addsuffix .py,exercises backends book devices nbgrader \
  training wheel export))
test-slow: $(VENV)/.with-slow-tests
	$(BIN)/python -m pytest -m slow -n $(WORKERS) --dist loadfile $(SIDE_BY_SIDE)
	$(BIN)/python -m pytest -m slow $(addprefix --ignore=,$(SIDE_BY_SIDE))

notebooks: $(VENV)/.with-tests
	$(BIN)/python tests/tools/format_notebooks.py --minutes README.md notebooks/README.md \
	  -- $(NOTEBOOKS) $(SOLUTIONS)
	$(BIN)/python tests/tools/exercises.py

exercises: $(VENV)/.with-tests
	$(BIN)/python tests/tools/exercises.py

colab: $(VENV)/.with-tests
	$(BIN)/python tests/tools/colab.py "$(REPOSITORY)" --branch "$(BRANCH)"

# Warnings are errors: a link that leads nowhere is one. Colab buttons need the address of a fork, here
# or as git's remote "origin".
book: $(VENV)/.with-book
	REPOSITORY="$(REPOSITORY)" BRANCH="$(BRANCH)" $(BIN)/python -m sphinx --quiet --fail-on-warning \
	  --keep-going -c docs -d build/book-doctrees . build/book
	@echo "The course is in build/book/index.html"

lint: $(VENV)/.with-tests
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python tests/tools/format_notebooks.py --check $(NOTEBOOKS) $(SOLUTIONS)
	$(BIN)/python tests/tools/exercises.py --check

constraints: $(VENV)/.with-everything
	$(BIN)/python tests/tools/freeze_constraints.py

clean:
	rm -rf $(VENV) build dist outputs docs/api notebooks/outputs .pytest_cache .ruff_cache .hypothesis
	find fer_lib tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +

# A change of the dependencies, or of Python, installs again; anything else does not.
$(VENV)/.with-library: EXTRAS :=
$(VENV)/.with-notebooks: EXTRAS := [notebooks]
$(VENV)/.with-book: EXTRAS := [book]
$(VENV)/.with-tests: EXTRAS := [test,serve]
$(VENV)/.with-slow-tests: EXTRAS := [test,book,jax,browser,gradio,onnx,litert,ray,dask,serve]
$(VENV)/.with-everything: EXTRAS := [dev,book,jax,browser,gradio,onnx,litert,ray,dask,serve]
$(VENV)/.with-%: pyproject.toml constraints.txt $(VENV)/.made
	@echo "Installing fer-lib$(EXTRAS) into $(VENV) (the first time this downloads TensorFlow: some minutes)"
	@$(INSTALL) -e ".$(EXTRAS)"
	@touch $@

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Expected Python 3.11 to 3.13. Received: $$($(PYTHON) --version 2>&1). Name another one: make demo PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python cannot make environments (no ensurepip). On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@
