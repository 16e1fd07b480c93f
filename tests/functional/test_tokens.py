"""Tokens that were good a moment ago pass without being asked for: what that must not mean."""
import pytest

from tests.functional.gateway import Gateway, until
from tests.functional.user import User


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    """One that has a memcached, though nobody listens there: every token that it does not know it asks of Keystone."""
    made = Gateway(cloud, tmp_path_factory.mktemp("tokens"), processes=1, authtoken="memcached_servers = 127.0.0.1:9")
    yield made.start().register()
    made.stop()


def checks(cloud):
    """How often Keystone was asked for a token."""
    return sum(1 for method, path in cloud.keystone_calls if path == "/v3/auth/tokens" and method == "GET")


def test_a_known_token_is_not_asked_for_again(cloud, gateway):
    user = User(gateway)
    before = checks(cloud)
    for _ in range(20):
        assert user.compute.get("/servers").status == 200
    assert 1 <= checks(cloud) - before <= 8, "once in some seconds"


def test_identity_headers_of_a_caller_mean_nothing(cloud, gateway):
    user = User(gateway)
    stranger = User(gateway)
    server = stranger.boot(None, "az1")
    false = {"X-Roles": "admin", "X-Role": "admin", "X-Project-Id": stranger.project, "X-User-Id": "someone",
             "X-Identity-Status": "Confirmed", "X-Is-Admin-Project": "True", "OpenStack-System-Scope": "all"}
    for _ in range(3):     # the first one goes through keystonemiddleware, the others do not
        assert user.admin.get("/pods", headers=false).status == 403
        assert user.compute.get(f"/servers/{server}", headers=false).status == 404
        assert user.compute.post("/servers", {}, headers={**false, "X-Tricircle-Pod": "Pod1"}).status == 403
        made = user.network.ok("POST", "/networks", {"network": {"name": "x"}}, headers=false)["network"]
        assert made["project_id"] == user.project
        row = next(row for row in gateway.store()["routings"] if row[0] == made["id"])
        assert user.project in row
    for write in cloud.writes()[-3:]:
        assert not {"x-roles", "x-project-id", "x-identity-status"} & set(write.headers)


def test_a_revoked_token_is_soon_refused(cloud, gateway):
    admin = User(gateway, cloud.identity.newcomer(("admin",)))
    assert admin.admin.get("/pods").status == 200
    cloud.identity.revoke(admin.token.id)
    assert until(lambda: admin.admin.get("/pods").status == 401, 15)


def test_a_pod_that_refuses_a_token_knows_better(cloud, gateway):
    user = User(gateway)
    server = user.boot(None, "az1")
    cloud.identity.revoke(user.token.id)
    before = checks(cloud)
    assert [user.compute.get(f"/servers/{server}").status for _ in range(2)] == [401, 401]
    assert checks(cloud) > before, "the second one was asked of Keystone"


def test_an_expired_token_is_not_believed(cloud, gateway):
    name = User(gateway).token.user.name
    short = User(gateway, cloud.identity.login(name, seconds=2))
    assert short.admin.get("/pods").status == 403
    assert until(lambda: short.admin.get("/pods").status == 401, 4)
