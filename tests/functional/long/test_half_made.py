"""The gateway dies while it makes a replica: nobody has heard of it, and it goes all the same."""
import contextlib
import threading

import pytest

from tests.functional.user import IMAGE, User, flavor


@pytest.fixture
def user(gateway):
    """A new user in a new project."""
    return User(gateway)


def dies_in(gateway, match, when, act):
    """Kill the API when a pod has got a write that matches; it is started again."""
    stop = gateway.cloud.stop_at_write(1, when, match)

    def asking():
        with contextlib.suppress(Exception):   # the gateway is killed under it
            act()

    thread = threading.Thread(target=asking)
    thread.start()
    assert stop.wait()
    gateway.api.kill()
    stop.drop()
    thread.join()
    gateway.start()
    gateway.hasten_jobs()


def copies(cloud, group):
    """(pod, id) of what stands for a group."""
    return [(pod.name, row["id"]) for pod in cloud for row in pod.network.shelf("security-groups").values()
            if row["description"] == f"tricircle:{group}"]


@pytest.fixture
def half_made(gateway, cloud, user):
    """(A group whose replica in another pod, if there is one, the store does not know; a port's body that needs it)."""
    def make(when):
        group = user.make("security-groups", name="web")["id"]
        home = next(pod.name for pod in cloud if group in pod.network.shelf("security-groups"))
        network, _ = user.wired("az2" if home == "Pod1" else "az1")
        body = {"network_id": network, "security_groups": [group]}
        dies_in(gateway, "^POST /v2.0/security-groups", when, lambda: user.make("ports", **body))
        assert len(copies(cloud, group)) == (when == "after")
        return group, body
    return make


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_group_that_is_deleted_takes_a_replica_along_that_nobody_has_heard_of(gateway, cloud, user, half_made, when):
    group, _ = half_made(when)
    assert user.network.delete(f"/security-groups/{group}").status == 204
    assert copies(cloud, group) == []
    assert group not in str(gateway.store()["replicas"])


def test_a_group_that_a_pod_keeps_from_being_looked_for_stays(gateway, cloud, user, half_made):
    """The replica must not be forgotten by one who could not look for it, nor by one who may not see its group."""
    group, body = half_made("after")
    (there,) = copies(cloud, group)
    cloud[there[0]].refuse()
    assert user.network.delete(f"/security-groups/{group}").status == 503
    assert user.network.post("/ports", {"port": body}).status == 503
    cloud[there[0]].recover()
    gateway.settle()
    assert user.make("ports", **body)["security_groups"] == [group]
    assert copies(cloud, group) == [there]


def test_a_replica_without_all_its_rules_is_owed_them(gateway, cloud, user):
    group = user.make("security-groups", name="web")["id"]
    user.make("security-group-rules", security_group_id=group, direction="ingress", protocol="tcp")
    home = next(pod.name for pod in cloud if group in pod.network.shelf("security-groups"))
    network, _ = user.wired("az2" if home == "Pod1" else "az1")
    cloud.stop_at_write(1, "before", "^POST /v2.0/security-group-rules").drop()
    assert user.network.post("/ports", {"port": {"network_id": network, "security_groups": [group]}}).status == 502
    assert len(copies(cloud, group)) == 1
    jobs = gateway.client("admin").ok("GET", "/jobs?kind=security_group")["jobs"]
    assert group in [job["resource_id"] for job in jobs]


def test_a_server_group_likewise(gateway, cloud, user):
    headers = {"OpenStack-API-Version": "compute 2.64"}
    body = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    group = user.compute.ok("POST", "/os-server-groups", body, headers=headers)["server_group"]["id"]
    home = next(pod.name for pod in cloud if group in pod.compute.shelf("server_groups"))
    body = {"server": {"name": "vm", "imageRef": IMAGE, "flavorRef": flavor(gateway), "networks": "none",
                       "availability_zone": "az2" if home == "Pod1" else "az1"}, "os:scheduler_hints": {"group": group}}
    dies_in(gateway, "^POST .*/os-server-groups", "after",
            lambda: user.compute.ok("POST", "/servers", body, headers=headers))
    assert [f"tricircle:{group}" in str(pod.compute.shelf("server_groups")) for pod in cloud].count(True) == 1
    assert user.compute.delete(f"/os-server-groups/{group}").status == 204
    assert [f"tricircle:{group}" in str(pod.compute.shelf("server_groups")) for pod in cloud] == [False, False]
    assert group not in str(gateway.store()["replicas"])
