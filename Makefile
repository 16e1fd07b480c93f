# The verbs. `make lab` builds a real two-node OpenStack with Tricircle in front of it; `make test` needs neither root nor lab.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
COLLECTIONS := $(VENV)/share/tricircle/collections
# To openstack.cloud's modules OS_* are more than their own arguments: whoever has sourced admin-openrc.sh would get
# "Region Pod2 is not a valid region name" of `make lab`.
unexport $(filter OS_%,$(.VARIABLES))

.PHONY: help venv test test-long bench lint clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

venv: $(VENV)/.done ## the Python environment of this checkout

# What a playbook needs: `make lab` begins with this, and brings the rest while its longest work is under way.
# openstack.cloud comes out of the `ansible` wheel: it is on PyPI, while Galaxy is not reachable from every site.
$(VENV)/.ansible: setup.cfg collections/requirements.yml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q "$$(sed -n 's/^ *\(ansible-core.*\)/\1/p' setup.cfg)"
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python tools/collection.py $(COLLECTIONS)
	touch $@

$(VENV)/.done: $(VENV)/.ansible
	$(BIN)/pip install -q -e '.[test,lab,ansible]'
	touch $@

PYTEST := $(BIN)/pytest -q -n 4 --dist loadfile --no-loadscope-reorder

test: venv ## unit and functional tests: no root, no lab
	$(PYTEST) tests/unit tests/functional --ignore tests/functional/long

test-long: venv ## those that run many playbooks or gateways: who dies when, what a pod missed, random walks, fuzz, mounts, streams
	$(PYTEST) tests/functional/long

bench: venv ## how fast it is, each figure beside its baseline (memcached should be installed)
	$(BIN)/python -m tests.bench

lint: venv lint-ansible ## ruff, ansible-lint, yamllint
	$(BIN)/ruff check .

clean: ## what this checkout built (not the lab)
	rm -rf $(VENV) build dist .pytest_cache .hypothesis .ruff_cache

-include lab.mk
-include verify.mk
