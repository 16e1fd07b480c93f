"""What an operator gets to see when a pod refuses a step of a job."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.scene import PODS, Scene
from tests.functional.standin import neutron_routers
from tests.functional.standin.identity import PASSWORD

ROOT = Path(__file__).parents[3]


@pytest.fixture
def scene(cloud, gateway):
    return Scene(cloud, gateway)


def test_neutrons_own_words_reach_the_operator_and_no_secret_is_left_behind(scene, worker, gateway):
    """Neutron refuses the address: somebody sits on it. The job says so, and works when he has gone."""
    scene.change("add", "Pod1")
    scene.settle()
    stop = scene.cloud.stop_at_write(1, "before", "^POST /v2.0/ports")
    scene.change("add", "Pod2")
    assert stop.wait(120)
    squatters = [squat(scene, pod) for pod in PODS if scene.bridge(pod)[1]]
    stop.release()
    job = scene.failed_job()
    assert "create the bridge port" in job["last_error"]
    assert "409" in job["last_error"]
    for path in (gateway.folder / "state" / "jobs").rglob("*"):
        assert not path.is_file() or PASSWORD not in path.read_text(errors="replace"), path
    lines = scene.admin.ok("GET", f"/jobs/{job['id']}")["job"]["log"]
    assert any("FAILED" in line["text"] for line in lines)
    assert any("attach" in line["text"] or "create the bridge subnet" in line["text"] for line in lines)
    worker.stop()
    assert_check_mode_lists_and_writes_nothing(scene, job)
    for shelf, port in squatters:
        del shelf[port]
    successor = gateway.worker()
    scene.settle()
    successor.stop()
    scene.assert_built_once()


def assert_check_mode_lists_and_writes_nothing(scene, job):
    """What an operator does with the folder of a failed run."""
    runs = (scene.gateway.folder / "state" / "jobs").glob(f"{job['id']}-*")
    folder = max(runs, key=lambda path: path.stat().st_mtime)
    env = {**os.environ, "TRICIRCLE_ORDER": str(folder / "order.json"), "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
           "ANSIBLE_ACTION_PLUGINS": str(ROOT / "action_plugins")}
    ansible = Path(sys.executable).with_name("ansible-playbook")
    playbook = ROOT / "playbooks" / "converge_router.yml"
    mark = len(scene.cloud.log)
    shown = subprocess.run([ansible, "--check", "-v", "-i", folder / "inventory", playbook], env=env, timeout=60,
                           capture_output=True, text=True)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "create the bridge port" in shown.stdout
    assert "changed=1" in shown.stdout
    assert scene.plumbing(mark) == []


def squat(scene, pod):
    """Somebody's port on the bridge address that this router is about to take in a pod."""
    network, subnet, _ = (rows[0] if rows else None for rows in scene.bridge(pod))
    shelf = scene.cloud[pod].network.shelf("ports")
    addresses = {ip for _, ip in scene.allocations()[1]}
    shelf[f"squatter-{pod}"] = {
        "id": f"squatter-{pod}", "network_id": network["id"], "device_id": "", "device_owner": "", "description": "",
        "project_id": "x", "tenant_id": "x", "security_groups": [], "fixed_ips": [
            {"subnet_id": subnet["id"], "ip_address": ip} for ip in addresses]}
    return shelf, f"squatter-{pod}"


def test_too_many_routes_are_neutrons_to_refuse_and_the_job_says_what_to_do(scene, worker, monkeypatch):
    monkeypatch.setattr(neutron_routers, "MAX_ROUTES", 0)
    scene.change("add")
    job = scene.failed_job()
    assert "raise max_routes" in job["last_error"]
    monkeypatch.undo()
    scene.settle()
    scene.assert_built_once()
