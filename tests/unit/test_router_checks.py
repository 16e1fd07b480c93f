"""What the gateway itself refuses to put on a router."""
from types import SimpleNamespace

import pytest

from tricircle.api import routers
from tricircle.errors import BadRequest


@pytest.mark.parametrize(("interfaces", "gateways"), [
    ({"Pod1": [], "Pod2": []}, {"Pod2": ["10.0.0.0/24"]}), ({"Pod2": ["10.0.0.0/24"]}, {"Pod1": [], "Pod2": []})])
def test_a_replica_may_come_or_go_between_two_looks(monkeypatch, interfaces, gateways):
    seen = {routers.INTERFACE: interfaces, routers.GATEWAY: gateways}
    monkeypatch.setattr(routers, "_subnets", lambda gateway, router_id, owner: seen[owner])
    monkeypatch.setattr(routers, "_asked", lambda gateway, request: request)
    gateway = SimpleNamespace(conf=SimpleNamespace(bridge=SimpleNamespace(max_routes=30)))
    routers._check_subnets(gateway, [("Pod1", "10.0.1.0/24")], "r")
    with pytest.raises(BadRequest, match="overlaps"):
        routers._check_subnets(gateway, [("Pod1", "10.0.0.0/16")], "r")
