"""The price of Ansible itself: ansible-runner with a task that does nothing. `python -m tests.bench.empty PODS`."""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ansible_runner

PLAYBOOK = Path(__file__).with_name("noop.yml")
HOST_VARS = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def run(pods: int) -> float:
    """Seconds for one run over so many pods."""
    hosts = {"pods": {"hosts": {f"Pod{number}": {} for number in range(pods)}, "vars": HOST_VARS}}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "ansible.cfg")
        config.touch()
        begun = time.monotonic()
        done = ansible_runner.run(private_data_dir=folder, inventory=hosts, playbook=str(PLAYBOOK), quiet=True,
                                  envvars={"PATH": path, "ANSIBLE_FORKS": str(pods), "ANSIBLE_CONFIG": str(config)})
        assert done.status == "successful", done.status
        return time.monotonic() - begun


def measure(pods: int) -> tuple[float, float]:
    """(seconds, seconds of processor time) of one run, in a process of its own that has been through one before."""
    done = subprocess.run([sys.executable, "-m", "tests.bench.empty", str(pods)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return tuple(json.loads(done.stdout))


def cpu() -> float:
    """Seconds of processor time of this process and the children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


if __name__ == "__main__":
    run(1)
    before = cpu()
    print(json.dumps((run(int(sys.argv[1])), cpu() - before)))
