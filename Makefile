# Everything a contributor runs. `make install` is a part of the others: none needs a step by hand.

PYTHON ?= python3

# Three environments. What is worked on: pure Python, imported from here. What is served, and what the
# tests run beside the sources: a wheel of them, compiled where that can be. An environment is made anew when
# what it is made of has changed; a file in it tells, so that a second `make` starts at once.
PY := .venv/bin/python
SERVING := .venv/.serving
STAMP := .venv/.installed
BROWSER := .venv/.browser
BUILD := $(if $(filter-out 0,$(DARNERPY_PURE)),pure,compiled)
SERVED := .venv-serve/.$(BUILD)
COMPILED := .venv-compiled/.$(BUILD)

INSTALL := -m pip install --quiet --disable-pip-version-check
PROJECT := pyproject.toml hatch_build.py
# What has no Python source is compiled into its place for the first one, too.
IN_C := $(shell find darnerpy -name '*.[ch]')
SOURCES := $(shell find darnerpy -type f ! -name '*.pyc' ! -name '*.so')

# Four for two cores: much of the time a test waits, for a disk, the kernel or a timer. Who is done early
# takes over from who has the long ones, which lie side by side.
PYTEST := $(PY) -m pytest -n 4 --dist worksteal

# Those that run the program as a user does: of these folders, what knows how it is started.
BEHAVIOUR = $(sort $(shell grep -lrE 'tests\.(servers|shell|conftest)' --include 'test_*.py' \
    $(addprefix tests/,integration crash hostile inspection migration)))

.PHONY: install compile serve test test-compiled test-browser screenshots thorough lint bench bench-library bench-ring bench-watchers compare profile soak fuzz test-image man clean

install: $(STAMP)

$(PY):
	$(PYTHON) -m venv .venv

$(SERVING): $(PROJECT) $(IN_C) | $(PY)
	$(PY) $(INSTALL) --editable .
	touch $@

# What serving needs is a part of what working on it needs, which comes on top when it is asked for.
$(STAMP): $(PROJECT) $(IN_C) | $(PY)
	$(PY) $(INSTALL) --editable '.[dev]'
	touch $(SERVING) $@

# Large, and needed for nothing else.
$(BROWSER): $(STAMP)
	$(PY) $(INSTALL) --editable '.[browser]'
	touch $@

.venv-serve/bin/python .venv-compiled/bin/python:
	$(PYTHON) -m venv $(@D:/bin=)

$(SERVED) $(COMPILED): .venv-%/.$(BUILD): $(PROJECT) $(SOURCES) | .venv-%/bin/python
	rm -f $(@D)/.pure $(@D)/.compiled
	$(@D)/bin/python $(INSTALL) '.[fast,http]'
	@$(@D)/bin/darnerpy --version
	@$(@D)/bin/darnerpy --version | grep -q compiled || echo \
	    "(faster where a C compiler and Python's headers are: docs/deployment.md)"
	touch $@

compile: $(COMPILED)

serve: $(SERVED) $(SERVING)
	.venv-serve/bin/darnerpy serve --data data --listen 127.0.0.1:22133 $(ARGS)

test: $(STAMP)
	$(PYTEST) --ignore tests/browser $(ARGS)
	$(MAKE) test-compiled

test-compiled: $(STAMP) $(COMPILED)
	TEST_PYTHON=.venv-compiled/bin/python $(PYTEST) $(or $(ARGS),$(BEHAVIOUR))

# The dashboard in a real browser, which the system has to have: `apt-get install chromium`.
test-browser: $(BROWSER)
	$(PY) -m pytest $(or $(ARGS),tests/browser)

# The pictures of README and docs, of a server that has had load for ten minutes.
screenshots: $(BROWSER)
	$(PY) -m tests.browser.screenshots $(ARGS)

# All that `make test` only samples: every cut, every flipped bit, thousands of examples. It takes hours.
thorough: $(STAMP)
	$(PYTEST) --timeout 36000 --hypothesis-profile thorough $(or $(ARGS),tests/journals)

lint: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m mypy --python-version 3.14
	.venv/bin/lint-imports

bench: $(STAMP) $(COMPILED)
	$(PY) -m bench.run --write $(ARGS)

.venv-peers/.installed: bench/embedded/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python $(INSTALL) --requirement $<
	touch $@

bench-library: $(STAMP) $(COMPILED) .venv-peers/.installed
	$(PY) -m bench.embedded --write $(ARGS)

bench-ring: $(STAMP) $(COMPILED)
	.venv-compiled/bin/python $(INSTALL) 'posix_ipc>=1.1'
	.venv-compiled/bin/python -P bench/ring.py --write --beside $(PY) $(ARGS)

bench-watchers: $(STAMP) $(COMPILED)
	.venv-compiled/bin/python -P bench/watchers.py $(ARGS)

compare: $(STAMP)
	$(PY) -m bench.compare $(ARGS)

profile: $(STAMP)
	$(PY) -m bench.profile $(ARGS)

soak: $(STAMP)
	$(PY) -m tests.soak $(ARGS)

fuzz: $(STAMP)
	$(PY) -m tests.fuzz --minutes 10 $(ARGS)

test-image:
	deploy/test-image

man: $(STAMP)
	$(PY) docs/manual.py build/man

clean:
	rm -rf .venv .venv-serve .venv-compiled .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	rm -rf .hypothesis build dist bench/build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find darnerpy -name '*.so' -delete
