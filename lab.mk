# The lab: two nodes on this machine (root). Included by the Makefile. `make lab ARGS='-e nova_compute_driver=fake'`.
.PHONY: lab lab-python lab-down lab-clean tricircle

PLAY := ANSIBLE_CALLBACK_PLUGINS=callback_plugins ANSIBLE_CALLBACKS_ENABLED=timing $(BIN)/ansible-playbook $(ARGS)

lab-python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -q && apt-get install -y -q python3-venv; }

lab: lab-python $(VENV)/.ansible ## build, boot and deploy the two-node lab, Tricircle in front (root)
	$(PLAY) playbooks/lab.yml

lab-down: $(VENV)/.ansible ## remove the lab's nodes, wires and state; what was downloaded and built stays in its cache (root)
	$(PLAY) playbooks/lab_down.yml

lab-clean: lab-down ## the same, and its cache (root)
	$(PLAY) playbooks/lab_down.yml -e lab_down_cache=true

tricircle: venv ## put this checkout's gateway onto the running lab
	$(PLAY) playbooks/tricircle.yml
