"""What Tricircle itself refuses, its clients notice."""
from types import SimpleNamespace

import pytest
import requests
from openstack.network.v2.agent import Agent
from openstack.network.v2.flavor import Flavor

from tricircle.api import generic, volume_services
from tricircle.api.message import Request
from tricircle.errors import Conflict, Unavailable
from tricircle.routing.caller import Caller, Identity
from tricircle.routing.catalogue import NETWORK, VOLUME, parse
from tricircle.store import Database

A, B = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "ab")


class Session:
    """Sends what openstacksdk posts to the generic path, where the things that a body names are in two pods."""

    def post(self, url, json):
        path = parse(NETWORK, f"/v2.0{url if url.startswith('/') else '/' + url}")

        def apart(*_):
            raise Conflict(f"agents {A} is in pod Pod1, networks {B} is in pod Pod2: they cannot be used together")

        request = Request("POST", path.whole, "", {}, b"", "http://gateway", "req-1", Caller(Identity(), {}),
                          body_json=json)
        found = generic.serve(None, request, path, {("network", path.collection.path): (apart,)})
        response = requests.Response()
        response.status_code, response._content, response.headers = found.status, found.body, dict(found.headers)
        self.said = response
        return response


@pytest.mark.parametrize("call", [
    lambda session: Agent(id=A).add_agent_to_network(session, B),
    lambda session: Agent(id=A).add_router_to_agent(session, B),
    lambda session: Flavor(id=A).associate_flavor_with_service_profile(session, B)])
def test_a_client_that_does_not_look_at_the_status(call):
    session = Session()
    with pytest.raises(requests.exceptions.JSONDecodeError):
        call(session)
    assert session.said.status_code == 409
    assert "is in pod Pod1" in session.said.text


def test_services_of_no_pod_at_all(tmp_path):
    """Nor is a pod asked for a host whose name is too long for one: there is no locator here."""
    db, body = Database(tmp_path / "tricircle.sqlite"), {"server": "a" * 256}
    db.upgrade()
    gateway = SimpleNamespace(db=db, upstream=SimpleNamespace(conf=SimpleNamespace(list_deadline=1.0)))
    path = parse(VOLUME, "/v3/os-services/get-log")
    request = Request("PUT", path.whole, "", {}, b"", "http://gateway", "req-1", Caller(Identity(), {}), body_json=body)
    with pytest.raises(Unavailable, match="no pod is registered"):
        volume_services.services(gateway, request, path)
