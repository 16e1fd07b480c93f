"""What a user is told when Keystone does not answer the gateway."""
import datetime
import json
import sys
import time

import pytest
from keystoneauth1 import exceptions as ksa
from keystonemiddleware.auth_token import AuthProtocol, InvalidToken, ServiceError
from keystonemiddleware.auth_token._request import _AuthTokenRequest as AuthTokenRequest
from webob import Request

from tricircle import config
from tricircle.api.auth import LONGEST_TOKEN, Guarded, TokenCheck
from tricircle.api.gateway import Gateway
from tricircle.api.wsgi import NAMES, application
from tricircle.routing.caller import Caller, Identity

CONF = """
[DEFAULT]
state_path = {folder}
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:1/v3
www_authenticate_uri = http://127.0.0.1:1/v3
username = tricircle
password = nobody-listens-there
project_name = service
http_request_max_retries = 0
[service_account]
auth_url = http://127.0.0.1:1/v3
"""


@pytest.mark.parametrize(("service", "inside"), [
    ("admin", lambda body: body["error"]["code"]), ("compute", lambda body: body["serviceUnavailable"]["code"]),
    ("volume", lambda body: body["serviceUnavailable"]["code"]),
    ("network", lambda body: 503 if body["NeutronError"]["type"] == "ServiceUnavailable" else None)])
def test_keystone_is_down(tmp_path, service, inside):
    file = tmp_path / "tricircle.conf"
    file.write_text(CONF.format(folder=tmp_path))
    gateway = Gateway.build(config.load(str(file)))
    gateway.db.upgrade()
    request = Request.blank("/v2.0/networks", headers={"X-Auth-Token": "gAAAAunknown"})
    request.environ["wsgi.errors"] = sys.stderr
    answer = request.get_response(application(gateway, service))
    assert answer.status_int == 503
    assert answer.content_type == "application/json"
    assert answer.headers["Retry-After"]
    assert inside(json.loads(answer.body)) == 503


class Token:
    """What keystonemiddleware leaves of a token."""

    class user:
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)


USER = {"id": "u", "domain": {"id": "default"}}
SCOPED = {"user": USER, "project": {"id": "p", "domain": {"id": "d"}}, "roles": [{"name": "Member"}, {"name": "b"}]}


def check(tmp_path, service, servers="127.0.0.1:9"):
    """The check of one port, that lets every token pass to what comes after."""
    file = tmp_path / "tricircle.conf"
    file.write_text(CONF.format(folder=tmp_path).replace("[service", f"memcached_servers = {servers}\n[service"))
    return TokenCheck(lambda environ, start: [], config.load(str(file)), "nova", NAMES[service])


@pytest.mark.parametrize(("servers", "more", "headers", "known"), [
    ("", {}, {}, 0), ("127.0.0.1:9", {}, {}, 1), ("127.0.0.1:9", {}, {"HTTP_X_SERVICE_TOKEN": "s"}, 0),
    ("127.0.0.1:9", {"application_credential": {"access_rules": []}}, {}, 0),
    ("127.0.0.1:9", {"application_credential": {}}, {}, 1)])
def test_which_tokens_are_remembered(tmp_path, servers, more, headers, known):
    """Access rules speak of paths, a service token is another's, and without memcached Keystone is always asked."""
    found = check(tmp_path, "compute", servers)
    environ = {"HTTP_X_AUTH_TOKEN": "t", "keystone.token_info": {"token": SCOPED | more},
               "keystone.token_auth": Token, **headers}
    found._checked(environ, None)
    assert environ["tricircle.identity"] == Identity(
        "u", "default", "p", "d", roles=frozenset({"member", "b"}), restricted="access_rules" in str(more))
    assert len(found._known) == known


@pytest.mark.parametrize(("token", "wanted"), [
    ({"user": USER}, Identity("u", "default")),
    ({"user": USER, "domain": {"id": "d"}, "roles": [{"name": "admin"}]},
     Identity("u", "default", domain_id="d", roles=frozenset({"admin"}))),
    ({"user": USER, "system": {"all": True}, "roles": [{"name": "admin"}]},
     Identity("u", "default", system_scope="all", roles=frozenset({"admin"}))),
    (SCOPED | {"is_admin_project": False}, Identity("u", "default", "p", "d", roles=frozenset({"member", "b"}),
                                                    is_admin_project=False))])
def test_whom_a_token_is_for(token, wanted):
    assert Identity.of(token) == wanted
    assert not Caller(wanted).is_admin


def test_a_token_in_the_older_header_is_none(tmp_path):
    """Cached under no token at all it would be everybody's."""
    found, environ = check(tmp_path, "compute"), {"HTTP_X_STORAGE_TOKEN": "t"}
    found._known[""] = (0.0, None)
    request = Request.blank("/v2.1/servers", environ)
    request.environ["wsgi.errors"] = sys.stderr
    assert request.get_response(found).status_int == 401
    assert "HTTP_X_STORAGE_TOKEN" not in request.environ


class Server:
    """Keystone as keystonemiddleware sees it: raises what it is given, as it came about."""

    def __init__(self):
        self.cause = None

    def verify_token(self, token):
        if self.cause:
            try:
                raise self.cause
            except ksa.ClientException as error:
                raise ServiceError(str(error))   # noqa: B904 - as keystonemiddleware does it
        return {"token": token}


@pytest.mark.parametrize("cause", [ksa.BadRequest(), ksa.HttpError(http_status=431), ksa.HttpError(http_status=414)])
def test_a_token_that_the_web_server_refuses_says_nothing_about_keystone(cause):
    """Whoever has none could have nobody's token checked any more."""
    server = Server()
    guarded = Guarded(server, config.load())
    server.cause = cause
    for _ in range(20):
        with pytest.raises(InvalidToken):
            guarded.verify_token("x" * LONGEST_TOKEN)
    with pytest.raises(InvalidToken):
        guarded.verify_token("x" * (LONGEST_TOKEN + 1))
    server.cause = None
    assert guarded.verify_token("good") == {"token": "good"}
    server.cause = ksa.InternalServerError()
    for _ in range(20):
        with pytest.raises(ServiceError):
            guarded.verify_token("good")
    server.cause = None
    with pytest.raises(ServiceError):
        guarded.verify_token("good")


def test_keystonemiddleware_calls_what_we_have_in_its_place(tmp_path):
    """Names that it does not call any more would leave a silent Keystone without deadline and breaker, unheard."""
    found = check(tmp_path, "compute")
    assert isinstance(found._identity_server, Guarded)
    assert callable(found._identity_server.invalidate)
    assert found._session.timeout == 6
    for name in ("process_request", "validate_allowed_request"):
        assert callable(getattr(AuthProtocol, name)), name


def allowed(found, path, method="GET", service=None, catalog=("compute", "volumev3", "network", "Cascading"),
            asked="/v2.1/servers"):
    """Whether an access rule lets GET of a path pass."""
    rule = {"path": path, "method": method, "service": service or found._names[-1]}
    token = {"catalog": [{"type": name} for name in catalog], "application_credential": {"access_rules": [rule]}}
    try:
        found.validate_allowed_request(AuthTokenRequest.blank(asked), token)
    except InvalidToken:
        return False
    return True


@pytest.mark.parametrize("service", NAMES)
def test_access_rules_are_those_of_the_port(tmp_path, service):
    found = check(tmp_path, service)
    assert allowed(found, "/v2.1/servers")
    assert not allowed(found, "/v2.1/flavors")
    assert not allowed(found, "/v2.1/servers", method="POST")
    assert not allowed(found, "/v2.1/servers", service="image")
    assert not allowed(found, "/v2.1/servers", catalog=("image",))


def test_either_name_of_the_volume_service_will_do(tmp_path):
    found = check(tmp_path, "volume")
    assert allowed(found, "/v2.1/servers", service="block-storage")
    assert allowed(found, "/v2.1/servers", service="volumev3", catalog=("block-storage",))


@pytest.mark.parametrize(("path", "asked", "good"), [
    ("/v2.1/servers/*", "/v2.1/servers/x", True), ("/v2.1/servers/{id}/action", "/v2.1/servers/x/action", True),
    ("/v2.1/**", "/v2.1/servers/x/action", True), ("/v2.1/**/action", "/v2.1/servers/x/action", True),
    ("/v2.1/servers/*", "/v2.1/servers/x/action", False), ("/(a+)+b", "/" + "a" * 200, False),
    ("/" + "{x}" * 40 + "b", "/" + "a" * 200, False), ("/**/**/**/**/**b", "/a" * 200, False)])
def test_a_rule_is_a_pattern_of_a_path_and_no_regular_expression(tmp_path, path, asked, good):
    began = time.monotonic()
    assert allowed(check(tmp_path, "compute"), path, asked=asked) == good
    assert time.monotonic() - began < 5
