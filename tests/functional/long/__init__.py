"""What runs many playbooks: `make test-long`."""
