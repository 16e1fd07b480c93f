"""Lists over both pods: merged, paged, and honest about a pod that does not answer."""
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.functional.client import Client
from tests.functional.gateway import children, until
from tests.functional.user import User, flavor

UNREACHABLE = "X-Tricircle-Unreachable-Pods"
LISTS = [("compute", "/servers", "servers"), ("compute", "/servers/detail", "servers"),
         ("volume", "/volumes", "volumes"), ("volume", "/volumes/detail", "volumes"),
         ("network", "/networks", "networks")]


@pytest.fixture(scope="module")
def rich(gateway):
    """A user with three of each in each pod: (user, {list: ids by pod})."""
    user = User(gateway)
    ids = {"servers": {}, "volumes": {}, "networks": {}}
    for zone, pod in (("az1", "Pod1"), ("az2", "Pod2")):
        ids["networks"][pod] = [user.net(zone) for _ in range(3)]
        ids["servers"][pod] = [user.boot(None, zone) for _ in range(3)]
        ids["volumes"][pod] = [user.disk(zone) for _ in range(3)]
    return user, ids


def together(ids):
    """Ids of both pods."""
    return sorted(id for part in ids.values() for id in part)


def walk(client, path, key, limit, follow):
    """All ids by pages of `limit`, by the links of the answers or by plain last ids as the SDKs do."""
    seen, marker, url = [], None, f"{path}?limit={limit}"
    for _ in range(100):
        body = client.ok("GET", url)
        page = [row["id"] for row in body[key]]
        assert len(page) <= limit
        seen += page
        links = [link["href"] for link in body.get(f"{key}_links", []) if link["rel"] == "next"]
        if follow == "links":
            if not links:
                return seen
            url = links[0]
        else:
            if not page:
                return seen
            marker = page[-1]
            url = f"{path}?limit={limit}&marker={marker}"
    raise AssertionError("paging does not end")


@pytest.mark.parametrize(("service", "path", "key"), LISTS)
def test_both_pods_in_one_list(rich, service, path, key):
    user, ids = rich
    assert sorted(row["id"] for row in getattr(user, service).ok("GET", path)[key]) == together(ids[key])


@pytest.mark.parametrize(("service", "path", "key", "none"), [
    ("compute", "/servers", "servers", True), ("compute", "/servers/detail", "servers", True),
    ("volume", "/volumes", "volumes", True), ("network", "/networks", "networks", False)])
def test_a_limit_of_nought(rich, service, path, key, none):
    """Nova and Cinder show nothing then, Neutron everything."""
    answer = getattr(rich[0], service).ok("GET", f"{path}?limit=0")
    assert (answer[key] == []) is none
    assert f"{key}_links" not in answer


@pytest.mark.parametrize("follow", ["links", "last id"])
@pytest.mark.parametrize("limit", [1, 2, 4, 6, 50])
@pytest.mark.parametrize(("service", "path", "key"), LISTS)
def test_pages_show_everything_once(rich, service, path, key, limit, follow):
    user, ids = rich
    seen = walk(getattr(user, service), path, key, limit, follow)
    assert sorted(seen) == together(ids[key])


@pytest.mark.parametrize(("service", "path", "key"), LISTS)
def test_an_unknown_marker_is_refused(rich, service, path, key):
    answer = getattr(rich[0], service).get(f"{path}?limit=1&marker=11111111-2222-4333-8444-999999999999")
    assert answer.status in (400, 404)


@pytest.mark.parametrize("collection", ["subnets", "security-groups", "security-group-rules", "qos/policies"])
def test_an_unknown_marker_is_passed_over_where_neutron_does_so(rich, collection):
    user, _ = rich
    if collection == "subnets":
        for network in together(rich[1]["networks"])[::3]:
            user.subnet(network)
    listed = [page_of(user.network, f"/{collection}?limit=1{more}", collection)[0]
              for more in ("", "&marker=11111111-2222-4333-8444-999999999999")]
    assert listed[0] == listed[1]


def test_a_list_does_not_begin_again_while_the_markers_pod_is_away(cloud, gateway):
    user = User(gateway)
    marker = user.make("security-groups", name="g", description="")["id"]
    holder, = [pod for pod in cloud if marker in pod.network.shelf("security-groups")]
    assert user.network.get(f"/security-groups?limit=1&marker={marker}").status == 200
    holder.refuse()
    answer = user.network.get(f"/security-groups?limit=1&marker={marker}&sort_key=name&sort_dir=asc")
    assert (answer.status, holder.name in str(answer.body)) == (503, True)


def page_of(client, url, collection):
    """(ids, {rel: url}) of one page."""
    body, key = client.ok("GET", url), collection.rpartition("/")[2].replace("-", "_")
    return [row["id"] for row in body[key]], {link["rel"]: link["href"] for link in body.get(f"{key}_links", [])}


def test_links_lead_to_the_empty_page_and_back(rich):
    user, ids = rich
    pages, links = [], {"next": "/networks?limit=1"}
    while "next" in links:
        page, links = page_of(user.network, links["next"], "networks")
        pages += page
    assert (page, pages) == ([], together(ids["networks"]))
    while "previous" in links:
        page, links = page_of(user.network, links["previous"], "networks")
        assert page == pages[-1:]
        pages = pages[:-1]


@pytest.mark.parametrize(("service", "path", "key"), [
    ("network", "/extensions", "extensions"), ("network", "/availability_zones", "availability_zones"),
    ("network", "/agents", "agents"), ("compute", "/os-services", "services")])
def test_lists_of_which_a_service_cuts_no_pages(gateway, service, path, key):
    client = getattr(User(gateway, "admin"), service)
    whole = client.ok("GET", path)
    assert len(whole[key]) > 1
    assert client.ok("GET", f"{path}?limit=1") == whole


@pytest.mark.parametrize("query", ["name=nothing", "name=nothing&page_reverse=True"])
@pytest.mark.parametrize("collection", ["networks", "ports", "subnets", "subnetpools", "routers", "qos/policies",
                                        "security-groups"])
def test_an_empty_page_has_the_links_of_a_pods(cloud, rich, collection, query):
    user, path = rich[0], f"/{collection}?limit=1&{query}"
    pod = Client(cloud["Pod1"].network.server.url + "/v2.0", user.token.id)
    there = {rel: url.partition("?")[2] for rel, url in page_of(pod, path, collection)[1].items()}
    assert there
    assert {rel: url.partition("?")[2] for rel, url in page_of(user.network, path, collection)[1].items()} == there


def test_a_filter_that_neutron_applies_to_its_pages(cloud, gateway):
    """A page without such a network does not end the list."""
    user, boss = User(gateway), User(gateway, "admin")
    query = f"/networks?provider:network_type=vlan&project_id={user.project}"
    for zone in ("az1", "az2"):
        for _ in range(12):
            user.net(zone)
        made = user.net(zone)
        rows = cloud[{"az1": "Pod1", "az2": "Pod2"}[zone]].network.shelf("networks")
        last = "f" * 35 + zone[-1]
        rows[last] = rows.pop(made) | {"id": last, "provider:network_type": "vlan"}
    seen, url = [], f"{query}&limit=1"
    for _ in range(3):
        page, links = page_of(boss.network, url, "networks")
        seen.append(page)
        url = links.get("next")
    assert [len(page) for page in seen] == [1, 1, 0]
    whole = boss.network.ok("GET", query)["networks"]
    assert [id for page in seen for id in page] == [row["id"] for row in whole]


def test_behind_a_server_that_is_gone(cloud, gateway):
    """Nova takes a deleted server for a marker, and does not show it; nor is a stranger's one."""
    user, stranger, made = User(gateway), User(gateway), []
    for second in range(6):
        pod = ("Pod1", "Pod2")[second % 2]
        made.append(user.boot(None, {"Pod1": "az1", "Pod2": "az2"}[pod]))
        cloud[pod].compute.shelf("servers")[made[-1]]["created"] = f"2026-01-01T00:00:0{second}Z"
    newest = made[::-1]
    assert user.compute.delete(f"/servers/{newest[2]}").status == 204
    assert user.compute.get(f"/servers/{newest[2]}").status == 404
    for path in ("/servers", "/servers/detail"):
        page = user.compute.ok("GET", f"{path}?limit=2&marker={newest[2]}")["servers"]
        assert [server["id"] for server in page] == newest[3:5]
    for zone in ("az1", "az2"):
        stranger.boot(None, zone)
    assert stranger.compute.get(f"/servers?limit=2&marker={newest[2]}").status == 400


def test_sorting_goes_over_both_pods(gateway):
    user = User(gateway)
    for name, zone in (("b", "az1"), ("a", "az2"), ("d", "az2"), ("c", "az1")):
        user.net(zone, name=name)
        user.boot(None, zone, name=name)
        user.disk(zone, name=name)
    for client, path, key in ((user.network, "/networks", "networks"), (user.compute, "/servers", "servers"),
                              (user.volume, "/volumes", "volumes")):
        sort = "sort_key=name" if key != "servers" else "sort_key=display_name"
        up = [row["name"] for row in client.ok("GET", f"{path}?{sort}&sort_dir=asc")[key]]
        assert up == ["a", "b", "c", "d"]
        down = [row["name"] for row in client.ok("GET", f"{path}?{sort}&sort_dir=desc&limit=3")[key]]
        assert down == ["d", "c", "b"]


def test_filters_and_fields_hold_in_both_pods(rich):
    user, ids = rich
    wanted = ids["networks"]["Pod2"][1]
    rows = user.network.ok("GET", f"/networks?id={wanted}&id={ids['networks']['Pod1'][0]}&fields=id")["networks"]
    assert sorted(row["id"] for row in rows) == sorted([wanted, ids["networks"]["Pod1"][0]])
    assert all(set(row) == {"id"} for row in rows)
    name = user.network.ok("GET", f"/networks/{wanted}")["network"]["name"]
    assert [row["id"] for row in user.network.ok("GET", f"/networks?name={name}")["networks"]] == [wanted]


def test_fields_that_are_dressed_leave_pages_and_links_as_they_are(rich):
    """What is asked for besides is seen neither in the records nor in the links.

    `fields=` asks for nothing less, but Neutron's core records are cut to it.
    """
    user, _ = rich
    user.make("routers", name="r")
    page = user.network.ok("GET", "/routers?fields=status&limit=1")
    assert [set(router) for router in page["routers"]] == [{"status"}]
    assert {part for link in page["routers_links"] for part in link["href"].partition("?")[2].split("&")
            if part.startswith("fields=")} == {"fields=status"}
    whole = user.network.ok("GET", "/routers")["routers"]
    assert user.network.ok("GET", "/routers?fields=")["routers"] == whole
    networks = user.network.ok("GET", "/networks")["networks"]
    assert user.network.ok("GET", "/networks?fields=")["networks"] == [{}] * len(networks)
    assert user.network.ok("GET", f"/networks/{networks[0]['id']}?fields=")["network"] == {}


def test_filtering_by_the_users_zone(rich):
    user, ids = rich
    rows = user.volume.ok("GET", "/volumes/detail?availability_zone=az2")["volumes"]
    assert sorted(row["id"] for row in rows) == sorted(ids["volumes"]["Pod2"])


@pytest.mark.parametrize(("service", "path", "key"), LISTS)
def test_a_dead_pod_is_named_and_not_fatal(cloud, rich, service, path, key):
    user, ids = rich
    cloud["Pod2"].refuse()
    answer = getattr(user, service).get(path)
    assert answer.status == 200
    assert answer.headers[UNREACHABLE] == "Pod2"
    assert sorted(row["id"] for row in answer[key]) == sorted(ids[key]["Pod1"])


@pytest.mark.parametrize("fault", [{"silent": True}, {"half": True}, {"drip": 0.3}, {"html": 502}, {"html": 200},
                                   {"every": 1}])
@pytest.mark.parametrize(("service", "path", "key"), [LISTS[1], LISTS[3], LISTS[4]])
def test_a_broken_answer_is_never_an_empty_one(cloud, rich, service, path, key, fault):
    user, ids = rich
    for name, value in fault.items():
        setattr(getattr(cloud["Pod1"], service).faults, name, value)
    start = time.monotonic()
    answer = getattr(user, service).get(path)
    assert time.monotonic() - start < 6, "list_deadline is 3 s in these tests"
    assert answer.status == 200
    assert answer.headers[UNREACHABLE] == "Pod1"
    assert sorted(row["id"] for row in answer[key]) == sorted(ids[key]["Pod2"])


@pytest.mark.parametrize(("service", "path", "key"), LISTS)
def test_no_pod_at_all_is_an_error_in_the_services_words(cloud, rich, service, path, key):
    for pod in cloud:
        pod.refuse()
    answer = getattr(rich[0], service).get(path)
    assert answer.status == 503
    assert list(answer.body) == ["NeutronError" if service == "network" else "serviceUnavailable"]
    assert answer.headers["content-type"].startswith("application/json")


def test_a_dead_pods_own_things_are_an_error_and_the_others_work(cloud, rich):
    user, ids = rich
    cloud["Pod2"].refuse()
    for client, path, key in ((user.compute, "/servers", "servers"), (user.volume, "/volumes", "volumes"),
                              (user.network, "/networks", "networks")):
        answer = client.get(f"{path}/{ids[key]['Pod2'][0]}")
        assert answer.status == 503, "a thing in a dead pod is not gone"
        assert client.get(f"{path}/{ids[key]['Pod1'][0]}").status == 200


def test_a_load_balancers_page_becomes_the_services_error(cloud, rich):
    user, ids = rich
    cloud["Pod1"].compute.faults.html = 502
    answer = user.compute.get(f"/servers/{ids['servers']['Pod1'][0]}")
    assert answer.status in (502, 503)
    assert answer.headers["content-type"].startswith("application/json")
    (fault,) = answer.body.values()
    assert fault["code"] == answer.status
    assert "<html>" not in fault["message"]


def test_a_pod_that_comes_back_is_listed_again(cloud, rich):
    user, ids = rich
    cloud["Pod2"].refuse()
    for _ in range(8):
        user.network.ok("GET", "/networks")          # the breaker opens
    start = time.monotonic()
    assert user.network.get("/networks").headers[UNREACHABLE] == "Pod2"
    assert time.monotonic() - start < 1
    cloud["Pod2"].recover()
    answer = until(lambda: UNREACHABLE not in (found := user.network.get("/networks")).headers and found)
    assert sorted(row["id"] for row in answer["networks"]) == together(ids["networks"])


def test_a_silent_pod_does_not_eat_the_gateway(cloud, gateway, rich):
    """Sixty callers at once: each gets what the living pod has, and then the breaker spares the next ones the wait."""
    user, _ = rich
    cloud["Pod1"].network.faults.silent = True
    start = time.monotonic()
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda _: user.network.get("/networks"), range(60)))
    assert time.monotonic() - start < 15, "60 callers, 32 threads, 3 s each"
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers[UNREACHABLE] for answer in answers} == {"Pod1"}
    cloud["Pod1"].recover()
    for client, path in ((user.compute, "/servers"), (user.volume, "/volumes"), (user.admin, "/")):
        assert client.get(path).status < 500
    threads = [len(os.listdir(f"/proc/{pid}/task")) for pid in children(gateway.api.process.pid)]
    assert max(threads) < 4 * 16 + 128 + 20, "four ports, the pool for pods, and a few of Python's own"
    gateway.settle()      # the fixture sees no fault any more, the breakers do


def test_paging_goes_on_while_a_pod_dies(cloud, rich):
    user, ids = rich
    first = [row["id"] for row in user.network.ok("GET", "/networks?limit=2")["networks"]]
    cloud["Pod2"].refuse()
    answer = user.network.get(f"/networks?limit=50&marker={first[-1]}")
    assert answer.status == 200, "also where the marker is in the dead pod: how far the others have got is known"
    assert answer.headers[UNREACHABLE] == "Pod2"
    seen = first + [row["id"] for row in answer["networks"]]
    assert len(seen) == len(set(seen))
    assert set(ids["networks"]["Pod1"]) <= set(seen)


def test_an_administrator_sees_all_projects(cloud, gateway, rich):
    _, ids = rich
    boss = User(gateway, "admin")
    seen = {row["id"] for row in boss.compute.ok("GET", "/servers?all_tenants=1")["servers"]}
    assert set(together(ids["servers"])) <= seen
    seen = {row["id"] for row in boss.volume.ok("GET", "/volumes?all_tenants=1")["volumes"]}
    assert set(together(ids["volumes"])) <= seen
    assert boss.compute.ok("GET", "/servers")["servers"] == []


def test_versions_and_extensions_are_the_intersection(cloud, gateway):
    """Pods on different releases: a client must not be told more than the oldest one speaks."""
    nova, client = cloud["Pod2"].compute, gateway.client("compute", None)
    root = f"http://127.0.0.1:{gateway.ports['compute']}/"
    version = next(v for v in client.get(root)["versions"] if v["id"] == "v2.1")
    assert (version["min_version"], version["version"]) == ("2.1", "2.93")
    assert client.ok("GET", "")["version"]["id"] == "v2.1"
    volume = gateway.client("volume", None).get(f"http://127.0.0.1:{gateway.ports['volume']}/")["versions"]
    assert [(v["id"], v["version"]) for v in volume] == [("v3.0", "3.70")]
    assert nova.high == (2, 93)


def test_neutrons_extensions_are_those_of_all_pods(cloud, gateway):
    network = cloud["Pod2"].network
    kept = network.templates
    network.templates = {**kept, "extensions": [e for e in kept["extensions"] if e["alias"] != "extraroute-atomic"]}
    try:
        aliases = [e["alias"] for e in User(gateway).network.ok("GET", "/extensions")["extensions"]]
    finally:
        network.templates = kept
    assert len(aliases) == len(set(aliases))
    assert "router" in aliases
    assert "extraroute-atomic" not in aliases


def test_flavors_are_listed_once(gateway):
    flavor(gateway)
    ids = [row["id"] for row in User(gateway).compute.ok("GET", "/flavors")["flavors"]]
    assert ids.count("tiny") == 1


@pytest.mark.parametrize("version", [None, "3.58", "3.59"])
@pytest.mark.parametrize("collection", ["volume-transfers", "os-volume-transfer"])
def test_transfers_are_listed_at_every_microversion(gateway, collection, version):
    """Before 3.59 Cinder finds none where it is asked for pages, and it lists the oldest first."""
    user = User(gateway)
    made = [user.volume.ok("POST", "/volume-transfers", {"transfer": {"volume_id": user.disk(zone)}})["transfer"]["id"]
            for zone in ("az1", "az2", "az1")]
    asked = {"OpenStack-API-Version": f"volume {version}"} if version else {}
    newest_first = version == "3.59" and collection == "volume-transfers"
    for rest in ("", "/detail"):
        rows = user.volume.ok("GET", f"/{collection}{rest}", headers=asked)["transfers"]
        assert [row["id"] for row in rows] == (made[::-1] if newest_first else made)
        assert ("created_at" in rows[0]) == bool(rest)


def test_links_have_a_marker_also_where_no_id_is_asked_for(rich):
    user, _ = rich
    page, names = user.network.ok("GET", "/networks?limit=1&fields=name"), []
    while page["networks"]:
        assert all(set(record) == {"name"} for record in page["networks"])
        names += [record["name"] for record in page["networks"]]
        following = next((link["href"] for link in page["networks_links"] if link["rel"] == "next"), None)
        page = user.network.ok("GET", following.partition("/v2.0")[2]) if following else {"networks": []}
    assert sorted(names) == sorted(record["name"] for record in user.network.ok("GET", "/networks")["networks"])


@pytest.mark.parametrize(("service", "path", "key"), [
    ("compute", "/servers", "servers"), ("volume", "/volumes", "volumes"), ("volume", "/snapshots", "snapshots")])
def test_fields_are_neutrons_alone(rich, service, path, key):
    """Nova and Cinder do not know the parameter, and a repeated one breaks Cinder."""
    user, _ = rich
    client = getattr(user, service)
    assert client.ok("GET", f"{path}?fields=name")[key] == client.ok("GET", path)[key]
