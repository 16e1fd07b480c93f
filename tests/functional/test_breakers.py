"""The breaker of a pod's service, as a user sees it: one for each service, and one probe at a time."""
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from tests.functional.failures import Town
from tests.functional.gateway import Gateway, figure, until

SECONDS = 1.0   # between opening and the probe
AT_ONCE = "failed several times in a row"


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    """One process, since each has breakers of its own; calls may take long."""
    made = Gateway(cloud, tmp_path_factory.mktemp("breakers"), processes=1, threads=32, deadline=60, list_deadline=60,
                   breaker_failures=3, breaker_seconds=SECONDS)
    yield made.start().register()
    made.stop()


@pytest.fixture(scope="module")
def town(gateway):
    """A user with things in both pods."""
    return Town(gateway)


def is_open(gateway, service):
    """Whether the breaker of a service of Pod2 is, as Prometheus sees it."""
    return figure(gateway, "tricircle_breaker_open", pod="Pod2", service=service)


def open_it(cloud, gateway, show):
    """Three calls in vain to Pod2's Neutron, and one that is spared."""
    cloud["Pod2"].network.server.refuse()
    cloud["Pod2"].network.faults.used = True
    words = [show()["NeutronError"]["message"] for _ in range(4)]
    assert [AT_ONCE in each for each in words] == [False, False, False, True]
    assert is_open(gateway, "network")


def test_neutrons_breaker_is_not_novas(cloud, gateway, town):
    calls = town.calls()
    open_it(cloud, gateway, calls["show networks in Pod2"])
    nova, cinder = (getattr(cloud["Pod2"], service).faults.calls for service in ("compute", "volume"))
    nova[:], cinder[:] = [], []
    for _ in range(4):
        assert calls["show servers in Pod2"]().status == 200
        assert calls["show volumes in Pod2"]().status == 200
        assert calls["show networks in Pod1"]().status == 200
    assert (len(nova), len(cinder)) == (4, 4), "they go on being asked"
    assert not is_open(gateway, "compute")
    assert not is_open(gateway, "volume")
    cloud.recover()
    assert until(lambda: calls["show networks in Pod2"]().status == 200)
    assert not is_open(gateway, "network")
    assert {calls["show networks in Pod2"]().status for _ in range(5)} == {200}


def test_one_probe_goes_out_at_a_time(cloud, gateway, town):
    """It meets a silent pod, so it takes much longer than the breaker waits between two."""
    show = town.calls()["show networks in Pod2"]
    open_it(cloud, gateway, show)
    cloud["Pod2"].network.server.accept()
    faults = cloud["Pod2"].network.faults
    faults.silent, faults.calls[:] = True, []
    with ThreadPoolExecutor(40) as pool:
        asked = []
        until(lambda: asked.append(pool.submit(show)) or faults.calls)
        for _ in range(3):
            began = monotonic()
            until(lambda b=began: monotonic() > b + SECONDS)
            more = [pool.submit(show) for _ in range(5)]
            assert [call.result(20).status for call in more] == [503] * 5
            assert AT_ONCE in more[0].result()["NeutronError"]["message"]
        assert len(faults.calls) == 1
        cloud.recover()
        until(lambda: all(call.done() for call in asked))
        assert {call.result().status for call in asked} == {503, 502}, "the probe was not answered"
    assert until(lambda: show().status == 200), "the next one was"
    assert not is_open(gateway, "network")
