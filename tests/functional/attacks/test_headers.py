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
