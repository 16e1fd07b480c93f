"""Which requests may change who is a member of a security group."""
import pytest

from tricircle.api.members import _changes
from tricircle.api.message import Request
from tricircle.routing.catalogue import SERVICES, parse

ID = "0d3f6b1e-6f0a-4a8e-9d5e-0123456789ab"
SERVER = f"/v2.1/servers/{ID}"


@pytest.mark.parametrize(("service", "method", "path", "body", "expected"), [
    ("network", "POST", "/v2.0/ports", {"port": {}}, True),
    ("network", "PUT", f"/v2.0/ports/{ID}", {"port": {}}, True),
    ("network", "DELETE", f"/v2.0/ports/{ID}", None, True),
    ("network", "GET", "/v2.0/ports", None, False),
    ("network", "PUT", f"/v2.0/ports/{ID}/tags", {"tags": []}, False),
    ("network", "DELETE", f"/v2.0/security-group-rules/{ID}", None, True),
    ("network", "PUT", f"/v2.0/networks/{ID}", {"network": {}}, False),
    ("compute", "POST", "/v2.1/servers", {"server": {}}, True),
    ("compute", "DELETE", SERVER, None, True),
    ("compute", "PUT", SERVER, {"server": {"name": "x"}}, False),
    ("compute", "POST", f"{SERVER}/action", {"addSecurityGroup": {"name": "x"}}, True),
    ("compute", "POST", f"{SERVER}/action", {"reboot": {"type": "HARD"}}, False),
    ("compute", "POST", f"{SERVER}/action", ["reboot"], False),
    ("compute", "POST", f"{SERVER}/os-interface", {"interfaceAttachment": {}}, True),
    ("compute", "DELETE", f"{SERVER}/os-interface/{ID}", None, True),
    ("compute", "POST", f"{SERVER}/os-volume_attachments", {"volumeAttachment": {}}, False),
])
def test_changes_of_members(service, method, path, body, expected):
    request = Request(method, path, "", {}, b"", "", "", body_json=body)
    assert _changes(request, parse(SERVICES[service], path)) == expected
