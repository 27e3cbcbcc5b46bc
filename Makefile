# `make help` lists the targets that have a `##` text.
# A stamp file in the virtual environment makes `make install` skip unchanged requirements.

PYTHON ?= python3
VENV   := .venv
STAMP  := $(VENV)/.installed

.PHONY: help install run test conformance fuzz lint demo bench

install: $(STAMP) ## install into .venv

$(STAMP): setup.cfg pyproject.toml requirements.lock requirements-test.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock -r requirements-test.lock
	PYTHONWARNINGS=ignore $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(STAMP)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# STORE=postgresql or STORE=vast-emulated: start a PostgreSQL or an emulated VAST Database for the server, with its data
# in the data folder.
run: $(STAMP) ## serve on port 4010 from ./tams-data; STORE=postgresql or vast-emulated starts that store too
	$(VENV)/bin/$(if $(STORE),python -m tests.servers $(STORE),tams-server serve)

# After all tests, the kit runs with the other stores. HTTP_ALONE: modules whose requests reach no store; omitted.
# READ_ALONE, WRITE_ALONE: modules without concurrent writers; each runs with only one of the two ways in which an
# emulated VAST Database reports conflicts. A new module is on no list and runs with all stores. See docs/testing.md.
HTTP_ALONE  := authentication bodies cors flow_validation http identifiers methods
READ_ALONE  := event_filters event_transforms flow_listing flow_profiles flow_reading get_urls heads paging paging_edge_cases \
  profiles segment_listing service sorting storage_backends tag_filters timeranges webhook_listing
WRITE_ALONE := flow_collections flow_members flow_metadata flow_put flow_sources flow_tags init_objects objects read_only \
  source_lifecycle sources tags webhook_changes webhooks
KIT         := $(VENV)/bin/python -m pytest tests/conformance -n auto --dist worksteal -q -r NfE --webhook-patience 30
without      = $(patsubst %,--ignore tests/conformance/%,selftest $(patsubst %,test_%.py,$(HTTP_ALONE) $(1)))

test: $(STAMP) ## run every test, then the conformance kit over the other stores
	$(VENV)/bin/python -m pytest -n auto --dist worksteal
	@echo "The kit with postgresql and s3"
	@$(KIT) --store postgresql --media s3 $(call without)
	@echo "The kit with vast-statement and files"
	@$(KIT) --store vast-statement --media files --every 2 $(call without,$(WRITE_ALONE))
	@echo "The kit with vast-commit and s3"
	@$(KIT) --store vast-commit --media s3 --every 2 $(call without,$(READ_ALONE))

# URL, with TOKEN or USER and PASSWORD: the server to test; without URL, this project's own. The shell reads the values from
# its environment, so that they need no quoting and no secret is echoed. USER counts only if given on the command line,
# because login shells set it too. RECEIVER: the name or address of this machine as seen by that server, for webhook
# events; without it, events are not tested.
API_VERSION ?= 8.2
REPORT      ?= conformance-report
# STORE and MEDIA: the catalogue and object store of this project's own server (docs/testing.md).
conformance: $(STAMP) ## test a TAMS server: URL=... and TOKEN=..., or USER=... PASSWORD=...; without URL this one
	$(VENV)/bin/python -m pytest tests/conformance --ignore tests/conformance/selftest -n auto --dist worksteal \
	  --report "$(REPORT)" --junitxml "$(REPORT)/junit.xml" --api-version $(API_VERSION) \
	  $(if $(STORE),--store $(STORE)) $(if $(MEDIA),--media $(MEDIA)) \
	  $(if $(URL),--tams-url "$$URL") $(if $(TOKEN),--tams-token "$$TOKEN") \
	  $(if $(filter command,$(origin USER)),--tams-user "$$USER" --tams-password "$$PASSWORD") \
	  $(if $(RECEIVER),--webhook-receiver "$$RECEIVER")

# Over 20,000 random cases, different ones each time. FUZZ_SEED repeats a run.
FUZZ_EXAMPLES ?= 200
fuzz: $(STAMP) ## send random requests to every operation; FUZZ_EXAMPLES=200, FUZZ_SEED=... repeats a run
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} \
	  $(VENV)/bin/python -m pytest tests/fuzz/test_operations.py tests/fuzz/test_stock_run.py -n auto --dist worksteal

# codespell: common misspellings, and words that have a better one in docs/glossary.md. Its options are in setup.cfg.
SPELT := README.md Makefile setup.cfg api docs handlers storage tams_server tests
lint: $(STAMP) ## check style, types and terms: ruff, mypy, codespell
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy storage handlers tams_server tests
	$(VENV)/bin/codespell -D - -D docs/terms.txt $(SPELT)

demo: $(STAMP) ## ingest a clip and read exact frames back
	$(VENV)/bin/python -m tests.interop.demo

bench: $(STAMP) ## measure speed side by side with baselines
	$(VENV)/bin/python -m tests.benchmarks
