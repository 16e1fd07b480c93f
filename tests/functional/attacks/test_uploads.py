"""Nobody fills the gateway's disk or memory: not without a token, and no project takes the room of another one."""
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.functional.attacks.raw import Raw, many
from tests.functional.gateway import TRICIRCLE, Gateway, children, figure, until
from tests.functional.user import User

MIB = 1 << 20
LARGE = {"Content_Type": "application/octet-stream", "Content_Length": 20 * MIB}
WHERE = "POST /v2.1/servers/{server}/dump"


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    """One process; a project may send two bodies at a time, and all together three."""
    made = Gateway(cloud, tmp_path_factory.mktemp("uploads"), processes=1,
                   project_share=0.5, api=f"uploads = 4\nupload_bytes = {120 * MIB}")
    yield made.start().register()
    made.stop()


@pytest.fixture(scope="module")
def users(gateway):
    """A, who is harmed, and B; each with a server."""
    found = [User(gateway), User(gateway)]
    for user in found:
        user.server = user.boot(None, "az1")
    return found


@pytest.fixture(autouse=True)
def taken(cloud, request):
    """What Pod1 has read of bodies."""
    lengths = []

    def take(handler):
        length = int(handler.headers["Content-Length"])
        left = length
        while left:
            left -= len(handler.rfile.read(min(left, MIB)))
        lengths.append(length)
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    cloud["Pod1"].compute.faults.spoken["/dump"] = take
    return lengths


def where(user) -> str:
    """The request line of an upload."""
    return WHERE.format(server=user.server)


def on_disk(gateway) -> int:
    """Bytes of the temporary files that the gateway has open; they have no names."""
    (pid,) = children(gateway.api.process.pid)
    total = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(entry).endswith(" (deleted)"):
                total += entry.stat().st_size
        except FileNotFoundError:
            continue
    return total


def memory(gateway) -> int:
    """The most that the process has had."""
    (pid,) = children(gateway.api.process.pid)
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("token", [None, "gAAAAnobodys"])
@pytest.mark.parametrize("how", [LARGE, {**LARGE, "Expect": "100-continue"}, {**LARGE, "Content_Type": "x/json"},
                                 {"Transfer_Encoding": "chunked", "Expect": "100-continue"}])
def test_without_a_token_a_body_is_not_asked_for(gateway, token, how):
    raw = Raw(gateway).head("POST /v2.1/servers", token, **how)
    status, headers, body = raw.error()
    assert (status, body["error"]["code"]) == (401, 401)
    assert headers["connection"] == "close"
    assert raw.closed()


@pytest.mark.parametrize("service", ["admin", "compute", "volume", "network"])
@pytest.mark.parametrize("chunked", [False, True])
def test_without_a_token_a_body_is_not_kept(gateway, users, service, chunked):
    before = memory(gateway)
    kind = {"Transfer_Encoding": "chunked"} if chunked else {"Content_Length": 1 << 31}
    with many(gateway, 4, service) as found:
        for raw in found:
            raw.head("PUT /v2.1/anything", Content_Type="application/octet-stream", **kind)
            piece = b"10000\r\n" + b"u" * (1 << 16) + b"\r\n" if chunked else b"u" * (1 << 16)
            raw.pour(64 * MIB, piece)   # thrown away, for a moment
            assert raw.answer()[0] in (401, 0), "0: TCP drops what was not fetched in time"
            assert on_disk(gateway) == 0
        assert all(raw.closed() for raw in found)
    assert memory(gateway) < before + 8 * MIB


@pytest.mark.parametrize(("line", "scope", "status"), [
    ("POST /v2.1/servers", "domain", 403), ("POST /v2.1/servers", "none", 403), ("PUT /v2.1", "project", 404),
    ("POST /v2.1/{other}/servers", "project", 400)])
def test_what_the_token_is_not_good_for_gets_no_room(cloud, gateway, users, line, scope, status):
    token = cloud.identity.like(users[0].token, scope=scope).id
    for how in (LARGE, {"Content_Type": "application/json", "Content_Length": MIB}):
        raw = Raw(gateway).head(line.format(other=users[1].project), token, **how, Expect="100-continue")
        assert raw.answer()[0] == status
        assert raw.closed()


def test_the_admin_api_takes_no_uploads(gateway):
    raw = Raw(gateway, "admin").head("POST /v1.0/pods", gateway.cloud.token("admin").id, **LARGE)
    status, _, body = raw.error()
    assert (status, body["error"]["code"]) == (413, 413)


def test_json_that_is_too_large_is_not_read(gateway, users):
    user = users[0]
    raw = Raw(gateway).head("POST /v2.1/servers", user.token.id, Content_Type="application/json",
                            Content_Length=MIB + 1, Expect="100-continue")
    status, _, body = raw.error()
    assert (status, body["overLimit"]["message"]) == (413, f"the request's body is larger than {MIB} bytes")
    assert raw.closed()


def test_json_of_any_allowed_size_is_served_and_never_on_disk(gateway, users):
    fields = {"name": "big", "imageRef": "x", "flavorRef": "tiny", "networks": "none", "user_data": ""}
    for size in (70_000, 500_000, MIB):
        fill = size - len(json.dumps({"server": fields}))
        text = json.dumps({"server": fields | {"user_data": "x" * fill}}).encode()
        raw = Raw(gateway).head("POST /v2.1/servers", users[0].token.id, Content_Type="application/json",
                                Content_Length=size)
        raw.socket.sendall(text[:-1])
        assert on_disk(gateway) == 0
        raw.socket.sendall(text[-1:])
        assert raw.answer()[0] == 400


def test_a_get_with_a_body_is_answered_without_the_body(gateway, users):
    for path, token, status in (("/v2.1/", None, 200), ("/v2.1/servers", users[0].token.id, 200),
                                ("/healthcheck", None, 200)):
        raw = Raw(gateway).head(f"GET {path}", token, **LARGE)
        assert raw.answer()[0] == status
        assert raw.closed()


@pytest.mark.parametrize("how", [{"Expect": "100-continue"}, {}, {"chunked": True}])
def test_an_upload_with_a_token_arrives(gateway, users, taken, how):
    headers = {**LARGE, **how}
    chunked = headers.pop("chunked", False)
    if chunked:
        headers = {"Content_Type": LARGE["Content_Type"], "Transfer_Encoding": "chunked"}
    raw = Raw(gateway).head(where(users[0]), users[0].token.id, **headers)
    if "Expect" in how:
        assert raw.answer()[0] == 100
    if chunked:
        for _ in range(20):
            raw.socket.sendall(b"100000\r\n" + b"u" * MIB + b"\r\n")
        raw.socket.sendall(b"0\r\n\r\n")
    else:
        raw.socket.sendall(b"u" * (20 * MIB))
    assert raw.answer()[0] == 200
    assert taken == [20 * MIB]
    # The connection goes on, and the room is free again.
    assert raw.head("GET /v2.1/servers", users[0].token.id).answer()[0] == 200
    assert on_disk(gateway) == 0


def begin(raw, user, **more) -> int:
    """The header of an upload, and what the gateway says to it."""
    return raw.head(where(user), user.token.id, **{**LARGE, "Expect": "100-continue", **more}).answer()[0]


def test_one_project_does_not_take_the_room_of_another_one(gateway, users):
    a, b = users
    refused = figure(gateway, "tricircle_refused_total", what="uploads", whose="project")
    with many(gateway, 4) as mine, many(gateway, 3) as others:
        assert [begin(raw, b) for raw in mine[:2]] == [100, 100]
        status, headers, body = mine[2].head(where(b), b.token.id, **LARGE).error()
        assert (status, int(headers["retry-after"]), body["overLimit"]["code"]) == (429, 1, 429)
        assert figure(gateway, "tricircle_refused_total", what="uploads", whose="project") == refused + 1
        assert [begin(raw, a) for raw in others[:2]] == [100, 100]
        status, _, body = mine[3].head("POST /v2.1/x", User(gateway).token.id, **LARGE).error()
        assert (status, body["serviceUnavailable"]["code"]) == (503, 503), "all is in use"
        assert a.compute.get("/servers").status == 200
        assert b.compute.get("/servers").status == 200, "it is about uploads alone"
    # However a request ends, its room is free: these clients have gone.
    with many(gateway, 8) as again:
        assert until(lambda: begin(again.pop(), b) == 100, pause=0.1)


def test_bytes_are_counted_where_nobody_says_how_many(gateway, users):
    b = users[1]
    raw = Raw(gateway).head(where(b), b.token.id, Content_Type="application/octet-stream",
                            Transfer_Encoding="chunked")
    raw.pour(70 * MIB, b"100000\r\n" + b"u" * MIB + b"\r\n")
    status, _, body = raw.error()
    assert (status, body["overLimit"]["message"]) == (413, f"the request's body is larger than {60 * MIB} bytes")
    until(lambda: on_disk(gateway) == 0)


def test_a_control_line_or_trailer_without_end_is_refused(gateway, users):
    b = users[1]
    for start in (b"1;", b"0\r\nx: "):
        raw = Raw(gateway).head(where(b), b.token.id, Content_Type="application/octet-stream",
                                Transfer_Encoding="chunked")
        raw.socket.sendall(start)
        raw.pour(MIB, b"x" * (1 << 16))
        assert raw.answer()[0] in (400, 0)
    assert memory(gateway) < 300 * MIB


SMALL = 'mount -t tmpfs -o size=4m tmpfs "$0" && export TMPDIR="$0" && exec "$@"'
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def test_a_full_disk_is_503_for_uploads_alone(cloud, tmp_path, users):
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, timeout=10).returncode:
        pytest.skip("this machine gives no user namespace to a user")
    own = Gateway(cloud, tmp_path, processes=1)
    (tmp_path / "small").mkdir()
    own.command = (*NAMESPACE, "sh", "-c", SMALL, str(tmp_path / "small"), str(TRICIRCLE))
    try:
        own.start().register()
        user = User(own)
        user.server = user.boot(None, "az1")
        for kind, piece in (({"Content_Length": 20 * MIB}, b"u" * MIB),
                            ({"Transfer_Encoding": "chunked"}, b"100000\r\n" + b"u" * MIB + b"\r\n")):
            raw = Raw(own).head(where(user), user.token.id, Content_Type="application/octet-stream", **kind)
            raw.pour(20 * MIB, piece)
            status, headers, body = raw.error()
            assert (status, body["serviceUnavailable"]["code"], headers["connection"]) == (503, 503, "close")
            assert user.compute.get("/servers").status == 200
        big = {"server": {"name": "x" * 900_000}}
        assert user.compute.post("/servers", big).status == 400, "JSON is kept in memory"
        assert user.compute.post(f"/servers/{user.server}/dump", headers={"Content-Type": "x/y"},
                                 raw=b"u" * (2 * MIB)).status == 200, "the room is there again"
    finally:
        own.stop()
