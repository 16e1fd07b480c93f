"""Headers by which a user would become somebody else, or nobody."""
import pytest

from tests.functional.user import User


def test_a_token_goes_down_with_a_request_whatever_its_connection_header_names(gateway):
    """Without it the pods would be asked for nobody, after Keystone's middleware has let the request in."""
    user = User(gateway)
    network = user.net("az1")
    answer = user.network.get(f"/networks/{network}", headers={"Connection": "X-Auth-Token, close"})
    assert answer.status == 200


@pytest.mark.parametrize("headers", [
    {"X-Roles": "admin", "X-Project-Id": "victim"}, {"X_Roles": "admin", "X_Project_Id": "victim"},
    {"X-Identity-Status": "Confirmed", "X-User-Id": "admin", "X-Is-Admin-Project": "True"},
    {"OpenStack-System-Scope": "all"}, {"X-HTTP-Method-Override": "DELETE"}, {"X-Service-Token": "none"},
    {"X-Original-URL": "/v2.0/networks"}, {"X-Tricircle-Request-Id": "x"}, {"Forwarded": "for=127.0.0.1"}])
def test_headers_that_others_set_open_nothing(cloud, gateway, headers):
    victim, user = User(gateway), User(gateway)
    network = victim.net("az2")
    sent = {name: victim.project if value == "victim" else value for name, value in headers.items()}
    with cloud.unchanged():
        assert user.network.get(f"/networks/{network}", headers=sent).status in (401, 404)
        assert user.admin.get("/pods", headers=sent).status in (401, 403)
        assert user.network.delete(f"/networks/{network}", headers=sent).status in (401, 404)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                  " Application/X-WWW-Form-Urlencoded;charset=utf-8"])
@pytest.mark.parametrize("body", [b"_method=DELETE", b'{"server_group": {"name": "&_method=DELETE&"}}'])
def test_no_pod_is_sent_a_form_whose_field_would_be_the_method(cloud, gateway, kind, body):
    """Routes reads it: a POST that was checked and counted as such would be a DELETE to the pod."""
    user = User(gateway)
    before = len(cloud.log)
    answer = user.compute.call("POST", "/os-server-groups", raw=body, headers={"Content-Type": kind})
    assert 400 <= answer.status < 500
    kinds = [write.headers.get("content-type", "") for write in cloud.writes(before, done=False)]
    assert not any("form" in kind.lower() for kind in kinds)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_in_capitals_is_the_same_id(cloud, gateway, method):
    """MariaDB finds it: the pod would do what was neither routed nor followed."""
    user = User(gateway)
    router = user.make("routers", name="r")["id"]
    assert user.network.call(method, f"/routers/{router.upper()}").status in (200, 204)
    assert user.network.get(f"/routers/{router}").status == (200 if method == "GET" else 404)
    assert User(gateway).network.call(method, f"/routers/{router.upper()}").status == 404
