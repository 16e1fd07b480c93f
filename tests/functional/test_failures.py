"""A pod fails in every way it can: what the user gets, within which time, who is not held up, and what is left."""
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from types import SimpleNamespace

import pytest

from tests.functional.failures import COLLECTIONS, DEADLINES, FAILURES, Town
from tests.functional.gateway import UNREACHABLE, Gateway, figure, until
from tests.functional.user import flavor
from tricircle.upstream.client import PATIENCE_SECONDS

SLACK = 15.0  # seconds, for a busy machine
LOOK, AGAIN = "look before you repeat it", "ry again later"
FORMATS = {"compute": ("serviceUnavailable", "computeFault"), "volume": ("serviceUnavailable", "computeFault"),
           "network": ("NeutronError",)}


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    """One that waits for a few seconds only, soon hears of Keystone's changes, and has no breaker in the way."""
    made = Gateway(cloud, tmp_path_factory.mktemp("failures"), processes=1, threads=32, breaker_failures=10**6,
                   pods="catalogue_seconds = 0.5", **DEADLINES)
    yield made.start().register()
    made.stop()


@pytest.fixture(scope="module", params=FAILURES, ids=lambda failure: failure.name)
def case(request, cloud, gateway):
    """What was said to a user while Pod2 failed, what it was told meanwhile, and what was left; it is well again."""
    town, failure, mark = Town(gateway), request.param, len(cloud.log)
    counted = lambda: figure(gateway, "tricircle_pod_requests_total", pod="Pod2", status=failure.counted)  # noqa: E731
    before = counted()
    failure.begin(cloud["Pod2"])
    if failure.name.startswith("region"):
        until(lambda: town.calls()["show networks in Pod2"]().status == failure.status)
    said = town.ask_all()
    seen = counted() - before
    store, written = gateway.store(), cloud.writes(mark)
    cloud.recover()
    until(lambda: town.calls()["show networks in Pod2"]().status == 200)
    return SimpleNamespace(town=town, failure=failure, said=said, seen=seen, store=store, written=written)


def there(case):
    """(what, said) of the calls that only Pod2 can answer."""
    return [(what, said) for what, said in case.said.items() if what.endswith("Pod2")]


def message(what, answer):
    """The message of an error, which is in the format of the service that was called."""
    collection = what.split()[1]
    (key, value), = answer.body.items()
    assert key in FORMATS[COLLECTIONS[collection]], (what, answer.raw)
    assert value.get("code", answer.status) == answer.status
    return value["message"]


def test_lists_have_what_the_others_have_and_name_the_pod(case):
    for collection in COLLECTIONS:
        said = case.said[f"list {collection}"]
        assert (said.answer.status, said.answer.headers[UNREACHABLE]) == (200, "Pod2")
        ids = {row["id"] for row in said.answer[collection]}
        assert case.town.has["Pod1"][collection] in ids
        assert case.town.has["Pod2"][collection] not in ids
        assert said.seconds < DEADLINES["list_deadline"] + SLACK


def test_what_only_that_pod_has_is_an_error_that_says_what_to_do(case):
    for what, said in there(case):
        assert said.answer.status == case.failure.expected(what), (what, said.answer.raw)
        if said.answer.status >= 300:
            words = message(what, said.answer)
            assert "pod Pod2" in words
            assert LOOK in words or AGAIN in words, (what, words)
            if what.startswith("show") or said.answer.status == 503:
                assert AGAIN in words


def test_it_is_said_in_time(case):
    for what, said in there(case):
        counting = DEADLINES["list_deadline"] if what.startswith("create") else 0   # what the project has of its quota
        assert said.seconds < DEADLINES["deadline"] + counting + SLACK, what


def test_the_other_pod_goes_on(case):
    for what, said in case.said.items():
        if what.endswith("in Pod1"):
            assert said.answer.status < 300, (what, said.answer.raw)
            counting = DEADLINES["list_deadline"] if what.startswith("create") else 0
            assert said.seconds < counting + DEADLINES["deadline"], f"{what} has waited for Pod2"


def test_the_operator_sees_it(case):
    assert case.seen >= len(there(case)) // 2


def test_who_is_not_told_to_look_has_changed_nothing(case):
    mine = [(write.method, write.service, write.path) for write in case.written
            if write.pod == "Pod2" and write.who == case.town.user.token.user.name]
    for what, said in there(case):
        verb, collection, *_ = what.split()
        method = {"create": "POST", "change": "PUT", "delete": "DELETE"}.get(verb)
        if said.answer.status >= 300 and LOOK not in message(what, said.answer):
            assert [write for write in mine if write[0] == method and f"/{collection}" in write[2]] == [], what


def test_nothing_is_left_in_the_store(case):
    claims, ended = case.store["quota_claims"], -1
    assert claims
    assert [row for row in claims if row[ended] is None] == [], "a claim on the quota is still in flight"
    project = case.town.user.project
    assert [row for row in case.store["replicas"] if project in row and None in row[:3]] == [], "a claimed replica"
    # Rules that a replica could not be given at once are owed to it.
    assert [row for row in case.store["jobs"] if project in row and "security_group" not in row] == []


def test_what_was_asked_for_is_found_or_made_again_and_deleted(case):
    """An error did nothing, or left something that the user sees; then he repeats what he wanted, and cleans up."""
    for collection, service in COLLECTIONS.items():
        said = case.said[f"create {collection} in Pod2"].answer
        found = case.town.named(collection, "new-Pod2")
        assert len(found) <= 1
        if said.status == 503:
            assert found == []
        again = case.town.create(collection, "Pod2", "new-Pod2")
        assert again.status < 300, again.raw
        client = getattr(case.town.user, service)
        for each in case.town.named(collection, "new-Pod2"):
            assert client.get(f"/{collection}/{each}").status == 200
            assert client.delete(f"/{collection}/{each}").status < 300
        assert case.town.named(collection, "new-Pod2") == []
    network = case.town.has["Pod2"]["networks"]
    changed = case.town.user.network.ok("PUT", f"/networks/{network}", {"network": {"name": "again"}})
    assert changed["network"]["name"] == "again"


def test_500_on_every_third_call(cloud, gateway):
    """The pod's own words go through, as do the calls between them, and a list never shows the half as the whole."""
    town = Town(gateway)
    faults, what = cloud["Pod2"].network.faults, town.calls()
    faults.every = 3
    shown = [what["show networks in Pod2"]() for _ in range(6)]
    assert [answer.status for answer in shown] == [200, 200, 500] * 2
    assert shown[2].headers["X-Tricircle-Pod"] == "Pod2"
    assert shown[2]["computeFault"]["message"] == "Unexpected API Error."
    lists = [what["list networks"]() for _ in range(6)]
    assert [answer.headers.get(UNREACHABLE) for answer in lists] == [None, None, "Pod2"] * 2
    names = [f"third-{number}" for number in range(12)]
    made = {name: town.create("networks", "Pod2", name) for name in names}
    assert {answer.status for answer in made.values()} <= {201, 500, 502}
    assert {answer.status for answer in made.values()} > {201}
    cloud.recover()
    for name, answer in made.items():
        assert len(town.named("networks", name)) == (answer.status == 201), name
    assert [row for row in gateway.store()["quota_claims"] if row[-1] is None] == []


def test_a_region_goes_while_its_pod_is_at_work(cloud, gateway):
    """What the pod has done is told as done; and what is the same in every pod is told by another one."""
    town = Town(gateway)
    stop = cloud.stop_at_write(1, "after", "POST /v2.0/networks")
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(town.create, "networks", "Pod2", "late")
        assert stop.wait()
        cloud["Pod2"].withdraw()
        until(lambda: town.calls()["show networks in Pod2"]().status == 503)
        stop.release()
        answer = pending.result(20)
    assert answer.status == 201, answer.raw
    cloud.recover()
    cloud["Pod1"].withdraw()
    until(lambda: town.calls()["show networks in Pod1"]().status == 503)
    shown = town.user.compute.get(f"/flavors/{flavor(gateway)}")
    assert (shown.status, shown.headers["X-Tricircle-Pod"]) == (200, "Pod2")
    cloud.recover()
    assert until(lambda: town.calls()["show networks in Pod1"]().status == 200)


def test_many_calls_to_a_silent_pod_leave_threads_for_the_others(cloud, tmp_path):
    """Half of the threads may hang until the deadline, which is far away here; the others are for who is there."""
    own = Gateway(cloud, tmp_path, processes=1, threads=8, deadline=60, list_deadline=60).start().register()
    town = Town(own)
    show = {pod: town.calls()[f"show networks in {pod}"] for pod in ("Pod1", "Pod2")}
    faults = cloud["Pod2"].network.faults
    faults.silent, faults.calls[:] = True, []
    try:
        with ThreadPoolExecutor(20) as pool:
            hanging = [pool.submit(show["Pod2"]) for _ in range(4)]
            until(lambda: len(faults.calls) == 4)
            began = monotonic()
            until(lambda: monotonic() > began + PATIENCE_SECONDS)   # until then it may just be slow
            spared = [pool.submit(show["Pod2"]) for _ in range(12)]
            assert [call.result(20).status for call in spared] == [503] * 12
            assert "enough calls wait" in spared[0].result()["NeutronError"]["message"]
            assert [pool.submit(show["Pod1"]).result(20).status for _ in range(20)] == [200] * 20
            assert not any(call.done() for call in hanging)
            cloud.recover()
            assert {call.result(20).status for call in hanging} <= {200, 502}
    finally:
        cloud.recover()
        own.stop()
