"""Every spelling of a path gives the same string, or is refused."""
import re
import time
from urllib.parse import unquote, unquote_to_bytes

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from tricircle.api import canonical
from tricircle.errors import BadRequest

PLAIN = st.text("az09._-", min_size=1, max_size=8)
ODD = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\%"), min_size=1, max_size=8)
SEGMENTS = st.lists((PLAIN | ODD).filter(lambda text: text not in (".", "..")), max_size=5) | st.lists(
    PLAIN.filter(lambda text: text not in (".", "..")), max_size=5)


@st.composite
def spelled(draw):
    """(A path's segments, one of their spellings)."""
    segments = draw(SEGMENTS)
    written = ["".join(_escape(draw, byte) for byte in segment.encode()) for segment in segments]
    origin = draw(st.sampled_from(["", "http://gateway:9696", "HTTPS://x", "http://user@[::1]:1"]))
    return segments, origin + "/" + "/".join(written) + draw(st.sampled_from(["", "?x=/../y", "?"]))


def _escape(draw, byte):
    must = byte > 126 or chr(byte) in '?#"<>[]^`{|} '
    way = draw(st.sampled_from(["%{:02x}", "%{:02X}"] if must else ["%{:02x}", "%{:02X}", "{}", "{}"]))
    return way.format(byte) if "%" in way else chr(byte)


@given(spelled())
def test_all_spellings_are_one(case):
    segments, target = case
    found = canonical.path(target)
    assert [unquote(segment) for segment in found[1:].split("/")] == (segments or [""])
    assert canonical.path(found) == found
    assert found == canonical.path("/" + "/".join(re.sub("..", r"%\g<0>", each.encode().hex()) for each in segments))


@given(st.text(st.characters(max_codepoint=255), max_size=40) | st.text("/.%2eF5c#?ab", max_size=20))
def test_whatever_comes(target):
    """Refused, or canonical, and then it decodes to the same bytes and cannot be taken for something else."""
    try:
        found = canonical.path(target)
    except BadRequest:
        return
    assert canonical.path(found) == found
    raw = target.partition("?")[0]
    assert unquote_to_bytes(raw.encode("latin-1")).endswith(unquote_to_bytes(found)) or not raw.startswith("/")
    *segments, last = unquote(found)[1:].split("/")
    assert not {"", ".", ".."} & set(segments)
    assert last not in (".", "..")
    assert unquote(unquote(found)) == unquote(found)
    assert found.isascii()
    assert found.isprintable()


@pytest.mark.parametrize("target", [
    "//", "//servers", "/v2.1//servers", "/v2.1/servers//", "/./servers", "/v2.1/flavors/../servers", "/v2.1/%2e%2e/x",
    "/v2.1/.%2E/x", "/v2.1/..", "/%2f", "/a%2Fb", "/a\\b", "/a%5cb", "/#x", "/v2.1#1", "/v2.1/servers?a#b", "/a%0a",
    "/a%00", "/a\x7f", "/a%C2%85", "/%ff", "/%c0%ae%c0%ae/x", "/%ed%a0%80", "/%2573ervers", "/a%25%36%31", "/a%",
    "/a%2", "/a%zz", "*", "",
    "servers", "ftp://x/servers", "http:/x/servers", "?x", "/" + "a" * 8192, "/" + "%61" * 3000,
    "/" + "\xe9" * 10])
def test_refused(target):
    with pytest.raises(BadRequest):
        canonical.path(target)


@pytest.mark.parametrize(("target", "path"), [
    ("/", "/"), ("http://x", "/"), ("http://x?y", "/"), ("/v2.1", "/v2.1"), ("/v2.1/", "/v2.1/"),
    ("/v2.1/%73ervers", "/v2.1/servers"), ("/v2.1/os%2dserver-groups", "/v2.1/os-server-groups"),
    ("/v3/os-hosts/a%40b%23c", "/v3/os-hosts/a@b%23c"), ("/x/a%20b", "/x/a%20b"), ("/x/a+b", "/x/a+b"),
    ("/x/0A1B2C3D-0a1b-2c3d-4E5F-0a1b2c3d4e5f", "/x/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"),
    ("/x/tags/0A1B2C3D-0a1b-2c3d-4E5F-0a1b2c3d4e5f", "/x/tags/0A1B2C3D-0a1b-2c3d-4E5F-0a1b2c3d4e5f"),
    ("/x/%c3%a9", "/x/%C3%A9"), ("/x/50%25", "/x/50%25"), ("/x/%7Ea", "/x/~a"), ("/x/...", "/x/...")])
def test_plain(target, path):
    assert canonical.path(target) == path


SMALL = "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"


@pytest.mark.parametrize(("query", "wanted"), [
    (f"id={SMALL.upper()}&id={SMALL}&x=A%2D", f"id={SMALL}&id={SMALL}&x=A%2D"),
    (f"id={SMALL.replace('a', '%61').replace('-', '%2d')}", f"id={SMALL}"),
    (f"marker={SMALL.upper()}&limit=2", f"marker={SMALL}&limit=2"),
    (f"fixed_ips=subnet_id={SMALL.upper()}", f"fixed_ips=subnet_id={SMALL}"),
    (f"fixed_ips=subnet_id={SMALL.upper()}%20", f"fixed_ips=subnet_id={SMALL}"), (f"id={SMALL}+%20", f"id={SMALL}"),
    (f"fixed_ips=subnet_id%3d{SMALL.upper()}", f"fixed_ips=subnet_id={SMALL}"),
    (f"x=%c3%a9+%2B%26={SMALL.upper()}", f"x=%C3%A9%20%2B%26={SMALL}"),
    *((free, free) for free in (f"name={SMALL.upper()}", f"na%6De~={SMALL.upper()}", f"x=a{SMALL.upper()}",
                                f"name=a={SMALL.upper()}", f"tags={SMALL.replace('a', '%61')}", SMALL.upper(),
                                "a=b=C", "A&&%41="))])
def test_ids_in_a_query(query, wanted):
    environ = {"REQUEST_URI": f"/v2.0/networks?{query}", "QUERY_STRING": query}
    canonical.rewrite(environ)
    assert environ["QUERY_STRING"] == wanted
    assert environ["REQUEST_URI"] == f"/v2.0/networks?{wanted}"


PIECES = st.sampled_from(["=", "&", "+", "%", "%4", "%c3", "%A9", "%zz", "%25", "[b]", "|", "\xe9", f"id={SMALL}"])
BYTES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=3)
ODD_QUERIES = st.lists(PIECES | BYTES, max_size=12).map("".join)


def meant(query):
    """[[name, value]] as a pod reads them; its database does not see blanks behind an id."""
    return [[re.sub(rb"(?<=[0-9a-f]{12}) +\Z", b"", unquote_to_bytes(part.replace("+", " ").encode("latin-1")))
             for part in pair.split("=", 1)] for pair in query.split("&")]


@given(ODD_QUERIES)
def test_a_query_has_one_spelling_and_says_the_same(raw):
    """Whatever the HTTP client to a pod does with odd characters, there are none left."""
    found = canonical.query(raw)
    assert re.fullmatch(r"([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*", found)
    assert canonical.query(found) == found
    assert meant(found) == meant(raw)
    assert urllib3.util.parse_url(f"http://pod/?{found}").query == found


@pytest.mark.parametrize(("query", "wanted"), [
    ("a=50%&b=%20", "a=50%25&b=%20"), ("a=[b]", "a=%5Bb%5D"), ("a=\xc3\xa9%c3%a9", "a=%C3%A9%C3%A9"), ("%", "%25"),
    ("a=%%41", "a=%25%41"), ("a=%0a", "a=%0A"), ("a b", "a%20b"), ("a/b?", "a/b?")])
def test_odd_queries(query, wanted):
    assert canonical.query(query) == wanted


@pytest.mark.parametrize("query", ["a=\x01", "\x7f", "a=b\n", "%41\x00"])
def test_no_query_has_control_characters(query):
    environ = {"REQUEST_URI": f"/v2.1/servers?{query}", "QUERY_STRING": query}
    with pytest.raises(BadRequest):
        canonical.rewrite(environ)
    assert environ["REQUEST_URI"] == "/v2.1/servers"


def test_a_long_query_is_read_in_linear_time():
    started = time.process_time()
    canonical.query("%" * 60_000 + "&" + "A-" * 30_000)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("query", ["_method=POST", "a=1&_method=POST", "%5fmethod=DELETE&x=_method", "a=1;_method=PUT"])
def test_no_query_changes_the_method(query):
    with pytest.raises(BadRequest):
        canonical.rewrite({"REQUEST_URI": f"/v2.1/servers?{query}", "QUERY_STRING": query})


def test_environ():
    environ = {"REQUEST_URI": "http://x/v2.1/%73ervers/%C3%a9?name=a_method", "PATH_INFO": "?",
               "QUERY_STRING": "name=a_method"}
    canonical.rewrite(environ)
    assert environ["REQUEST_URI"] == "/v2.1/servers/%C3%A9?name=a_method"
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/v2.1/servers/é"


def test_what_is_refused_is_logged_without_what_it_could_do_to_a_terminal():
    environ = {"REQUEST_URI": "/\x1b[31m\xe9" + "a" * 100_000, "QUERY_STRING": ""}
    with pytest.raises(BadRequest):
        canonical.rewrite(environ)
    assert environ["REQUEST_URI"].startswith("/%1B%5B31m%E9aaa")
    assert len(environ["REQUEST_URI"]) == canonical.LONGEST
