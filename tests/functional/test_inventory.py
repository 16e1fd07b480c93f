# SPDX-License-Identifier: Apache-2.0
"""inventories/pods: what is registered is the inventory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def inventory(gateway, folder, port):
    """Run ansible-inventory on inventories/pods, with the admin API at a port."""
    clouds = json.loads((gateway.folder / "clouds.yaml").read_text())
    clouds["clouds"]["RegionOne"]["cascading_endpoint_override"] = f"http://127.0.0.1:{port}/v1.0"
    clouds_file = folder / "clouds.yaml"
    clouds_file.write_text(json.dumps(clouds))
    command = Path(sys.executable).with_name("ansible-inventory")
    return subprocess.run(
        [command, "-i", ROOT / "inventories" / "pods", "--list", "--export"],
        cwd=ROOT,
        env=os.environ | {"OS_CLIENT_CONFIG_FILE": str(clouds_file), "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )


def plain(value):
    """A variable without the mark that Ansible puts on what came from outside."""
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


@pytest.fixture(scope="module")
def listed(gateway, tmp_path_factory):
    done = inventory(gateway, tmp_path_factory.mktemp("inventory"), gateway.ports["admin"])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_pod_but_the_top_one_is_a_host(listed):
    assert listed["pods"]["hosts"] == ["Pod1", "Pod2"]


def test_a_pod_has_its_cloud_zone_and_id_and_runs_here(listed, gateway):
    registered = {pod["pod_name"]: pod for pod in gateway.client("admin").ok("GET", "/pods")["pods"]}
    for name, zone in (("Pod1", "az1"), ("Pod2", "az2")):
        host = {key: plain(value) for key, value in listed["_meta"]["hostvars"][name].items()}
        assert host == {
            "ansible_connection": "local",
            "ansible_python_interpreter": host["ansible_python_interpreter"],
            "availability_zone": zone,
            "cloud": name,
            "pod_id": registered[name]["pod_id"],
        }


def test_an_api_that_is_not_there_is_no_empty_inventory(gateway, tmp_path):
    done = inventory(gateway, tmp_path, 9)
    assert done.returncode != 0
    assert "did not list its pods" in done.stderr
