"""An id in capitals is the id, in bodies as in paths; what only looks like one stays as it was written."""
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.api.message import Request
from tricircle.errors import BadRequest
from tricircle.uuids import have_capitals, ids, lowered

ID = "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"
LOUD = ID.upper()


def parsed(document):
    """A request with this body, after it was read."""
    request = Request("POST", "/", "", {}, json.dumps(document).encode(), "", "")
    request.parse_body()
    assert json.loads(request.body) == request.body_json
    return request.body_json


def test_references():
    given = {"port": {"network_id": LOUD, "fixed_ips": [{"subnet_id": LOUD}], "security_groups": [LOUD, ID]},
             "server": {"flavorRef": f"http://x/flavors/{LOUD}", "networks": [{"uuid": LOUD}]},
             "os:scheduler_hints": {"group": LOUD}, "addSecurityGroup": {"name": LOUD}}
    assert parsed(given) == json.loads(json.dumps(given).replace(LOUD, ID))


def test_what_is_free():
    """Nova compares a group in `security_groups` with names first, letter by letter."""
    given = {"server": {"name": LOUD, "metadata": {LOUD: LOUD}, "user_data": LOUD, "security_groups": [{"name": LOUD}]},
             "attachment": {"connector": {"system uuid": LOUD}}, "x": f"about {LOUD}", "y": f"{LOUD}s",
             "ref": {"source-name": f"volume-{LOUD}"}}
    assert parsed(given) == given


def test_a_body_without_such_an_id_keeps_its_bytes():
    request = Request("POST", "/", "", {}, b'{ "A": "%s" }' % ID.encode(), "", "")
    request.parse_body()
    assert request.body == b'{ "A": "%s" }' % ID.encode()


def test_escaped_letters_hide_no_capitals():
    request = Request("POST", "/", "", {}, b'{"a": "%s"}' % LOUD.replace("A", "\\u0041").encode(), "", "")
    request.parse_body()
    assert request.body_json == {"a": ID}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32",
                                      "utf-32-le", "utf-32-be"])
def test_a_body_goes_on_in_one_encoding(encoding):
    text = json.dumps({"a": LOUD, "b": "\xe9"}, ensure_ascii=False)
    request = Request("POST", "/", "", {}, text.encode(encoding), "", "")
    request.parse_body()
    assert request.body_json == {"a": ID, "b": "\xe9"}
    assert json.loads(request.body.decode()) == request.body_json
    assert ids(request.body) == [ID]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_half_a_character_is_refused_in_any_encoding(encoding):
    request = Request("POST", "/", "", {}, '{"a": "\ud800"}'.encode(encoding, "surrogatepass"), "", "")
    with pytest.raises(BadRequest):
        request.parse_body()


@given(st.text("aAfF0-/", max_size=80), st.booleans())
def test_of_any_text(text, with_id):
    text = f"{text}/{LOUD}" if with_id else text
    assert lowered(text).lower() == text.lower()
    assert lowered(lowered(text)) == lowered(text)
    assert not with_id or (have_capitals(text.encode()) and ids(lowered(text).encode()))
