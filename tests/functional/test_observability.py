"""What an operator sees of the gateway: its health, its figures, the lines of its log."""
import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from tests.functional.gateway import SERVICES, figure, until
from tests.functional.scene import PATIENCE
from tests.functional.user import User, holders


@pytest.fixture
def user(gateway):
    return User(gateway)


def lines(gateway, logger, log="api.log", **wanted):
    """The lines of a logger with these fields, each as {field: value}."""
    found = []
    for line in (gateway.folder / log).read_text().splitlines():
        if f" INFO {logger} " in line:
            fields = dict(re.findall(r"(\w+)=(\S*)", line.split(logger, 1)[1]))
            if wanted.items() <= fields.items():
                found.append(fields)
    return found


def health(gateway, service, accept="text/plain"):
    answer = urllib3.request("GET", f"http://{gateway.host}:{gateway.ports[service]}/healthcheck", retries=False,
                             headers={"Accept": accept})
    return answer.status, answer.data.decode()


@pytest.mark.parametrize("service", SERVICES)
def test_the_healthcheck_drains_and_asks_nobody(cloud, gateway, service):
    cloud.keystone.refuse()
    for pod in cloud:
        pod.refuse()
    drain = gateway.folder / "state" / "disabled"
    assert health(gateway, service) == (200, "OK\nOK")
    drain.touch()
    try:
        assert health(gateway, service) == (503, "DISABLED BY FILE\nOK")
        status, body = health(gateway, service, "application/json")
        assert (status, json.loads(body)["reasons"]) == (503, ["DISABLED BY FILE", "OK"])
    finally:
        drain.unlink()
    assert health(gateway, service)[0] == 200


def test_the_healthcheck_tells_that_the_store_is_lost_but_not_where_it_was(gateway):
    store = gateway.folder / "state" / "tricircle.sqlite"
    store.rename(store.with_suffix(".away"))
    try:
        assert health(gateway, "compute") == (503, "OK\nDATABASE UNUSABLE")
    finally:
        store.with_suffix(".away").rename(store)
    assert health(gateway, "compute")[0] == 200


def _at_once(user, number):
    """So many requests, each over a new connection: one at a time would go to the process that wakes first."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda _: user.network.ok("GET", "/networks", headers={"Connection": "close"}),
                             range(number)))


def test_figures_of_two_processes_add_up(gateway, user):
    counted = [gateway.folder / "state" / "metrics" / f"counter_api{place}.db" for place in range(2)]
    until(lambda: _at_once(user, 8) and all(path.exists() for path in counted))
    names = {"tricircle_requests_total": {"service": "network", "method": "GET", "status": "200"},
             "tricircle_request_seconds_count": {"service": "network"},
             "tricircle_request_pods_sum": {"service": "network"},
             "tricircle_pod_requests_total": {"pod": "Pod2", "service": "network", "method": "GET", "status": "200"}}
    before = {name: figure(gateway, name, **labels) for name, labels in names.items()}
    for _ in range(20):
        user.network.ok("GET", "/networks")
    more = {name: figure(gateway, name, **labels) - before[name] for name, labels in names.items()}
    assert more == dict(zip(names, (20, 20, 40, 20), strict=True))


def test_figures_have_no_ids_and_no_methods_of_users(gateway, user):
    network = user.net("az1")
    urllib3.request("BREW", f"{user.network.url}/networks/{network}", retries=False)
    text = urllib3.request("GET", f"http://127.0.0.1:{gateway.metrics_port}/metrics", retries=False).data.decode()
    assert network not in text
    assert user.project not in text
    assert "BREW" not in text
    assert 'method="other"' in text


def test_an_id_that_is_known_is_a_hit(gateway, user):
    network = user.net("az1")
    hits, misses = (figure(gateway, "tricircle_lookups_total", outcome=outcome) for outcome in ("hit", "miss"))
    assert user.network.get(f"/networks/{network}").status == 200
    assert user.network.get(f"/networks/{uuid.uuid4()}").status == 404
    assert figure(gateway, "tricircle_lookups_total", outcome="hit") == hits + 1
    assert figure(gateway, "tricircle_lookups_total", outcome="miss") == misses + 1


def test_a_pod_that_is_down_shows(cloud, gateway, user):
    calls = {"pod": "Pod2", "service": "network"}
    assert figure(gateway, "tricircle_breaker_open", **calls) == 0
    lost = figure(gateway, "tricircle_pod_requests_total", **calls, status="unreachable")
    spared = figure(gateway, "tricircle_pod_requests_total", **calls, status="breaker")
    cloud["Pod2"].refuse()
    until(lambda: user.network.get("/networks") and figure(gateway, "tricircle_breaker_open", **calls))
    until(lambda: user.network.get("/networks") and
          figure(gateway, "tricircle_pod_requests_total", **calls, status="breaker") > spared)
    assert figure(gateway, "tricircle_pod_requests_total", **calls, status="unreachable") >= lost + 5
    cloud.recover()
    until(lambda: user.network.get("/networks") and not figure(gateway, "tricircle_breaker_open", **calls))


def test_no_port_of_the_apis_shows_figures(gateway):
    for service in SERVICES:
        answer = urllib3.request("GET", f"http://{gateway.host}:{gateway.ports[service]}/metrics", retries=False)
        assert answer.status == 401


def test_a_request_has_one_line_with_all_its_ids(gateway, user):
    network, mine = user.net("az1"), f"req-{uuid.uuid4()}"
    answer = user.network.get(f"/networks/{network}?fields=id&token={user.token.id}",
                              headers={"X-OpenStack-Request-Id": mine})
    line, = until(lambda: lines(gateway, "tricircle.request", global_request_id=mine))
    assert 0 <= float(line.pop("seconds")) < 20
    assert line == {
        "request_id": answer.headers["X-Tricircle-Request-Id"], "global_request_id": mine,
        "pod_request_id": answer.headers["x-openstack-request-id"], "service": "network", "method": "GET",
        "path": f"/v2.0/networks/{network}", "status": "200", "project": user.project, "user": user.token.user.id,
        "pods": "Pod1"}


def test_a_list_names_the_pods_that_were_asked_and_who_asked(gateway, user):
    answer = user.network.get("/networks", headers={"X-OpenStack-Request-Id": "not one\tof ours"})
    line, = until(lambda: lines(gateway, "tricircle.request", request_id=answer.headers["X-Tricircle-Request-Id"]))
    assert (line["pods"], line["pod_request_id"], line["global_request_id"]) == ("Pod1,Pod2", "-", "-")


def test_a_request_without_a_token_and_a_path_that_would_begin_a_line(gateway):
    answer = gateway.client("network", None).get("/networks/%0AINFO%20x")
    line, = until(lambda: lines(gateway, "tricircle.request", request_id=answer.headers["X-Tricircle-Request-Id"]))
    assert (line["status"], line["project"], line["user"], line["pods"]) == ("400", "-", "-", "-")
    assert line["path"] == "/v2.0/networks/%0AINFO%20x"


def test_a_replica_made_on_demand_is_in_the_audit(cloud, gateway, user):
    group = user.make("security-groups", name="web")["id"]
    home, = holders(cloud, "network", "security-groups", group)
    away = next(pod for pod in cloud if pod.name != home)
    network, _ = user.wired(f"az{away.name[-1]}")
    mark = len(cloud.log)
    answer = user.network.post("/ports", {"port": {"network_id": network, "security_groups": [group]}})
    cause = answer.headers["X-Tricircle-Request-Id"]
    ours = [[write.method, write.path] for write in cloud.writes(mark) if write.who == "tricircle"]
    assert ["POST", "/v2.0/security-groups"] in ours
    told = until(lambda: lines(gateway, "tricircle.audit", cause=cause))
    assert [[line["method"], line["path"]] for line in told] == ours
    assert {line["pod"] for line in told} == {away.name}
    assert {line["status"][0] for line in told} == {"2"}
    said = (gateway.folder / "api.log").read_text()
    assert user.token.id not in said
    assert "standin-secret" not in said


def test_a_change_whose_answer_is_lost_is_in_the_audit(cloud, gateway, user):
    group = user.make("security-groups", name="web")["id"]
    home, = holders(cloud, "network", "security-groups", group)
    away = next(pod for pod in cloud if pod.name != home)
    network, _ = user.wired(f"az{away.name[-1]}")
    away.network.faults.lose = "POST .*/security-groups$"
    answer = user.network.post("/ports", {"port": {"network_id": network, "security_groups": [group]}})
    assert answer.status >= 500
    line, = until(lambda: lines(gateway, "tricircle.audit", cause=answer.headers["X-Tricircle-Request-Id"]))
    assert (line["pod"], line["method"], line["status"]) == (away.name, "POST", "unanswered")


def test_steps_of_a_playbook_are_in_the_workers_audit(cloud, gateway, user, worker):
    kind = {"kind": "security_group", "outcome": "done"}
    before = figure(gateway, "tricircle_job_attempts_total", **kind)
    group = user.make("security-groups", name="web")["id"]
    home, = holders(cloud, "network", "security-groups", group)
    away = next(pod for pod in cloud if pod.name != home)
    network, _ = user.wired(f"az{away.name[-1]}")
    user.make("ports", network_id=network, security_groups=[group])
    mark = len(cloud.log)
    user.make("security-group-rules", security_group_id=group, direction="ingress", protocol="tcp")
    admin = gateway.client("admin", "admin")
    job = until(lambda: admin.ok("GET", f"/jobs?resource_id={group}&state=done")["jobs"], PATIENCE)[0]
    ours = [(write.pod, write.method, write.path) for write in cloud.writes(mark) if write.who == "tricircle"]
    told = lines(gateway, "tricircle.audit", "worker.log", cause=f"security_group:{group}:{job['id']}")
    assert [(line["pod"], line["method"], line["path"]) for line in told] == ours
    assert [line["status"] for line in told] == ["201"]
    assert until(lambda: figure(gateway, "tricircle_job_attempts_total", **kind) > before)
