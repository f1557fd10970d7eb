# Two commands on a fresh machine: `make demo`, `make test`. `make` alone lists the rest.
# Needed beforehand: Python 3.11 or newer, and make. Everything else goes into .venv/.

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
DEV   := $(VENV)/.ready-dev
PIP   := $(BIN)/python -m pip --disable-pip-version-check
QUIET := -qq
# `make test ARGS="tests/store -x"` narrows the run; WORKERS=0 runs everything in one process.
ARGS    ?=
WORKERS ?= 3
# Tests make databases and browsers' profiles by the thousand: in memory, where the machine has it to spare and lets what
# lies there be run.
MEMORY = $(shell \
  if [ -z "$$TMPDIR" ] && [ -w /dev/shm ] && [ "$$(df -Pk /dev/shm | awk 'NR == 2 {print $$4}')" -gt 3000000 ]; then \
    probe=$$(mktemp /dev/shm/XXXXXX) && echo : >$$probe && chmod +x $$probe && $$probe && echo TMPDIR=/dev/shm; \
    rm -f $$probe; \
  fi 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench lock browser clean
# Recipes share .venv, so two of them at once would tread on each other.
.NOTPARALLEL:

help:
	@echo "make demo     everything at once on sample data, nothing to configure"
	@echo "              (PORT=9000: other ports; FRESH=1: start over)"
	@echo "make test     install what the tests need and run them all (ARGS=... goes to pytest)"
	@echo "make check    format, lint, types, import contracts"
	@echo "make bench    speed and size, measured on this machine"
	@echo "make setup    only make .venv/ with the console script in it"
	@echo "make lock     renew requirements*.txt from pyproject.toml (needs uv)"
	@echo "make clean    remove .venv/ and caches; var/, where data is, stays"

setup: $(READY)
	@echo "Ready: $(BIN)/undersigned --help"

demo: $(READY)
	@exec $(BIN)/undersigned demo $(if $(PORT),--port $(PORT)) $(if $(filter-out 0 no false,$(FRESH)),--fresh)

test: $(DEV) browser
	@$(MEMORY) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -o faulthandler_timeout=120 $(ARGS)

# All four are run, so that one round shows everything that is wrong.
check: $(DEV)
	@wrong=; \
	$(BIN)/ruff format --check --quiet --output-format concise . || wrong="$$wrong format($(BIN)/ruff format .)"; \
	$(BIN)/ruff check --quiet --output-format concise . || wrong="$$wrong lint($(BIN)/ruff check --fix .)"; \
	$(BIN)/mypy --no-error-summary || wrong="$$wrong types"; \
	$(BIN)/lint-imports --no-logo >$(VENV)/imports.log 2>&1 || { cat $(VENV)/imports.log; wrong="$$wrong imports"; }; \
	[ -z "$$wrong" ] || { echo "Not right:$$wrong" >&2; exit 1; }
	@echo "Format, lint, types and import contracts hold."

bench: $(DEV)
	@$(BIN)/python -m benchmarks $(ARGS)

# The Python that makes .venv/: the first of these that runs and is new enough.
$(BIN)/python:
	@for python in "$(PYTHON)" python3.11 python3 python3.12 python3.13 python3.14 python; do \
	  [ -n "$$python" ] || continue; \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	  echo "Making $(VENV)/ with $$($$python --version)"; \
	  "$$python" -m venv $(VENV) && exit 0; \
	  rm -rf $(VENV); \
	  echo "$$python could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; \
	  exit 1; \
	done; \
	echo "Python 3.11 or newer is needed and was not found. Install it, or name one: make PYTHON=/path/to/python3" >&2; \
	exit 1

# A stamp is written only after everything succeeded, so an interrupted setup is taken up again.
$(READY): requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing Undersigned and what it needs (about half a minute, once)"
	@$(PIP) install $(QUIET) --require-hashes -r requirements.txt \
	  || { echo "The installation failed; the lines above say why. Mend it and run make again." >&2; exit 1; }
	@$(PIP) install $(QUIET) --no-build-isolation --no-deps -e .
	@$(BIN)/python -m compileall -q widget_server integrations
	@touch $@

$(DEV): requirements-dev.txt $(READY)
	@echo "Installing what tests and checks need"
	@$(PIP) install $(QUIET) --require-hashes -r requirements-dev.txt \
	  || { echo "The installation failed; the lines above say why. Mend it and run make again." >&2; exit 1; }
	@touch $@

# The browsers of the browser tests: a Chromium that is here, else Playwright's own, else the system's package; Firefox
# and WebKitGTK as the system has them. And the languages of the examples for receivers of webhooks: Node.js and PHP.
# What cannot be had is named, and its tests are skipped.
browser: $(DEV)
	@has() { for name in "$$@"; do command -v $$name >/dev/null 2>&1 && return 0; done; return 1; }; \
	a_chromium() { [ -n "$$UNDERSIGNED_TEST_CHROMIUM" ] || has chromium chromium-browser google-chrome || \
	  $(BIN)/python -c 'import pathlib, sys; from playwright.sync_api import sync_playwright; p = sync_playwright().start(); path = pathlib.Path(p.chromium.executable_path); p.stop(); sys.exit(not path.exists())'; }; \
	a_firefox() { [ -n "$$UNDERSIGNED_TEST_FIREFOX" ] || has firefox-esr firefox; }; \
	a_webkit() { has WebKitWebDriver && has Xvfb; }; \
	a_chromium && a_firefox && a_webkit && has node && has php && exit 0; \
	echo "Looking for browsers, Node.js and PHP for the tests"; \
	: >$(VENV)/browser.log; \
	a_chromium || $(BIN)/python -m playwright install chromium >>$(VENV)/browser.log 2>&1; \
	if [ "$$(id -u)" = 0 ]; then root=; elif sudo -n true 2>/dev/null; then root="sudo -n"; else root=none; fi; \
	if [ "$$root" != none ] && has apt-get; then \
	  $$root apt-get update -qq >>$(VENV)/browser.log 2>&1; \
	  get() { $$root apt-get install -y -qq --no-install-recommends "$$@" >>$(VENV)/browser.log 2>&1; }; \
	  a_chromium || get chromium fonts-dejavu; \
	  a_firefox || get firefox-esr; \
	  a_webkit || get webkit2gtk-driver xvfb; \
	  has node || get nodejs; \
	  has php || get php-cli; \
	fi; \
	missing=; a_chromium || missing="$$missing Chromium"; a_firefox || missing="$$missing Firefox"; a_webkit || missing="$$missing WebKitGTK"; \
	has node || missing="$$missing Node.js"; has php || missing="$$missing PHP"; \
	[ -z "$$missing" ] || { \
	  echo "Not to be had:$$missing ($(VENV)/browser.log says why). Their tests will be skipped." >&2; \
	  echo "Install them (Debian: chromium, firefox-esr, webkit2gtk-driver, xvfb, nodejs, php-cli) and run make test again to have them." >&2; }

# Pins every dependency with its hashes, for every platform, without naming any index.
# The newest versions: make lock ARGS=--upgrade
LOCK = uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
  --universal --fork-strategy fewest --python-version 3.11 $(ARGS)
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/" >&2; exit 1; }
	@$(LOCK) --group build pyproject.toml -o requirements.txt
	@$(LOCK) --group build --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt

clean:
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis test-results dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
