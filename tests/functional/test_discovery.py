"""Version documents as keystoneauth, gophercloud and curl ask for them: what a pod says is said here, too."""
import json

import pytest
from keystoneauth1 import discover
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from tests.functional.client import Client

PATHS = [("compute", path) for path in ("/", "/v2.1", "/v2.1/", "/v2.1/none")] + [
    ("volume", path) for path in ("/", "/v3", "/v3/", "/v3/none")] + [
    ("network", path) for path in ("/", "/v2.0", "/v2.0/")]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("service", "path"), PATHS)
def test_a_version_path_answers_as_at_a_pod(cloud, gateway, service, path, named):
    token = cloud.token("alice").id if named else None
    pod = getattr(cloud["Pod1"], service).server.url
    ours = f"http://127.0.0.1:{gateway.ports[service]}"
    there, here = Client(pod, token).get(path), Client(ours, token).get(path)
    assert here.status == there.status, (here.raw, there.raw)
    assert here.headers.get("Location", "").replace(ours, pod) == there.headers.get("Location", "")
    if there.status in (200, 300):
        assert _ids(json.loads(here.raw.replace(ours.encode(), pod.encode()))) == _ids(there.body)
    assert pod.encode() not in here.raw


def _ids(document):
    """What is said of versions, or of resources, apart from times."""
    return json.dumps(document, sort_keys=True)


@pytest.mark.parametrize(("service", "path", "newest"), [
    ("compute", "/v2.1", (2, 93)), ("compute", "", (2, 93)), ("volume", "/v3", (3, 70)), ("volume", "/v3/", (3, 70))])
def test_keystoneauth_finds_the_microversions(cloud, gateway, service, path, newest):
    """Its way from an endpoint to the version document decides which commands a client offers."""
    url = f"http://127.0.0.1:{gateway.ports[service]}{path}"
    session = Session(Token(url, cloud.token("alice").id))
    found = discover.get_discovery(session, url=url).version_data()
    assert max(each["max_microversion"] for each in found if each["max_microversion"]) == newest
    assert all(each["url"].startswith(f"http://127.0.0.1:{gateway.ports[service]}") for each in found)
