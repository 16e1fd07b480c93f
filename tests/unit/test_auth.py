"""What a user is told when Keystone does not answer the gateway."""
import datetime
import json
import sys

import pytest
from webob import Request

from tricircle import config
from tricircle.api.auth import TokenCheck
from tricircle.api.gateway import Gateway
from tricircle.api.wsgi import application

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


@pytest.mark.parametrize(("servers", "token", "known"), [
    ("", {}, 0), ("127.0.0.1:9", {}, 1), ("127.0.0.1:9", {"application_credential": {"access_rules": []}}, 0)])
def test_which_tokens_are_remembered(tmp_path, servers, token, known):
    """An application credential's access rules speak of paths, and without memcached Keystone is asked every time."""
    file = tmp_path / "tricircle.conf"
    file.write_text(CONF.format(folder=tmp_path).replace("[service", f"memcached_servers = {servers}\n[service"))
    check = TokenCheck(lambda environ, start: [], {"oslo_config_config": config.load(str(file))}, "nova")
    environ = {"HTTP_X_AUTH_TOKEN": "t", "HTTP_X_USER_ID": "u", "HTTP_X_PROJECT_ID": "p", "HTTP_X_ROLES": "Member, b",
               "HTTP_X_IDENTITY_STATUS": "Confirmed", "keystone.token_info": {"token": token},
               "keystone.token_auth": Token}
    check._checked(environ, None)
    assert environ["tricircle.identity"] == ("u", "p", {"member", "b"})
    assert len(check._known) == known
