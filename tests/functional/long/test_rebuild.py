"""`tricircle rebuild`, without a worker: what plumbing there is was made by hand."""
import sqlite3
import subprocess

import pytest

from tests.functional.client import Client
from tests.functional.gateway import TRICIRCLE
from tests.functional.recovery import Place, Scene
from tests.functional.user import User


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("recovery"), works=False)
    yield made
    made.close()


def plumb(place, pod, project, router, vlan, ip):
    """A bridge with a router's port, as the worker makes them."""
    client = Client(place.cloud[pod].network.server.url + "/v2.0", place.cloud.token("tricircle").id)
    mark = f"tricircle:bridge:{project}"
    network = client.ok("POST", "/networks", {"network": {
        "name": mark, "description": mark, "provider:network_type": "vlan", "provider:physical_network": "bridge",
        "provider:segmentation_id": vlan}})["network"]["id"]
    subnet = client.ok("POST", "/subnets", {"subnet": {
        "network_id": network, "ip_version": 4, "cidr": "100.64.7.0/24", "description": mark}})["subnet"]["id"]
    client.ok("POST", "/ports", {"port": {"network_id": network, "description": f"tricircle:bridge:{router}",
                                          "fixed_ips": [{"subnet_id": subnet, "ip_address": ip}]}})


def test_a_lost_database_is_made_again_and_users_notice_nothing(place):
    scene = Scene(place)
    for pod, ip in (("Pod1", "100.64.7.9"), ("Pod2", "100.64.7.4")):
        plumb(place, pod, scene.user.project, scene.router, 2077, ip)
    before, seen = place.rows(), scene.listed()
    place.lose()
    assert not place.rows()["routings"], "the test would prove nothing"
    assert scene.listed() == seen, "no list is a matter of what the store knows"
    done = place.tricircle("rebuild")
    assert done.returncode == 0, done.stdout + done.stderr
    after = place.rows()
    for table in ("routings", "replicas", "default_groups"):   # what nobody had asked for so far is known by now, too
        assert set(before[table]) <= set(after[table]), table
    assert after["pool_prefixes"] == before["pool_prefixes"]
    assert {row for row in before["bindings"] if row[0] == scene.user.project} <= set(after["bindings"])
    project = scene.user.project
    assert after["bridges"] == [(project, 2077, "100.64.7.0/24")]
    assert {row[1:] for row in after["bridge_ips"]} == {("Pod1", project, "100.64.7.9"),
                                                        ("Pod2", project, "100.64.7.4")}
    assert scene.listed() == seen
    again = place.tricircle("rebuild")
    assert "nothing to change" in again.stdout, again.stdout
    assert place.rows() == after
    owed = {(kind, resource) for kind, resource in place.sql("SELECT kind, resource_id FROM jobs")}
    assert {("router", scene.router), ("shadow", scene.nets["Pod1"]), ("members", project),
            ("security_group", scene.group), ("subnetpool", scene.pool)} <= owed


def test_a_backup_is_made_while_it_serves_and_takes_no_files_place(place, tmp_path):
    target = tmp_path / "copy.sqlite"
    user = User(place.gateway)
    network = user.net("az1")
    done = place.tricircle("backup", target)
    assert (done.returncode, done.stdout) == (0, f"{target}: {target.stat().st_size} bytes, checked\n"), done.stderr
    assert target.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(target) as db:
        assert db.execute("SELECT kind FROM routings WHERE resource_id = ?", (network,)).fetchall() == [("networks",)]
    again = place.tricircle("backup", target)
    assert again.returncode == 2
    assert "exists already: name a new file" in again.stderr


def test_without_pods_it_says_what_to_do_first(place, tmp_path):
    conf = tmp_path / "tricircle.conf"
    conf.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n")
    subprocess.run([TRICIRCLE, "db", "upgrade", "--config-file", conf], check=True, capture_output=True, timeout=60)
    done = subprocess.run([TRICIRCLE, "rebuild", "--config-file", conf], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no pod is registered: do that first (POST /v1.0/pods" in done.stderr


def test_a_project_is_bound_again_to_where_it_works(place):
    user = User(place.gateway)
    user.net("az2")
    before = [row for row in place.rows()["bindings"] if row[0] == user.project]
    place.sql(f"DELETE FROM bindings WHERE tenant_id = '{user.project}'")
    assert place.tricircle("rebuild").returncode == 0
    assert [row for row in place.rows()["bindings"] if row[0] == user.project] == before != []


def test_two_bridges_of_one_project_are_told_and_not_chosen_from(place):
    user = User(place.gateway)
    for pod, vlan in (("Pod1", 2088), ("Pod2", 2089)):
        plumb(place, pod, user.project, "55555555-2222-4333-8444-555555555555", vlan, "100.64.7.9")
    done = place.tricircle("rebuild")
    assert done.returncode == 1
    assert f"to be decided: project {user.project} has different bridges: VLAN 2088" in done.stdout
    assert user.project not in str(place.rows()["bridges"])
