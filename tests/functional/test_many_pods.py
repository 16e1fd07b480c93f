"""A gateway of many pods: pages go over all of them, at one call to each, and cursors outlive a process."""

import pytest

from tests.functional.client import Client
from tests.functional.gateway import Gateway
from tests.functional.many import stock
from tests.functional.standin import Cloud
from tests.functional.user import User

PODS, SERVERS = 12, 150


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """(cloud, gateway, a user, his servers, the newest first)."""
    cloud = Cloud(PODS)
    gateway = Gateway(cloud, tmp_path_factory.mktemp("crowd")).start().register()
    user = User(gateway)
    for pod in gateway.pods.values():
        body = {"pod_binding": {"tenant_id": user.project, "pod_id": pod["pod_id"]}}
        gateway.client("admin", "admin").ok("POST", "/bindings", body)
    yield cloud, gateway, user, stock(cloud, user.project, SERVERS)
    gateway.stop()
    cloud.close()


def walk(client, query, key="servers", start=""):
    """All ids, by plain last ids."""
    found, marker = [], start
    while page := client.ok("GET", query + (f"&marker={marker}" if marker else ""))[key]:
        found += [row["id"] for row in page]
        marker = found[-1]
    return found


def calls(cloud):
    """GETs of lists that the pods have had so far."""
    return sum(path.startswith("/v2.1/servers") for pod in cloud for _, path in pod.compute.faults.calls)


def seconds(cloud):
    """{server id: when it was created, as shown}."""
    return {id: row["created"] for pod in cloud for id, row in pod.compute.shelf("servers").items()}


@pytest.mark.parametrize("path", ["/servers", "/servers/detail"])
@pytest.mark.parametrize("limit", [7, 50, 1000])
def test_everything_once_and_the_newest_first(crowd, path, limit):
    cloud, _, user, servers = crowd
    seen = walk(user.compute, f"{path}?limit={limit}")
    assert sorted(seen) == sorted(servers)
    created = seconds(cloud)
    assert [created[id] for id in seen] == [created[id] for id in servers]


def test_the_short_list_is_short(crowd):
    rows = crowd[2].compute.ok("GET", "/servers?limit=5")["servers"]
    assert all(set(row) == {"id", "name", "links"} for row in rows)


def test_a_page_costs_one_call_to_each_pod(crowd):
    cloud, _, user, servers = crowd
    before = calls(cloud)
    assert len(walk(user.compute, "/servers/detail?limit=10")) == len(servers)
    assert calls(cloud) - before == PODS * (SERVERS // 10 + 1)


def test_a_marker_typed_by_hand_leads_to_the_same_place(crowd):
    """No cursor is kept for it; its neighbours of the same second stand by pod."""
    user = crowd[2]
    whole = walk(user.compute, "/servers/detail?limit=1000")
    other = "&unknown=1"      # Nova passes over what it does not know; for cursors it is another list
    for place in (0, 37, SERVERS - 2):
        rows = user.compute.ok("GET", f"/servers/detail?limit=20&marker={whole[place]}{other}")["servers"]
        assert [row["id"] for row in rows] == whole[place + 1:place + 21]


@pytest.mark.parametrize("sort", ["sort_key=display_name&sort_dir=asc", "sort_key=status&sort_key=display_name",
                                  "sort_key=uuid&sort_dir=asc", "sort_key=nothing_known"])
def test_any_sorting_shows_everything_once(crowd, sort):
    _, _, user, servers = crowd
    assert sorted(walk(user.compute, f"/servers/detail?limit=9&{sort}")) == sorted(servers)


def test_sorted_by_name(crowd):
    _, _, user, servers = crowd
    assert walk(user.compute, "/servers/detail?limit=9&sort_key=display_name&sort_dir=asc") == servers[::-1]


def test_filters_go_to_the_pods(crowd):
    rows = crowd[2].compute.ok("GET", "/servers?limit=50&name=vm0000")["servers"]
    assert sorted(row["name"] for row in rows) == [f"vm0000{n}" for n in range(10)]


def test_links_lead_to_the_end_and_keep_the_question(crowd):
    _, _, user, servers = crowd
    body, seen = user.compute.ok("GET", "/servers?limit=30&name=vm"), []
    while True:
        seen += [row["id"] for row in body["servers"]]
        links = body.get("servers_links")
        if not links:
            break
        assert "name=vm" in links[0]["href"]
        body = user.compute.ok("GET", links[0]["href"])
    assert sorted(seen) == sorted(servers)


def test_a_pod_that_comes_back_between_two_pages_is_not_passed_over(crowd):
    cloud, gateway, user, servers = crowd
    cloud["Pod3"].refuse()
    answer = user.compute.get("/servers/detail?limit=40")
    assert answer.headers["X-Tricircle-Unreachable-Pods"] == "Pod3"
    first = [row["id"] for row in answer["servers"]]
    cloud.recover()
    gateway.settle()
    seen = first + walk(user.compute, "/servers/detail?limit=40", start=first[-1])
    assert sorted(seen) == sorted(servers)


def test_all_tenants_and_limits_that_are_none(crowd):
    _, gateway, user, servers = crowd
    boss = User(gateway, "admin")
    assert boss.compute.ok("GET", "/servers?limit=5")["servers"] == []
    assert sorted(walk(boss.compute, "/servers?all_tenants=1&limit=60")) == sorted(servers)
    for limit in ("-1", "x", "1.5"):
        answer = user.compute.get(f"/servers?limit={limit}")
        assert answer.status == 400, limit
        assert "badRequest" in answer.body
    assert len(user.compute.ok("GET", "/servers?limit=99999999999999999999")["servers"]) == SERVERS


@pytest.mark.parametrize("marker", ["nonsense", "11111111-2222-4333-8444-999999999999", "%00", "a" * 300])
def test_an_unknown_marker_is_refused_in_the_services_words(crowd, marker):
    user = crowd[2]
    for client, path, status in ((user.compute, "/servers", 400), (user.volume, "/volumes", 404),
                                 (user.network, "/networks", 404)):
        answer = client.get(f"{path}?limit=2&marker={marker}")
        assert answer.status == status, (path, answer.raw)


@pytest.fixture(scope="module")
def nets(crowd):
    """Ids of a user's networks over all pods, sorted."""
    cloud, _, user, _ = crowd
    made = [Client(pod.network.server.url + "/v2.0", user.token.id).ok(
        "POST", "/networks", {"network": {"name": f"n{number % 5}"}})["network"]["id"]
        for number, pod in enumerate([*cloud] * 2)]
    return sorted(made)


def test_by_id_unless_said_otherwise(crowd, nets):
    assert walk(crowd[2].network, "/networks?limit=5", "networks") == nets


@pytest.mark.parametrize("sort", ["", "&sort_key=name&sort_dir=desc",
                                  "&sort_key=name&sort_dir=asc&sort_key=id&sort_dir=desc"])
def test_backwards_is_the_mirror_of_forwards(crowd, nets, sort):
    client = crowd[2].network
    there, last = follow(client, f"/networks?limit=5{sort}", "next")
    assert sorted(id for page in there for id in page) == nets
    back, _ = follow(client, last["previous"], "previous")
    assert [*back[::-1], there[-1]] == there


def follow(client, url, rel):
    """(ids of each page, links of the last one that has any records)."""
    pages, links = [], {rel: url}
    while rel in links:
        body = client.ok("GET", links[rel])
        if not body["networks"]:
            break
        pages.append([row["id"] for row in body["networks"]])
        links = {link["rel"]: link["href"] for link in body.get("networks_links", [])}
    return pages, links


def test_the_last_page_first(crowd, nets):
    body = crowd[2].network.ok("GET", "/networks?limit=4&page_reverse=True")
    assert [row["id"] for row in body["networks"]] == nets[-4:]


def test_fields_are_cut_after_sorting(crowd, nets):
    rows = crowd[2].network.ok("GET", "/networks?limit=50&fields=id&sort_key=name&sort_dir=asc")["networks"]
    assert sorted(row["id"] for row in rows) == nets
    assert all(set(row) == {"id"} for row in rows)


def test_a_cursor_that_is_deleted_in_its_pod_breaks_nothing(crowd, nets):
    """Every row of the first page but the marker goes: they are where the other pods would have gone on."""
    cloud, _, user, _ = crowd
    first = [row["id"] for row in user.network.ok("GET", "/networks?limit=10")["networks"]]
    kept = {}
    for pod in cloud:
        shelf = pod.network.shelf("networks")
        for id in set(first[:-1]) & set(shelf):
            kept[id] = (shelf, shelf.pop(id))
    rest = walk(user.network, "/networks?limit=10", "networks", first[-1])
    for id, (shelf, row) in kept.items():
        shelf[id] = row
    assert first + rest == nets


def test_a_marker_that_is_deleted_is_gone(crowd, nets):
    cloud, _, user, _ = crowd
    first = [row["id"] for row in user.network.ok("GET", "/networks?limit=3")["networks"]]
    shelf = next(pod.network.shelf("networks") for pod in cloud if first[-1] in pod.network.shelf("networks"))
    row = shelf.pop(first[-1])
    answer = user.network.get(f"/networks?limit=3&marker={first[-1]}")
    shelf[first[-1]] = row
    assert answer.status == 404
    assert answer["NeutronError"]["type"] == "NetworkNotFound"


def test_offset_counts_over_all_pods(crowd):
    cloud, _, user, _ = crowd
    for number, pod in enumerate([*cloud][:4] * 2):
        client = Client(f"{pod.volume.server.url}/v3/{user.project}", user.token.id)
        client.ok("POST", "/volumes", {"volume": {"size": 1, "name": f"v{number}"}})
    names = [row["name"] for row in user.volume.ok("GET", "/volumes/detail")["volumes"]]
    assert names == [f"v{number}" for number in range(7, -1, -1)]
    rows = user.volume.ok("GET", "/volumes/detail?limit=3&offset=2")["volumes"]
    assert [row["name"] for row in rows] == names[2:5]
