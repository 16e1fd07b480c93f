"""What one user causes does not take a pod away from the others; what a pod does, all know at once."""
import contextlib
import gzip
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functional.failures import Town
from tests.functional.gateway import UNREACHABLE, Gateway, children, figure, until
from tests.functional.user import User

AT_ONCE = "failed several times in a row"
BODY = b"u" * (2 << 20)


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    """One process, since each has breakers of its own, which open at the third failure and stay so for long."""
    made = Gateway(cloud, tmp_path_factory.mktemp("others"), processes=1, deadline=0.7, list_deadline=0.5,
                   breaker_failures=3, breaker_seconds=1.5)
    yield made.start().register()
    made.stop()


@pytest.fixture
def town(gateway):
    """A, with things in both pods."""
    return Town(gateway)


@pytest.fixture
def attacker(gateway):
    """B, with a server in Pod2."""
    user = User(gateway)
    user.server = user.boot(None, "az2")
    return user


@pytest.fixture(autouse=True)
def closed(cloud, gateway):
    """No breaker is open when the next test begins."""
    yield
    cloud.recover()
    gateway.settle()


def opened(gateway, service="compute"):
    """Whether Prometheus sees the breaker of Pod2's service open."""
    return figure(gateway, "tricircle_breaker_open", pod="Pod2", service=service)


def test_uploads_that_a_pod_cuts_off(cloud, gateway, town, attacker):
    def cut(handler):
        handler.rfile.read(1 << 16)
        handler.close_connection = True

    cloud["Pod2"].compute.faults.spoken["/dump"] = cut
    with ThreadPoolExecutor(4) as pool:
        uploads = [pool.submit(attacker.compute.post, f"/servers/{attacker.server}/dump", raw=BODY,
                               headers={"Content-Type": "x/y"}) for _ in range(8)]
        assert 502 in {call.result().status for call in uploads}
    assert not opened(gateway)
    assert town.calls()["show servers in Pod2"]().status == 200
    assert attacker.compute.get(f"/servers/{attacker.server}").status == 200


@pytest.mark.parametrize("how", [{"silent": True}, {"half": True}, {"drip": 1}])
def test_lists_that_are_too_much_for_a_pod(cloud, gateway, town, attacker, how):
    faults = cloud["Pod2"].compute.faults
    faults.only = "GET /v2.1/servers/detail"
    for name, value in how.items():
        setattr(faults, name, value)
    for _ in range(6):
        assert attacker.compute.get("/servers/detail").headers[UNREACHABLE] == "Pod2"
    assert not opened(gateway)
    assert town.calls()["show servers in Pod2"]().status == 200
    assert town.calls()["create servers in Pod2"]().status == 202


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_an_answer_without_end_is_not_kept(cloud, gateway, town, attacker, coding):
    """64 MiB are; the memory that is looked at is the process's, at its most."""
    piece = b" " * (1 << 20) if coding == "identity" else gzip.compress(b" " * (1 << 20))

    def pour(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Encoding", coding)
        handler.send_header("Connection", "close")
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                handler.wfile.write(piece)

    cloud["Pod2"].compute.faults.spoken["/dump"] = pour
    for _ in range(4):
        answer = attacker.compute.get(f"/servers/{attacker.server}/dump")
        assert answer.status in (502, 503, 504), "the deadline may come first, and then the attacker's own breaker"
    assert not opened(gateway)
    assert town.calls()["show servers in Pod2"]().status == 200
    (pid,) = children(gateway.api.process.pid)
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 400 << 10


def test_whoever_meets_a_silent_pod_alone_fails_fast_alone(cloud, gateway, town, attacker):
    faults = cloud["Pod2"].compute.faults
    faults.silent = True
    path = f"/servers/{attacker.server}"
    said = [attacker.compute.get(path) for _ in range(4)]
    assert [answer.status for answer in said] == [504, 504, 504, 503]
    assert AT_ONCE in said[3]["serviceUnavailable"]["message"]
    assert not opened(gateway)
    mine = town.calls()["show servers in Pod2"]
    assert mine().status == 504, "A has a call of their own"
    assert opened(gateway), "and that is enough"
    third = User(gateway)
    assert third.compute.get("/servers").headers[UNREACHABLE] == "Pod2"
    assert AT_ONCE in mine()["serviceUnavailable"]["message"]
    cloud.recover()
    until(lambda: mine().status == 200)
    assert not opened(gateway)
    assert attacker.compute.get(path).status == 200


def test_two_projects_of_one_person_do_not_take_a_pod_from_the_others(cloud, tmp_path):
    """By word of two it is open for all, until a look of our own is answered; without that, for a minute."""
    own = Gateway(cloud, tmp_path, processes=1, deadline=0.7, list_deadline=0.5, breaker_failures=3,
                  breaker_seconds=60)
    try:
        own.start().register()
        mine = Town(own).calls()["show servers in Pod2"]
        faults = cloud["Pod2"].compute.faults
        faults.only, faults.silent = "GET /v2.1/servers/detail", True
        for user in [User(own)] * 2 + [User(own)]:
            assert user.compute.get("/servers/detail").headers[UNREACHABLE] == "Pod2"
        assert until(lambda: mine().status == 200, 5)
        assert not opened(own)
        assert ("GET", "/v2.1/servers") in [call[:2] for call in faults.calls]
    finally:
        own.stop()


def test_a_pod_that_refuses_is_known_to_all_by_one(cloud, gateway, town, attacker):
    cloud["Pod2"].compute.server.refuse()
    cloud["Pod2"].compute.faults.used = True
    for _ in range(3):
        assert attacker.compute.get(f"/servers/{attacker.server}").status == 503
    assert opened(gateway)
    assert AT_ONCE in town.calls()["show servers in Pod2"]()["serviceUnavailable"]["message"]


def test_a_token_that_no_keystone_takes_does_not_get_there(cloud, gateway):
    cloud.keystone.faults.calls[:] = []
    for _ in range(6):
        answer = User(gateway, None).compute.call("GET", "/servers", headers={"X-Auth-Token": "g" * 20_000})
        assert answer.status == 401
    assert not [call for call in cloud.keystone.faults.calls if call[1].startswith("/v3/auth/tokens")]
