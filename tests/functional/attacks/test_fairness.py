"""One project, or people without a token, cannot take all threads of a port."""
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.functional.gateway import Gateway, figure, until
from tests.functional.user import User

THREADS, MANY, SLOW = 8, 20, 2.0
# Port: what is slow, as the pods see it; B's request; and the error in the service's own format.
PORTS = {
    "compute": ("GET /v2.1/servers/detail", "/servers/detail", lambda body: body["overLimit"]["code"]),
    "volume": ("GET /v3/.*volumes/detail", "/volumes/detail", lambda body: body["overLimit"]["code"]),
    "network": ("GET /v2.0/networks", "/networks?name=none", lambda body: {"HTTPTooManyRequests": 429}[
        body["NeutronError"]["type"]]),
}
LIGHT = {"compute": "/flavors", "volume": "/types", "network": "/extensions"}


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    """One process with few threads."""
    made = Gateway(cloud, tmp_path_factory.mktemp("fair"), processes=1, threads=THREADS, list_deadline=10,
                   project_share=0.5)
    yield made.start().register()
    made.stop()


def begin(pool, cloud, service, pattern, call):
    """Many calls of somebody, which take their time in the pods; returns when those that are let in are there.

    There are more of them than threads: the others wait for a part, and would hold all threads if they held any.
    """
    for pod in cloud:
        faults = getattr(pod, service).faults
        faults.only, faults.slow, faults.calls[:] = pattern, SLOW, []
    calls = [pool.submit(call) for _ in range(MANY)]
    first = getattr(next(iter(cloud)), service).faults
    until(lambda: sum(re.search(pattern, f"{method} {path}") is not None for method, path, *_ in first.calls)
          >= THREADS // 2)
    return calls


@pytest.mark.parametrize("service", PORTS)
def test_a_project_has_half_of_the_threads(cloud, gateway, service):
    pattern, path, code = PORTS[service]
    a, b = User(gateway), User(gateway)
    for user in (a, b):   # their tokens are known
        assert getattr(user, service).get(LIGHT[service]).status == 200
    before = figure(gateway, "tricircle_refused_total", what="threads", whose="project")
    with ThreadPoolExecutor(MANY) as pool:
        calls = begin(pool, cloud, service, pattern, lambda: getattr(b, service).get(path))
        began = time.monotonic()
        assert getattr(a, service).get(LIGHT[service]).status == 200
        assert time.monotonic() - began < SLOW / 2
        answers = [call.result() for call in calls]
    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} == {200, 429}
    assert len(answers) - len(refused) >= THREADS // 2
    assert {code(answer.body) for answer in refused} == {429}
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert figure(gateway, "tricircle_refused_total", what="threads", whose="project") == before + len(refused)
    cloud.recover()
    with ThreadPoolExecutor(THREADS // 2) as pool:   # all of the share has come back
        again = [pool.submit(getattr(b, service).get, path) for _ in range(THREADS // 2)]
        assert {call.result().status for call in again} == {200}


def test_a_project_that_has_its_part_is_let_in_when_some_of_that_is_done(cloud, gateway):
    """Not every client comes again after a 429: python-novaclient does not."""
    user = User(gateway)
    for pod in cloud:
        pod.compute.faults.only, pod.compute.faults.slow = "GET /v2.1/servers/detail", 0.3
    with ThreadPoolExecutor(THREADS) as pool:
        calls = [pool.submit(user.compute.get, "/servers/detail") for _ in range(THREADS)]
        assert {call.result().status for call in calls} == {200}


def test_a_request_that_waits_is_answered_before_the_process_ends(cloud, tmp_path):
    own = Gateway(cloud, tmp_path, processes=1, threads=2, project_share=0.5).start().register()
    try:
        user = User(own)
        faults = next(iter(cloud)).compute.faults
        faults.only, faults.slow = "GET /v2.1/(flavors|servers/detail)", 0.5
        with ThreadPoolExecutor(2) as pool:
            # Two at once, so that two connections are open: one that nobody has accepted ends with the process.
            list(pool.map(user.compute.get, ["/flavors"] * 2))
            faults.calls.clear()
            calls = [pool.submit(user.compute.get, "/servers/detail") for _ in range(2)]
            until(lambda: faults.calls)
            own.api.terminate()
            assert [call.result().status for call in calls] == [200, 200]
    finally:
        own.stop()


def test_without_a_token_nobody_takes_all_threads(cloud, gateway):
    """Version documents are open, and asked of the pods."""
    user, nobody = User(gateway), gateway.client("compute", None)
    assert user.compute.get("/flavors").status == 200
    root = nobody.url.rpartition("/")[0]
    with ThreadPoolExecutor(MANY) as pool:
        for pod in cloud:
            pod.compute.faults.only, pod.compute.faults.slow = "GET /(v2.1/?)?$", SLOW
        calls = [pool.submit(nobody.get, f"{root}{path}") for path in ("/", "/v2.1/") for _ in range(MANY // 2)]
        began = time.monotonic()
        assert user.compute.get("/flavors").status == 200
        assert time.monotonic() - began < SLOW / 2
        assert {call.result().status for call in calls} <= {200, 300, 429}


def test_a_slow_keystone_leaves_threads_for_who_is_known(cloud, gateway):
    """Unknown tokens are checked by half of the threads, as soon as that takes long."""
    user = User(gateway)
    network = user.net("az1")
    nobody = gateway.client("network", None)
    assert user.network.get(f"/networks/{network}").status == 200
    cloud.keystone.faults.slow = SLOW
    assert nobody.get("/networks", headers={"X-Auth-Token": "gAAAA"}).status == 401, "that it is slow is known now"
    with ThreadPoolExecutor(MANY) as pool:
        calls = [pool.submit(nobody.get, "/networks", headers={"X-Auth-Token": f"gAAAA{n}"}) for n in range(MANY)]
        until(lambda: sum(call.done() for call in calls) >= MANY - THREADS // 2)
        began = time.monotonic()
        assert user.network.get(f"/networks/{network}").status == 200
        assert time.monotonic() - began < SLOW / 2
        assert {call.result().status for call in calls} == {401, 503}
    cloud.recover()
    until(lambda: user.network.get(f"/networks/{network}").status == 200)
