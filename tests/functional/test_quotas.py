"""Who is refused when a project lives in two pods, and what becomes of what was claimed."""
import sqlite3

import pytest

from tests.functional.background import answer_of, background
from tests.functional.gateway import Gateway, until
from tests.functional.quotas import at_home_in_both, boot, count, open_claims, put
from tests.functional.test_races import race, statuses
from tests.functional.user import IMAGE, User, flavor

MANY = 50


@pytest.fixture
def boss(gateway):
    """The administrator."""
    return User(gateway, "admin")


@pytest.fixture
def user(gateway):
    """A new user in a new project, with something in both pods."""
    return at_home_in_both(gateway)


ASKS = {
    ("compute", "instances", "servers"): lambda user, zone: boot(user, zone),
    ("volume", "volumes", "volumes"): lambda user, zone: user.volume.post(
        "/volumes", {"volume": {"size": 1, "availability_zone": zone}}),
    ("network", "network", "networks"): lambda user, zone: user.network.post(
        "/networks", {"network": {"availability_zone_hints": [zone]}}),
}
WORDS = {
    "compute": (403, {"forbidden": {"code": 403, "message": "Quota exceeded for instances: Requested 1, but already "
                                                            "used 10 of 10 instances"}}),
    "volume": (413, {"overLimit": {"code": 413, "message": "VolumeLimitExceeded: Maximum number of volumes allowed "
                                                           "(10) exceeded for quota 'volumes'.", "retryAfter": "0"}}),
    "network": (409, {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources: ['network'].",
                                       "detail": ""}}),
}


@pytest.mark.parametrize(("service", "name", "shelf"), ASKS)
def test_fifty_race_for_ten(cloud, gateway, boss, service, name, shelf):
    user, ask = User(gateway), ASKS[service, name, shelf]
    flavor(gateway)
    put(boss, user, service, **{name: 10})
    answers = race([lambda zone=zone: ask(user, zone) for zone in ("az1", "az2") * (MANY // 2)])
    good = [answer for answer in answers if answer.status < 300]
    assert len(good) == 10, statuses(answers)
    assert count(cloud, service, shelf, user.project) == 10
    refused = [answer for answer in answers if answer.status >= 300]
    assert [answer.body for answer in refused if answer.status != WORDS[service][0]] == []
    assert open_claims(gateway) == []
    answer = ask(user, "az2")
    assert (answer.status, answer.body) == WORDS[service]


def test_a_volume_that_is_given_to_a_full_project_is_refused_whatever_its_key(cloud, gateway, boss, user):
    """Before a pod says whether it is there: nothing of the giver's is looked at."""
    put(boss, user, "volume", volumes=2)
    for zone in ("az1", "az2"):
        user.disk(zone)
    for collection in ("os-volume-transfer", "volume-transfers"):
        path = f"/{collection}/0d3f6b1e-6f0a-4a8e-9d5e-0123456789ab/accept"
        with cloud.unchanged():
            answer = user.volume.post(path, {"accept": {"auth_key": "k"}})
        assert (answer.status, "volumes allowed (2)" in str(answer.body)) == (413, True)
    assert open_claims(gateway) == []


def test_a_servers_volumes_are_volumes(cloud, gateway, boss, user):
    """Nova makes them where it makes the server."""
    flavor(gateway)
    put(boss, user, "volume", volumes=3, gigabytes=20)
    for zone in ("az1", "az2"):
        user.disk(zone)

    def disks(*sizes):
        return [{"boot_index": number, "uuid": IMAGE, "source_type": "image", "destination_type": "volume",
                 "volume_size": size} for number, size in enumerate(sizes)]

    with cloud.unchanged():
        for wanted in (disks(1, 1), disks(19)):
            assert boot(user, "az1", block_device_mapping_v2=wanted).status == 403
        assert boot(user, "az1", block_device_mapping_v2=disks(1), min_count=2).status == 403
    assert boot(user, "az1", block_device_mapping_v2=disks(18)).status == 202
    assert open_claims(gateway) == []


def test_fifty_race_in_a_pod_that_counts_late(cloud, gateway, boss):
    """Nova counts a server only when its conductor has got to it."""
    user = User(gateway)
    flavor(gateway)
    put(boss, user, "compute", instances=10)
    for pod in cloud:
        pod.compute.late = True
    try:
        answers = race([lambda zone=zone: boot(user, zone) for zone in ("az1", "az2") * (MANY // 2)])
    finally:
        for pod in cloud:
            pod.compute.late = False
    assert statuses(answers) == {202: 10, 403: 40}
    assert count(cloud, "compute", "servers", user.project) == 10


def test_a_create_that_fails_gives_its_share_back(cloud, gateway, boss, user):
    flavor(gateway)
    put(boss, user, "compute", instances=2)
    for _ in range(5):
        assert boot(user, "az1", imageRef="").status == 400
        cloud["Pod2"].compute.faults.html = 500
        cloud["Pod2"].compute.faults.only = "POST /v2.1/servers"
        assert boot(user, "az2").status == 500
        cloud["Pod2"].recover()
    assert open_claims(gateway) == []
    assert [boot(user, zone).status for zone in ("az1", "az2", "az1")] == [202, 202, 403]


def test_a_waiting_create_gets_what_a_failing_one_gives_back(cloud, gateway, boss, user):
    flavor(gateway)
    put(boss, user, "compute", instances=1)
    stop = cloud.stop_at_write(1, "before", "POST /v2.1/servers$")
    first = background(lambda: boot(user, "az1", imageRef=""))
    assert stop.wait(10)
    second = background(lambda: boot(user, "az2"))
    stop.release()
    assert answer_of(first).status == 400
    assert answer_of(second).status == 202


def test_the_first_step_into_a_second_pod(cloud, gateway, boss):
    """Nobody looked how much the first create takes: the second one waits until the pod counts it."""
    user = User(gateway)
    user.net("az1")
    flavor(gateway)
    put(boss, user, "compute", instances=1)
    stop = cloud.stop_at_write(1, "before", "POST /v2.1/servers$")
    first = background(lambda: boot(user, "az1"))
    assert stop.wait(10)
    calls = cloud["Pod2"].compute.faults.calls
    calls[:] = []
    second = background(lambda: boot(user, "az2"))
    until(lambda: any(path.endswith("/detail") for _, path in list(calls)))
    stop.release()
    assert answer_of(first).status == 202
    assert answer_of(second).status == 403


def test_killed_between_claim_and_answer(cloud, boss, tmp_path):
    own = Gateway(cloud, tmp_path).start().register()
    try:
        user = User(own)
        for zone in ("az1", "az2"):
            user.net(zone)
        flavor(own)
        put(boss, user, "compute", instances=1)
        stop = cloud.stop_at_write(1, "before", "POST /v2.1/servers$")
        pending = background(lambda: boot(user, "az1"))
        assert stop.wait(10)
        own.api.kill()
        stop.drop()
        answer_of(pending)
        assert len({row[0] for row in open_claims(own)}) == 1
        with sqlite3.connect(own.folder / "state" / "tricircle.sqlite", timeout=10) as db:
            db.execute("UPDATE quota_claims SET until = 0")    # the test does not wait for it
        own.start()
        user = User(own, user.token)
        assert boot(user, "az2").status == 202
        assert open_claims(own) == []
    finally:
        own.stop()


def test_unlimited(gateway, boss, user):
    flavor(gateway)
    put(boss, user, "compute", instances=-1, cores=-1)
    assert {boot(user, zone).status for zone in ("az1", "az2") * 7} == {202}


def test_several_servers_at_once(cloud, gateway, boss, user):
    flavor(gateway)
    put(boss, user, "compute", instances=5)
    assert boot(user, "az2", min_count=2).status == 202
    answer = boot(user, "az1", min_count=4)
    assert (answer.status, answer["forbidden"]["message"]) == (
        403, "Quota exceeded for instances: Requested 4, but already used 2 of 5 instances")
    assert boot(user, "az1", min_count=1, max_count=9).status == 202
    assert count(cloud, "compute", "servers", user.project) == 5
    answer = boot(user, "az1", min_count=1, max_count=9)
    assert (answer.status, answer["forbidden"]["message"]) == (
        403, "Quota exceeded for instances: Requested 1-9, but already used 5 of 5 instances")


def test_resize_and_server_groups(gateway, boss, user):
    flavor(gateway)
    if boss.compute.get("/flavors/wide").status == 404:
        body = {"flavor": {"name": "wide", "id": "wide", "ram": 64, "vcpus": 4, "disk": 1}}
        boss.compute.ok("POST", "/flavors", body)
    ids = [boot(user, zone)["server"]["id"] for zone in ("az1", "az2")]
    put(boss, user, "compute", cores=5, server_groups=1)
    for id in ids:
        user.compute.ok("GET", f"/servers/{id}")
    resize = {"resize": {"flavorRef": "wide"}}
    assert user.compute.post(f"/servers/{ids[0]}/action", resize).status == 202
    answer = user.compute.post(f"/servers/{ids[1]}/action", resize)
    assert (answer.status, answer["forbidden"]["message"]) == (
        403, "Quota exceeded for cores: Requested 3, but already used 5 of 5 cores")
    body = {"server_group": {"name": "g", "policies": ["affinity"]}}
    assert user.compute.post("/os-server-groups", body).status == 200
    answer = user.compute.post("/os-server-groups", body)
    assert (answer.status, answer["forbidden"]["message"]) == (403, "Quota exceeded, too many server groups.")


def test_gigabytes_snapshots_and_growing(gateway, boss, user):
    ids = [user.disk(zone, size=3) for zone in ("az1", "az2")]
    put(boss, user, "volume", gigabytes=9, snapshots=1)
    for id in ids:
        until(lambda id=id: user.volume.ok("GET", f"/volumes/{id}")["volume"]["status"] == "available")
    grow = {"os-extend": {"new_size": 7}}
    answer = user.volume.post(f"/volumes/{ids[1]}/action", grow)
    assert (answer.status, answer["overLimit"]["message"], answer.headers["Retry-After"]) == (
        413, "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
             "Requested 4G, quota is 9G and 6G has been consumed.", "0")
    assert user.volume.post("/snapshots", {"snapshot": {"volume_id": ids[0]}}).status == 202
    put(boss, user, "volume", gigabytes=-1)
    answer = user.volume.post("/snapshots", {"snapshot": {"volume_id": ids[1]}})
    assert (answer.status, answer["overLimit"]["message"]) == (
        413, "SnapshotLimitExceeded: Maximum number of snapshots allowed (1) exceeded")
    kind = next(name for name in user.volume.ok("GET", f"/os-quota-sets/{user.project}")["quota_set"]
                if name.startswith("volumes_"))
    put(boss, user, "volume", **{kind: 2})
    answer = user.volume.post("/volumes", {"volume": {"size": 1, "availability_zone": "az2"}})
    assert (answer.status, answer["overLimit"]["message"]) == (
        413, f"VolumeLimitExceeded: Maximum number of volumes allowed (2) exceeded for quota '{kind}'.")


def test_a_pod_that_is_down_counts_as_it_did_last(cloud, gateway, boss, user):
    flavor(gateway)
    put(boss, user, "compute", instances=3)
    assert [boot(user, zone).status for zone in ("az1", "az1")] == [202, 202]
    cloud["Pod1"].compute.faults.used = True
    cloud["Pod1"].compute.server.refuse()
    assert [boot(user, "az2").status for _ in range(2)] == [202, 403]
    answer = user.compute.get(f"/os-quota-sets/{user.project}/detail")
    assert answer["quota_set"]["instances"]["limit"] == 3
    assert answer.headers["X-Tricircle-Unreachable-Pods"] == "Pod1"


def test_the_number_holds_before_every_pod_was_told(cloud, gateway, boss, user):
    flavor(gateway)
    cloud["Pod2"].compute.faults.used = True
    cloud["Pod2"].compute.server.refuse()
    put(boss, user, "compute", instances=12)
    cloud["Pod2"].recover()
    assert {boot(user, "az1").status for _ in range(11)} == {202}


def test_one_pod_is_asked_nothing_more(cloud, gateway):
    user = User(gateway)
    user.net("az1")
    for pod in cloud:
        pod.network.faults.calls[:] = []
    user.net("az1")
    calls = [call for pod in cloud for call in pod.network.faults.calls]
    assert calls == [("POST", "/v2.0/networks")]


def test_ports_of_servers(gateway, boss, user):
    flavor(gateway)
    nets = {zone: user.wired(zone)[0] for zone in ("az1", "az2")}
    put(boss, user, "network", port=2)
    assert boot(user, "az1", networks=[{"uuid": nets["az1"]}]).status == 202
    assert boot(user, "az2", networks=[{"uuid": nets["az2"]}]).status == 202
    for row in user.compute.ok("GET", "/servers")["servers"]:
        user.compute.ok("GET", f"/servers/{row['id']}")
    answer = boot(user, "az2", networks=[{"uuid": nets["az2"]}])
    assert (answer.status, answer["forbidden"]["message"]) == (403, "Maximum number of ports exceeded")
    answer = user.network.post("/ports", {"port": {"network_id": nets["az1"]}})
    assert (answer.status, answer["NeutronError"]["type"]) == (409, "OverQuota")
