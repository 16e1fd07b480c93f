"""What a project has in a pod is in its lists and counted, however it came there and whatever the store knows of it."""
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.client import Client
from tests.functional.gateway import ROOTS, Gateway, until
from tests.functional.user import User

# (service, list, its records): of all kinds that live in one pod.
LISTS = (("compute", "/servers", "servers"), ("compute", "/servers/detail", "servers"),
         ("compute", "/os-server-groups", "server_groups"), ("volume", "/volumes", "volumes"),
         ("volume", "/volumes/detail", "volumes"), ("volume", "/snapshots", "snapshots"),
         ("network", "/networks", "networks"), ("network", "/subnets", "subnets"), ("network", "/ports", "ports"),
         ("network", "/routers", "routers"))
RARELY = 0.1   # questions a second: what a list has shown is believed for ten seconds


@pytest.fixture(scope="module")
def trusting(cloud, tmp_path_factory):
    """A gateway that believes for long what its lists have shown."""
    made = Gateway(cloud, tmp_path_factory.mktemp("trusting"), processes=1, pods=f"empty_pod_rate = {RARELY}")
    made.start().register()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def fresh(cloud, tmp_path_factory):
    """A gateway that knows nothing of what the pods have."""
    made = Gateway(cloud, tmp_path_factory.mktemp("fresh"), processes=1).start().register()
    yield made
    made.stop()


def straight(cloud, pod, service, user) -> Client:
    """The user's client at a pod, past the gateway."""
    return Client(getattr(cloud[pod], service).server.url + ROOTS[service], user.token.id)


def listed(user) -> dict[tuple[str, str], list[str]]:
    """Ids in each of a user's lists."""
    headers = {"OpenStack-API-Version": "compute 2.37, volume 3.0"}
    return {(service, path): sorted(row["id"] for row in getattr(user, service).ok("GET", path, headers=headers)[key])
            for service, path, key in LISTS}


def lose_routings(gateway) -> None:
    """Drop what the store knows of homes."""
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.execute("DELETE FROM routings")


def disk_at(cloud, pod, user) -> str:
    """A volume that the user makes straight at a pod."""
    return straight(cloud, pod, "volume", user).ok("POST", "/volumes", {"volume": {"size": 1}})["volume"]["id"]


def test_made_before_the_pod_was_registered(cloud, gateway, fresh):
    """Reports 4: a volume that was made straight at the second pod, of a project that is bound to the first."""
    user = User(gateway)
    here, there = user.disk("az1"), disk_at(cloud, "Pod2", user)
    for each in (user, User(fresh, user.token)):
        assert sorted(row["id"] for row in each.volume.ok("GET", "/volumes")["volumes"]) == sorted([here, there])
        assert [row["id"] for row in each.volume.ok("GET", "/volumes?limit=1&sort=created_at")["volumes"]] == [there]
        summary = each.volume.ok("GET", "/volumes/summary")["volume-summary"]
        assert (summary["total_count"], summary["total_size"]) == (2, 2)
        assert each.volume.ok("GET", "/limits")["limits"]["absolute"]["totalVolumesUsed"] == 2


def test_a_gateway_that_knows_nothing_lists_the_same(cloud, gateway, fresh):
    user = User(gateway)
    for zone in ("az1", "az2"):
        network = user.wired(zone)[0]
        user.boot(network, zone)
        user.volume.ok("POST", "/snapshots", {"snapshot": {"volume_id": user.disk(zone)}})
    user.make("routers", name="r")
    user.compute.ok("POST", "/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}})
    before = listed(user)
    assert listed(User(fresh, user.token)) == before
    lose_routings(gateway)
    assert listed(user) == before


STEPS = st.lists(st.sampled_from(["disk az1", "disk az2", "boot az1", "boot az2", "delete", "list", "lose", "accept"]),
                 min_size=3, max_size=12)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_lists_are_whole_at_any_moment(cloud, trusting, steps):
    """However long a pod is believed to be empty: what comes through Tricircle is listed at once."""
    user, other = User(trusting), User(trusting)
    other.disk("az2")
    held: dict[str, set] = {"volumes": set(), "servers": set()}
    for step in steps:
        verb, _, zone = step.partition(" ")
        if verb == "disk":
            held["volumes"].add(user.disk(zone))
        elif verb == "boot":
            held["servers"].add(user.boot(None, zone))
        elif verb == "lose":
            lose_routings(trusting)
        elif verb == "accept":
            held["volumes"].add(accept(other, other.disk("az2"), user))
        elif verb == "delete" and held["volumes"]:
            gone = sorted(held["volumes"])[0]
            held["volumes"].discard(gone)
            user.volume.ok("DELETE", f"/volumes/{gone}")
        for service, kind in (("volume", "volumes"), ("compute", "servers")):
            shown = getattr(user, service).ok("GET", f"/{kind}")[kind]
            assert {row["id"] for row in shown} == held[kind], (step, kind)


def accept(giver, volume, taker) -> str:
    """Let another project take a volume; its id."""
    transfer = giver.volume.ok("POST", "/volume-transfers", {"transfer": {"volume_id": volume}})["transfer"]
    body = {"accept": {"auth_key": transfer["auth_key"]}}
    taker.volume.ok("POST", f"/volume-transfers/{transfer['id']}/accept", body)
    return volume


def test_a_volume_that_was_accepted_is_listed(cloud, trusting):
    """Reports 24: of a project that was not in the volume's pod, and is known to have had nothing there."""
    user, giver = User(trusting), User(trusting)
    here = user.disk("az1")
    assert [row["id"] for row in user.volume.ok("GET", "/volumes")["volumes"]] == [here]
    taken = accept(giver, giver.disk("az2"), user)
    assert {row["id"] for row in user.volume.ok("GET", "/volumes")["volumes"]} == {here, taken}
    assert giver.volume.ok("GET", "/volumes")["volumes"] == []


def test_an_empty_pod_is_asked_again_in_a_while(cloud, tmp_path):
    own = Gateway(cloud, tmp_path, processes=1, pods="empty_pod_rate = 1").start().register()
    try:
        user = User(own)
        here = user.disk("az1")
        with cloud.log.listening(user.token.user.name) as calls:
            for _ in range(20):
                user.volume.ok("GET", "/volumes")
        assert [sum(call.startswith(f"{pod} volume GET") for call in calls) for pod in ("Pod1", "Pod2")] == [20, 1]
        there = disk_at(cloud, "Pod2", user)
        until(lambda: {row["id"] for row in user.volume.ok("GET", "/volumes")["volumes"]} == {here, there}, 5)
    finally:
        own.stop()


def test_a_quota_counts_what_was_made_straight_at_a_pod(cloud, gateway):
    user, boss = User(gateway), User(gateway, "admin")
    boss.volume.ok("PUT", f"/os-quota-sets/{user.project}", {"quota_set": {"volumes": 2}})
    for _ in range(2):
        disk_at(cloud, "Pod2", user)
    refused = user.volume.post("/volumes", {"volume": {"size": 1, "availability_zone": "az1"}})
    assert refused.status == 413, refused.raw
