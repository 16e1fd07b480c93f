"""Bodies that pass through: as large as an image, unread, in both directions, and never cut off in silence."""
import contextlib
import gzip
import http.client
import socket
import threading
import zlib
from pathlib import Path

import pytest
import urllib3

from tests.functional.client import POOL
from tests.functional.gateway import Gateway, children, until
from tests.functional.user import User

MUCH = 256 << 20      # four times what a process may grow by
BLOCK = bytes(range(256)) * 4096
HELD = 64 << 20       # what a process may grow by: buffers of both sides, not the body
BINARY = {"Content-Type": "application/octet-stream"}
DUMP = "/servers/{server}/dump"     # no such thing in Nova: Tricircle serves what nobody thought of


@pytest.fixture(scope="module")
def user(cloud, tmp_path_factory):
    """Somebody with a server in Pod1, at a gateway of one process with a short deadline."""
    gateway = Gateway(cloud, tmp_path_factory.mktemp("streams"), processes=1, deadline=1.5).start().register()
    found = User(gateway)
    found.server = found.boot(None, "az1")
    found.url = found.compute.url + DUMP.format(server=found.server)
    yield found
    gateway.stop()


@pytest.fixture
def speak(cloud):
    """Let a function answer for the dump of Pod1's servers."""
    def put(function):
        cloud["Pod1"].compute.faults.spoken["/dump"] = function
    return put


def peak(user) -> int:
    """The most memory that the API process has had, in bytes."""
    (pid,) = children(user.gateway.api.process.pid)
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def ask(user, method="GET", **more):
    """A call whose answer is not read yet."""
    headers = {"X-Auth-Token": user.token.id, **more.pop("headers", {})}
    return POOL.request(method, user.url, headers=headers, preload_content=False, timeout=60, **more)


def head(handler, length=None, **headers):
    """Begin an answer; without a length it is chunked."""
    handler.send_response(200)
    for name, value in {**BINARY, **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header(*(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))))
    handler.end_headers()


def chunk(handler, data):
    """One chunk."""
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))


def test_much_comes_through_without_being_held(user, speak):
    def dump(handler):
        head(handler, MUCH, Etag='"abc"', Vary="Accept")
        for _ in range(MUCH // len(BLOCK)):
            handler.wfile.write(BLOCK)
    speak(dump)
    before, size, check = peak(user), 0, 0
    answer = ask(user)
    assert answer.status == 200, answer.data
    assert (answer.status, answer.headers["content-length"], answer.headers["etag"], answer.headers["vary"]) == \
        (200, str(MUCH), '"abc"', "Accept")
    for part in answer.stream(1 << 20):
        size, check = size + len(part), zlib.crc32(part, check)
    assert size == MUCH
    wanted = 0
    for _ in range(MUCH // len(BLOCK)):
        wanted = zlib.crc32(BLOCK, wanted)
    assert check == wanted
    assert peak(user) - before < HELD


@pytest.mark.parametrize("chunked", [False, True])
def test_much_goes_down_without_being_held(user, speak, chunked):
    came = {}

    def take(handler):
        length, check, left = int(handler.headers["content-length"]), 0, int(handler.headers["content-length"])
        while left and (part := handler.rfile.read(min(left, 1 << 20))):
            left, check = left - len(part), zlib.crc32(part, check)
        came.update(length=length, check=check, kind=handler.headers["content-type"], left=left)
        handler.send_response(201)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    speak(take)
    before, check = peak(user), 0
    for _ in range(MUCH // len(BLOCK)):
        check = zlib.crc32(BLOCK, check)
    length = {} if chunked else {"Content-Length": str(MUCH)}
    answer = ask(user, "POST", body=(BLOCK for _ in range(MUCH // len(BLOCK))), headers={**BINARY, **length})
    assert answer.status == 201
    assert came == {"length": MUCH, "check": check, "kind": "application/octet-stream", "left": 0}
    assert peak(user) - before < HELD


def test_a_short_body_that_is_no_json_goes_down_as_it_is(user, speak):
    came = []

    def take(handler):
        came.append((handler.rfile.read(int(handler.headers["content-length"])), handler.headers["content-encoding"]))
        handler.send_response(204)
        handler.end_headers()
    speak(take)
    assert ask(user, "PUT", body=b"\x1f\x8b\x00\xff", headers={**BINARY, "Content-Encoding": "gzip"}).status == 204
    assert came == [(b"\x1f\x8b\x00\xff", "gzip")]


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("start", [b'{"', b" \r\n\t{", b"\xef\xbb\xbf{", '{"'.encode("utf-16"), b" " * 70_000 + b"{"])
def test_json_under_another_name_is_bounded_as_json(user, speak, kind, start):
    """Neutron does not look at the type: a body that nobody has read could carry Tricircle's marks."""
    reached = []
    speak(lambda handler: reached.append(1))
    answer = ask(user, "POST", body=start + b"x" * (1 << 20), headers={"Content-Type": kind})
    assert answer.status == 413
    assert answer.json()["overLimit"]["code"] == 413
    small = ask(user, "POST", body=start, headers={"Content-Type": kind})
    assert small.status == 400
    assert reached == []


@pytest.mark.parametrize("length", [None, 2 * len(BLOCK)])
def test_half_a_stream_does_not_look_whole(user, speak, length):
    def die(handler):
        head(handler, length)
        handler.wfile.write(BLOCK) if length else chunk(handler, BLOCK)
        handler.close_connection = True
    speak(die)
    answer = ask(user)
    assert answer.status == 200
    with pytest.raises(urllib3.exceptions.HTTPError):
        answer.read()


def test_a_pod_that_dies_before_the_first_piece_is_an_error(user, speak):
    def die(handler):
        head(handler, len(BLOCK))
        handler.close_connection = True
    speak(die)
    answer = ask(user)
    assert answer.status == 502
    assert "Pod1" in answer.json()["computeFault"]["message"]


def test_a_stream_may_take_longer_than_a_call(user, speak):
    def drip(handler):
        head(handler)
        for _ in range(8):
            chunk(handler, b"drop")
            threading.Event().wait(0.4)
        handler.wfile.write(b"0\r\n\r\n")
    speak(drip)
    answer = ask(user)
    assert answer.status == 200
    assert answer.read() == b"drop" * 8


def test_a_stream_that_stands_still_is_cut(user, speak):
    over = threading.Event()

    def stall(handler):
        head(handler, 100)
        handler.wfile.write(b"drop")
        over.wait(30)
    speak(stall)
    answer = ask(user)
    with pytest.raises(urllib3.exceptions.HTTPError):
        answer.read()
    over.set()


def endless(cut):
    """An answer that goes on until its reader has gone."""
    def flood(handler):
        head(handler)
        with contextlib.suppress(OSError):
            while True:
                chunk(handler, BLOCK)
        cut.set()
        handler.close_connection = True
    return flood


def test_a_client_that_goes_takes_the_pods_connection_with_it(user, speak):
    cut = threading.Event()
    speak(endless(cut))
    answer = ask(user)
    assert answer.read(1000)
    answer.close()
    assert cut.wait(20)


def test_a_client_that_stops_reading_is_let_go(user, speak):
    """Else sixteen of them hold every thread."""
    cut = threading.Event()
    speak(endless(cut))
    with socket.create_connection(("127.0.0.1", user.gateway.ports["compute"])) as client:
        path = urllib3.util.parse_url(user.url).path
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {user.token.id}\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        assert cut.wait(30)


def test_an_encoding_that_was_not_asked_for(user, speak):
    plain = BLOCK * 3

    def compress(handler):
        assert handler.headers["accept-encoding"] == "identity"
        body = gzip.compress(plain)
        head(handler, len(body), Content_Encoding="gzip")
        handler.wfile.write(body)
    speak(compress)
    answer = ask(user, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert answer.read() == plain


def test_an_encoding_that_nobody_can_take_off(user, speak):
    def compress(handler):
        head(handler, 3, Content_Encoding="exotic")
        handler.wfile.write(b"abc")
    speak(compress)
    answer = ask(user)
    assert answer.status == 502
    assert "decoded" in answer.json()["computeFault"]["message"]


def test_a_stream_in_http_1_0(user, speak):
    def dump(handler):
        head(handler, 4)
        handler.wfile.write(b"data")
    speak(dump)
    connection = http.client.HTTPConnection("127.0.0.1", user.gateway.ports["compute"], timeout=20)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
    connection.request("GET", urllib3.util.parse_url(user.url).path, headers={"X-Auth-Token": user.token.id})
    assert connection.getresponse().read() == b"data"


def test_json_is_read_whole_and_translated(user, speak):
    """However large: ids have to be looked for in all of it."""
    link = user.gateway.cloud["Pod1"].compute.server.url
    body = b'{"href": "%b/v2.1/y", "fill": "%b"}' % (link.encode(), b"x" * (8 << 20))

    def dump(handler):
        head(handler, None, Content_Type="application/json")
        for position in range(0, len(body), 1 << 20):
            chunk(handler, body[position:position + (1 << 20)])
        handler.wfile.write(b"0\r\n\r\n")
    speak(dump)
    answer = ask(user).json()
    assert answer["href"] == f"http://127.0.0.1:{user.gateway.ports['compute']}/v2.1/y"
    assert until(lambda: len(answer["fill"]) == 8 << 20)
