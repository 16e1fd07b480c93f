"""Hypervisors, services, aggregates: what belongs to pods, seen through the big region."""
import pytest

from tests.functional.user import IMAGE, User, flavor, holders

HEADER = "X-Tricircle-Pod"


@pytest.fixture
def boss(gateway):
    return User(gateway, "admin")


@pytest.mark.parametrize("version", ["2.1", "2.53"])
def test_every_pods_hypervisors_are_listed_and_shown_by_their_ids(cloud, boss, version):
    headers = {"OpenStack-API-Version": f"compute {version}"}
    rows = boss.compute.ok("GET", "/os-hypervisors", headers=headers)["hypervisors"]
    assert [row["hypervisor_hostname"] for row in rows] == ["pod1-node", "pod2-node"]
    assert len({row["id"] for row in rows}) == 2
    for row in rows:
        shown = boss.compute.ok("GET", f"/os-hypervisors/{row['id']}", headers=headers)["hypervisor"]
        assert (shown["hypervisor_hostname"], shown["id"]) == (row["hypervisor_hostname"], row["id"])
    assert boss.compute.get("/os-hypervisors/9009", headers={"OpenStack-API-Version": "compute 2.1"}).status == 404


@pytest.mark.parametrize(("pattern", "names"), [("node", ["pod1-node", "pod2-node"]), ("pod2", ["pod2-node"])])
def test_hypervisors_are_searched_for_in_every_pod(boss, gateway, pattern, names):
    for rest in ("search", "servers"):
        found = boss.compute.ok("GET", f"/os-hypervisors/{pattern}/{rest}")["hypervisors"]
        assert [row["hypervisor_hostname"] for row in found] == names
        assert boss.compute.get(f"/os-hypervisors/nowhere/{rest}").status == 404
        assert User(gateway).compute.get(f"/os-hypervisors/{pattern}/{rest}").status == 403


def test_an_aggregate_without_a_pod_is_made_in_the_first(cloud, gateway):
    boss = User(gateway, gateway.cloud.identity.newcomer(("admin", "member")))
    boss.net("az2")    # his project's pod has nothing to do with it
    made = boss.compute.ok("POST", "/os-aggregates", {"aggregate": {"name": "rack"}})["aggregate"]
    assert len(cloud["Pod1"].compute.shelf("aggregates")) == 1
    boss.compute.ok("DELETE", f"/os-aggregates/{made['id']}")


def test_statistics_and_summaries_are_sums(boss, gateway):
    statistics = boss.compute.ok("GET", "/os-hypervisors/statistics")["hypervisor_statistics"]
    alone = boss.compute.ok("GET", "/os-hypervisors/statistics", headers={HEADER: "Pod1"})["hypervisor_statistics"]
    assert (statistics["count"], statistics["vcpus"]) == (2, 2 * alone["vcpus"])


def test_an_aggregate_is_made_changed_and_deleted_in_its_pod(cloud, boss):
    body = {"aggregate": {"name": "rack", "availability_zone": "basement"}}
    made = boss.compute.ok("POST", "/os-aggregates", body, headers={HEADER: "Pod2"})["aggregate"]
    try:
        assert made["availability_zone"] == "basement"
        listed = boss.compute.ok("GET", "/os-aggregates")["aggregates"]
        assert [row["name"] for row in listed] == ["ag_Pod1", "ag_Pod2", "rack"]
        assert listed[-1]["id"] == made["id"]
        assert boss.compute.ok("GET", f"/os-aggregates/{made['id']}")["aggregate"]["name"] == "rack"
        body = {"add_host": {"host": "pod2-node"}}
        grown = boss.compute.ok("POST", f"/os-aggregates/{made['id']}/action", body)["aggregate"]
        assert (grown["id"], grown["hosts"]) == (made["id"], ["pod2-node"])
        boss.compute.ok("POST", f"/os-aggregates/{made['id']}/action", {"remove_host": {"host": "pod2-node"}})
    finally:
        boss.compute.ok("DELETE", f"/os-aggregates/{made['id']}")
    assert boss.compute.get(f"/os-aggregates/{made['id']}").status == 404
    assert cloud["Pod2"].compute.shelf("aggregates") == {}


def test_the_aggregate_of_a_pod_is_not_changed_as_an_aggregate(cloud, boss):
    own = boss.compute.ok("GET", "/os-aggregates")["aggregates"][0]
    with cloud.unchanged():
        answer = boss.compute.delete(f"/os-aggregates/{own['id']}")
        assert (answer.status, list(answer.body)) == (409, ["conflictingRequest"])
        assert boss.compute.post(f"/os-aggregates/{own['id']}/action", {"add_host": {"host": "x"}}).status == 409


def test_zones_in_detail_are_for_administrators_and_show_their_hosts(boss, gateway):
    rows = boss.compute.ok("GET", "/os-availability-zone/detail")["availabilityZoneInfo"]
    assert {row["zoneName"] for row in rows} == {"az1", "az2", "internal"}
    assert all(row["hosts"] for row in rows)
    assert User(gateway).compute.get("/os-availability-zone/detail").status == 403


@pytest.mark.parametrize("pod", ["Pod1", "Pod2"])
@pytest.mark.parametrize("field", ["host", "hypervisor_hostname"])
def test_a_server_goes_to_the_pod_of_the_host_that_it_names(boss, cloud, gateway, pod, field):
    body = {"name": "vm", "imageRef": IMAGE, "flavorRef": flavor(gateway), "networks": "none"}
    asked = {"OpenStack-API-Version": "compute 2.74"}
    made = boss.compute.ok("POST", "/servers", {"server": {**body, field: f"{pod.lower()}-node"}}, headers=asked)
    assert holders(cloud, "compute", "servers", made["server"]["id"]) == [pod]
    nowhere = boss.compute.post("/servers", {"server": {**body, field: "mars"}}, headers=asked)
    assert (nowhere.status, "mars" in str(nowhere.body)) == (400, True)
    body[field] = f"{pod.lower()}-node"
    assert User(gateway).compute.post("/servers", {"server": body}, headers=asked).status == 403


def test_who_sees_aggregates_is_said_by_the_pods(cloud, boss, gateway):
    """In Nova's words, also about the aggregates that stand for pods."""
    number = boss.compute.ok("GET", "/os-aggregates")["aggregates"][0]["id"]
    member = User(gateway)
    for verb, path, body in (("GET", "", None), ("GET", f"/{number}", None), ("DELETE", f"/{number}", None),
                             ("POST", f"/{number}/action", {"add_host": {"host": "x"}})):
        answer = member.compute.call(verb, f"/os-aggregates{path}", body)
        assert (answer.status, "os_compute_api:os-aggregates:index" in str(answer.body)) == (403, True)
        if verb != "GET":
            assert boss.compute.call(verb, f"/os-aggregates{path}", body).status == 409


@pytest.mark.parametrize(("path", "member", "words"), [
    ("types", "volume_type", "Volume Type {} already exists."),
    ("qos-specs", "qos_specs", "QoS Specs {} already exists.")])
def test_a_name_that_is_taken_is_refused_in_cinders_words(boss, path, member, words):
    body = {member: {"name": f"taken-{member}"}}
    boss.volume.ok("POST", f"/{path}", body)
    answer = boss.volume.post(f"/{path}", body)
    assert (answer.status, answer["conflictingRequest"]["message"]) == (409, words.format(body[member]["name"]))


def test_hosts_and_services_are_in_the_users_zones(boss):
    """Each pod calls its zone `nova`; where no servers run is `internal` everywhere."""
    rows = boss.compute.ok("GET", "/os-hosts")["hosts"]
    assert {(row["host_name"], row["zone"]) for row in rows if row["service"] == "compute"} == {
        ("pod1-node", "az1"), ("pod2-node", "az2")}
    assert {row["zone"] for row in rows if row["service"] != "compute"} == {"internal"}
    for zone in ("az1", "az2", "internal", "nova"):
        assert boss.compute.ok("GET", f"/os-hosts?zone={zone}")["hosts"] == [row for row in rows if row["zone"] == zone]
    assert boss.compute.ok("GET", "/os-hosts?zone=")["hosts"] == rows
    for service in (boss.compute, boss.volume):
        assert {row["zone"] for row in service.ok("GET", "/os-services")["services"]} <= {"az1", "az2", "internal"}
        one = service.ok("GET", "/os-services", headers={HEADER: "Pod2"})["services"]
        assert {row["zone"] for row in one} - {"internal"} == {"az2"}


def test_a_service_of_any_pod_is_disabled(boss):
    """By an id that no pod shows alone."""
    asked = {"OpenStack-API-Version": "compute 2.53"}
    rows = boss.compute.ok("GET", "/os-services", headers=asked)["services"]
    assert len({row["id"] for row in rows}) == len(rows) > 1
    for row in rows:
        made = boss.compute.ok("PUT", f"/os-services/{row['id']}", {"status": "disabled"}, headers=asked)["service"]
        assert (made["id"], made["status"], made["zone"]) == (row["id"], "disabled", row["zone"])
    assert {row["status"] for row in boss.compute.ok("GET", "/os-services", headers=asked)["services"]} == {"disabled"}
    nowhere = boss.compute.call("PUT", "/os-services/99999999-9999-4999-8999-999999999999", {"status": "disabled"},
                                headers=asked)
    assert nowhere.status == 404
    for row in rows:
        boss.compute.ok("PUT", f"/os-services/{row['id']}", {"status": "enabled"}, headers=asked)


def test_nobody_else_sees_any_of_it(gateway):
    user = User(gateway)
    for path in ("/os-hypervisors", "/os-services", "/os-aggregates", "/os-hypervisors/statistics",
                 "/os-hosts/pod1-node"):
        assert user.compute.get(path).status == 403


def test_neutrons_own_document_needs_a_token(gateway):
    root = f"http://127.0.0.1:{gateway.ports['network']}"
    assert gateway.client("network", None).get(f"{root}/v2.0/").status == 401
    shown = User(gateway).network.ok("GET", f"{root}/v2.0/")
    assert shown["resources"][0]["links"][0]["href"].startswith(root)


def test_a_summary_says_its_microversion(boss):
    answer = boss.volume.get("/volumes/summary", headers={"OpenStack-API-Version": "volume 3.36"})
    assert (answer.status, answer.headers["OpenStack-API-Version"]) == (200, "volume 3.36")
    assert answer.headers["Vary"]


def test_a_trailing_slash_is_no_list(boss):
    assert boss.volume.get("/volumes/").status == 404
    assert boss.compute.get("/servers/").status == 404


def test_a_tag_takes_any_body(boss):
    network = boss.net("az2")
    assert boss.network.put(f"/networks/{network}/tags/red", "{}").status == 201
    assert boss.network.ok("GET", f"/networks/{network}")["network"]["tags"] == ["red"]
    boss.network.ok("DELETE", f"/networks/{network}")


def test_cinders_services_are_those_of_the_host_or_of_all_pods(cloud, gateway, boss, monkeypatch):

    def levels(**body):
        rows = boss.volume.ok("PUT", "/os-services/get-log", {"binary": "*", **body})["log_levels"]
        return {row["host"]: row["levels"]["cinder"] for row in rows}

    for pod in cloud:
        monkeypatch.setattr(pod.volume, "log_level", "INFO")
    assert levels() == levels(server="") == {"pod1-node": "INFO", "pod2-node": "INFO"}
    assert levels(server="pod2-node") == {"pod2-node": "INFO"}
    assert boss.volume.put("/os-services/set-log", {"level": "DEBUG", "server": "pod2-node"}).status == 202
    assert levels() == {"pod1-node": "INFO", "pod2-node": "DEBUG"}
    assert boss.volume.put("/os-services/set-log", {"level": "ERROR"}).status == 202
    assert levels() == {"pod1-node": "ERROR", "pod2-node": "ERROR"}
    for body, hosts in (({}, ["pod1-node", "pod2-node"]), ({"host": "pod2-node"}, ["pod2-node"])):
        answer = boss.volume.put("/workers/cleanup", body)
        assert (answer.status, [each["host"] for each in answer["unavailable"]]) == (202, hosts)
    for path in ("/os-services/get-log", "/os-services/set-log", "/workers/cleanup"):
        body = {"level": "DEBUG", "host": "pod2-node", "server": "pod2-node"}
        assert User(gateway).volume.put(path, body).status == 403
