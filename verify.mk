# Proofs: the guides against the running lab, the roles alone, and lint.
ON_PATH := PATH=$(CURDIR)/$(BIN):$$PATH

.PHONY: verify attacks client-walk molecule lint-ansible

# The environment is the guide's: what admin-openrc.sh sets, and the client on the path.
verify: venv ## walk the original's guides, then docs/guide.md, then attacks, against the running lab
	. .lab/admin-openrc.sh && $(ON_PATH) ANSIBLE_CALLBACK_PLUGINS=callback_plugins ANSIBLE_CALLBACKS_ENABLED=guide_steps \
	    ansible-playbook playbooks/verify_top.yml playbooks/verify_cross_pod.yml
	$(BIN)/python tests/lab/run_guide.py
	. .lab/admin-openrc.sh && $(BIN)/python -m tests.lab.whole
	$(MAKE) attacks

attacks: venv ## try to harm one project of the running lab as another one, and as nobody (root)
	. .lab/admin-openrc.sh && $(BIN)/python -m tests.lab.attacks

client-walk: venv ## every command of the openstack client for compute, network and volume: through the lab's gateway, straight at its pods
	. .lab/admin-openrc.sh && $(BIN)/python -m tests.lab.client_walk

molecule: venv ## test the roles that make sense without a lab (root)
	$(ON_PATH) molecule test --all

lint-ansible: venv
	$(BIN)/yamllint .
	$(ON_PATH) ansible-lint

# Tempest asks much of two cores: a lab without guests, `make lab ARGS='-e nova_compute_driver=fake'`.
.PHONY: conformance conformance-smoke
CONFORM := $(ON_PATH) ansible-playbook playbooks/conformance.yml && $(BIN)/python -m tests.conformance

$(VENV)/.conformance: $(VENV)/.done
	$(BIN)/pip install -q -e '.[conformance]'
	touch $@

conformance: $(VENV)/.conformance ## OpenStack's own API tests: at a pod, through the gateway with one pod, with two
	$(CONFORM) run

conformance-smoke: $(VENV)/.conformance ## the smoke set of them, through the gateway with two pods
	$(CONFORM) run --way two --smoke

# By hand, for hours: what it finds is rare, and .ci/run has an hour. It builds the lab anew, without guests.
.PHONY: soak
soak: venv ## 200 random walks, 20,000 hostile requests, all of OpenStack's own tests (root)
	RANDOM_WALKS=200 QUICK_WALKS=1 FUZZ_REQUESTS=20000 \
	    $(BIN)/pytest -q -n 3 -k "random_walk or fuzz" tests/functional/long
	$(MAKE) lab-down
	$(MAKE) lab ARGS='-e nova_compute_driver=fake'
	$(MAKE) conformance
