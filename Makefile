# `make demo` trains on moving digits, `make test` runs the test suite; both
# set up their own virtual environment first. With an environment of your own,
# run the `python -m` lines below in it.

PYTHON ?= python3
VENV ?= .venv
WORKDIR ?= runs/demo
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo check test lint lowest clean

demo: $(STAMP)
	$(BIN)/python -m dvdgan_tf.train --gin_file=gin/demo.gin --workdir=$(WORKDIR)

# The part of the tests for daily work: equations and configurations.
CHECKED := tests/layers tests/metrics tests/data tests/plotting \
    tests/training/test_losses.py tests/training/test_trainer.py \
    tests/test_imports.py tests/test_config.py tests/test_gin_files.py \
    tests/test_links.py

# Files in their order: otherwise those with few tests come last, some of which
# take a minute, and one process would wait for the other.
PYTEST := $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile \
    --no-loadscope-reorder

check: $(STAMP)
	$(PYTEST) $(CHECKED)

test: $(STAMP)
	$(PYTEST)

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy dvdgan_tf

# What the lowest versions of the dependencies are asked to do.
LOWEST_TESTS := tests/data tests/layers tests/metrics tests/networks \
	tests/sampling tests/test_archives.py tests/test_config.py \
	tests/test_gin_trust.py tests/test_compatibility.py

lowest:
	$(PYTHON) -m tools.lowest_versions > lowest_versions.txt
	$(PYTHON) -m venv --clear $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install --quiet \
		-c lowest_versions.txt -e '.[page,prepare]' pytest scikit-learn
	$(VENV)-lowest/bin/python -m pytest $(LOWEST_TESTS)

$(STAMP): setup.cfg setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-lowest lowest_versions.txt build *.egg-info .pytest_cache .ruff_cache test_output
