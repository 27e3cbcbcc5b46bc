# make install is quick when nothing has changed: a stamp in the virtual environment remembers what it was made from.

PYTHON ?= python3
VENV   := .venv
STAMP  := $(VENV)/.installed

.PHONY: install run test conformance fuzz lint demo bench

install: $(STAMP)

$(STAMP): setup.cfg pyproject.toml requirements.lock requirements-test.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock -r requirements-test.lock
	PYTHONWARNINGS=ignore $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(STAMP)

run: $(STAMP)
	$(VENV)/bin/tams-server serve

test: $(STAMP)
	$(VENV)/bin/python -m pytest -n auto --dist worksteal

# URL, with TOKEN or USER and PASSWORD: the server to test; without URL this project's own. The shell takes the values
# from its environment, so that they need no quoting here and no secret is echoed. USER is also set by every login shell.
# RECEIVER: name or address of this machine as that server sees it, for its events; without it they are not tested.
API_VERSION ?= 8.2
REPORT      ?= conformance-report
conformance: $(STAMP)
	$(VENV)/bin/python -m pytest tests/conformance --ignore tests/conformance/selftest -n auto --dist worksteal \
	  --report "$(REPORT)" --junitxml "$(REPORT)/junit.xml" --api-version $(API_VERSION) \
	  $(if $(URL),--tams-url "$$URL") $(if $(TOKEN),--tams-token "$$TOKEN") \
	  $(if $(filter command,$(origin USER)),--tams-user "$$USER" --tams-password "$$PASSWORD") \
	  $(if $(RECEIVER),--webhook-receiver "$$RECEIVER")

# Over 20,000 random cases, others each time; FUZZ_SEED repeats a run.
FUZZ_EXAMPLES ?= 200
fuzz: $(STAMP)
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} \
	  $(VENV)/bin/python -m pytest tests/fuzz/test_operations.py -n auto --dist worksteal

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy storage handlers tams_server

demo: $(STAMP)
	$(VENV)/bin/python -m tests.interop.demo

bench: $(STAMP)
	$(VENV)/bin/python -m tests.benchmarks
