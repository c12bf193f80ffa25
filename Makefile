# Everything a contributor runs. `make install` is a part of the others: none needs a step by hand.

PYTHON ?= python3
PY := .venv/bin/python
# Rewritten only when pyproject.toml is newer, so that a second `make` starts at once. What serving
# needs is a part of what working on it needs, which comes on top when it is asked for.
SERVING := .venv/.serving
STAMP := .venv/.installed
INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check --editable

.PHONY: install serve test lint bench soak fuzz test-image clean

install: $(STAMP)

$(PY):
	$(PYTHON) -m venv .venv

$(SERVING): pyproject.toml | $(PY)
	$(INSTALL) .
	touch $@

$(STAMP): pyproject.toml | $(PY)
	$(INSTALL) '.[dev]'
	touch $(SERVING) $@

serve: $(SERVING)
	.venv/bin/darnerpy serve --data data --listen 127.0.0.1:22133 $(ARGS)

test: $(STAMP)
	$(PY) -m pytest -n 2 $(ARGS)

lint: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m mypy --python-version 3.14
	.venv/bin/lint-imports

bench: $(STAMP)
	$(PY) -m bench.run --write $(ARGS)

soak: $(STAMP)
	$(PY) -m tests.soak $(ARGS)

fuzz: $(STAMP)
	$(PY) -m tests.fuzz --minutes 10 $(ARGS)

test-image:
	deploy/test-image

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist bench/build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
