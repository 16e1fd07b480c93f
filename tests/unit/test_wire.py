"""The short way to pods and back beside urllib3's own: the same bytes go out, and what comes is understood alike."""
import contextlib
import http.client
import logging
import socket
import threading
import time

import pytest
import urllib3
from hypothesis import example, given, settings
from hypothesis import strategies as st
from urllib3.connection import HTTPConnection

from tricircle.upstream import heads, wire

logging.getLogger("urllib3").setLevel(logging.CRITICAL)   # it tells of every defect
SENT = {"User-Agent": "me", "Accept-Encoding": "identity"}


def exchange(kind, answer=b"", method="GET", target="/v2.1/servers", body=None, headers=SENT, host="pod", port=8774):
    """(what is sent, what comes back or why nothing does) over a connection of a kind."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        ours.settimeout(5)
        connection = kind(host, port)
        connection.timeout, connection.sock = 5, ours
        try:
            connection.request(method, target, body, headers, preload_content=False)
            found = understood(connection) if answer else None
        except Exception as error:   # noqa: BLE001 - both must fail in the same way
            found = type(error)
        ours.close()
        return received(theirs), found


def received(sock):
    sock.settimeout(5)
    parts = []
    try:
        while part := sock.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        parts.append(b"")
    return b"".join(parts)


def understood(connection):
    response = connection.getresponse()
    kept = connection.sock is not None
    try:
        body = response.read(decode_content=False)
    except Exception as error:   # noqa: BLE001
        body = type(error)
    return (response.status, response.reason, list(response.headers.iteritems()), response.version,
            response.length_remaining, response.chunked, body, kept)


def alike(*args, **named):
    plain, quick = exchange(HTTPConnection, *args, **named), exchange(wire.QuickHTTP, *args, **named)
    assert without_kept(quick) == without_kept(plain)
    return quick


def without_kept(outcome):
    """Leave out of a 204's or a 304's outcome whether its connection is kept: `FinalResponse` is stricter there."""
    sent, found = outcome
    return (sent, found[:-1]) if isinstance(found, tuple) and found[0] in (204, 304) else outcome


NAMES = st.one_of(
    st.sampled_from(["Content-Length", "content-length", "Transfer-Encoding", "Connection", "X-A", "Set-Cookie", "ETag",
                     "From ", "Content-Encoding", "", " X", "X ", "X:Y", "\x00", "\xe9", "X\r", "HTTP/1.1 200 OK"]),
    st.text(st.characters(max_codepoint=255), max_size=8))
VALUES = st.one_of(
    st.sampled_from(["0", "4", "04", "+4", "4, 4", "-1", "4\t", " 4", "\xb2", "chunked", "Chunked", "gzip, chunked",
                     "identity", "close", "keep-alive", "a\r\n b", "a\n\tb", "a\rb", "a\x00b", "\x85", "é", ""]),
    st.text(st.characters(max_codepoint=255), max_size=12))
ENDS = st.sampled_from(["\r\n", "\n"])
LINES = st.lists(st.tuples(NAMES, st.sampled_from([": ", ":", " : ", ":\t", ""]), VALUES, ENDS), max_size=6)
FIRST = st.sampled_from(["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 \r\n", "HTTP/1.1 200\r\n", "HTTP/1.0 200 OK\r\n",
                         "HTTP/1.1 204 No Content\r\n", "HTTP/1.1 304 Not Modified\r\n", "HTTP/1.1 404 a\tb \r\n",
                         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n", "HTTP/1.1 999 x\r\n",
                         "HTTP/2 200\r\n", "HTTP/1.1 099 x\r\n", "garbage\r\n", "HTTP/1.1  200  OK\n", "\r\n", ""])
OK, LENGTH = "HTTP/1.1 200 OK\r\n", ("Content-Length", ": ", "4", "\r\n")
CHUNKED = ("Transfer-Encoding", ": ", "chunked", "\r\n")
BODIES = st.sampled_from([b"", b"body", b"bo", b"body and more", b"4\r\nbody\r\n0\r\n\r\n", b"4\r\nbo"])


@settings(max_examples=400, deadline=None)
@given(FIRST, LINES, st.sampled_from(["\r\n", "\n", ""]), BODIES, st.sampled_from(["GET", "POST"]))
@example(OK, [LENGTH], "\r\n", b"body", "GET")
@example(OK, [LENGTH, LENGTH], "\r\n", b"body", "GET")
@example(OK, [LENGTH, ("Content-Length", ": ", "2", "\r\n")], "\r\n", b"body", "GET")
@example(OK, [("Content-Length", ": ", "4" * 4400, "\r\n")], "\r\n", b"body", "GET")
@example(OK, [LENGTH, CHUNKED], "\r\n", b"4\r\nbody\r\n0\r\n\r\n", "GET")
@example(OK, [CHUNKED], "\r\n", b"4\r\nbody\r\n0\r\n\r\n", "GET")
@example(OK, [("X-A", ": ", "a\r\n Content-Length: 2", "\r\n"), LENGTH], "\r\n", b"body", "GET")
def test_every_answer_is_understood_as_urllib3_does(first, lines, end, body, method):
    head = first + "".join("".join(line) for line in lines) + end
    alike(head.encode("latin-1") + body, method=method)


@pytest.mark.parametrize("number", [98, 99, 100, 101])
def test_as_many_headers_are_taken(number):
    _, found = alike(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"X-A: b\r\n" * (number - 1) + b"\r\n")
    assert (found is http.client.HTTPException) == (number >= 100)


@pytest.mark.parametrize("size", [100, 7000, 65_000, 65_536, 70_000])
def test_headers_are_taken_up_to_the_same_size(size):
    _, found = alike(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: " + b"a" * size + b"\r\n\r\n")
    assert (found is http.client.LineTooLong) == (size > 65_529)


def test_a_head_that_comes_in_pieces_is_understood():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = wire.QuickHTTP("pod", 8774)
        connection.timeout, connection.sock = 5, ours
        connection.request("GET", "/", None, SENT)
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
        response = wire.QuickResponse(ours, method="GET")
        response.fp.peek()
        theirs.sendall(b"ngth: 4\r\n\r\nbody")
        response.begin()
        assert (dict(response.fields), response.read()) == ({"Content-Length": "4"}, b"body")


SKIPPED = "@@@SKIP_HEADER@@@"   # means something to urllib3; from a user it is a value as any other
HEADERS = st.dictionaries(
    st.one_of(st.sampled_from(["X-Auth-Token", "x-a", "Host", "Content-Length", "Transfer-Encoding", "Expect", "",
                               "a b", "a:b", "é", "a\r\nb"]), st.text(max_size=5)),
    st.one_of(st.sampled_from(["1", "a\r\nX: y", "a\nb", "é", "€", "a\x00b", "a\r\n b", b"bytes", 7]),
              st.text(max_size=8).filter(lambda text: text != SKIPPED)), max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "G T", "", "A\r\nB"]),
       st.one_of(st.sampled_from(["/", "/a b", "/é", "/a\r\nb", "a", "", "/v2.1/servers?a=b#c"]), st.text(max_size=6)),
       st.sampled_from([None, b"", b"body"]), HEADERS, st.booleans(),
       st.sampled_from([("pod", 8774), ("pod", 80), ("::1", 80), ("pod.", 8774), ("127.0.0.1", 1)]))
def test_every_request_goes_out_as_urllib3_sends_it(method, target, body, headers, whole, place):
    host, port = place
    alike(method=method, target=target, body=body, headers=(SENT if whole else {}) | headers, host=host, port=port)


def test_a_request_and_its_body_leave_in_one_piece():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)   # what is sent at once comes at once
    with ours, theirs:
        connection = wire.QuickHTTP("pod", 8774, timeout=5)
        connection.sock = ours
        connection.request("POST", "/", b"body", SENT)
        assert theirs.recv(1 << 16).endswith(b"\r\n\r\nbody")


def test_what_means_something_to_urllib3_is_a_value_as_any_other():
    sent, _ = exchange(wire.QuickHTTP, headers={**SENT, "X-A": SKIPPED})
    assert f"X-A: {SKIPPED}\r\n".encode() in sent


def test_nothing_is_sent_before_the_answer_was_read_to_its_end():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody" * 2)
        connection = wire.QuickHTTP("pod", 8774)
        connection.timeout, connection.sock = 5, ours
        connection.request("GET", "/", None, SENT, preload_content=False)
        unread = connection.getresponse()
        with pytest.raises(http.client.CannotSendRequest):
            connection.request("GET", "/", None, SENT)
        with pytest.raises(http.client.CannotSendRequest):
            connection.request("GET", "/", None, {})
        assert unread.read() == b"body"


def test_pools_have_these_connections():
    manager = wire.manager()
    assert isinstance(manager.connection_from_url("http://pod:8774"), wire.Pool)
    secure = manager.connection_from_url("https://pod:8774")
    assert isinstance(secure, wire.TLSPool)
    assert issubclass(secure.ConnectionCls, urllib3.connection.HTTPSConnection)


def test_names_that_are_remembered_are_short():
    """They are the users' to choose: a thousand of 60 kB would stay in each process."""
    plain = {"accept-encoding": "identity", "user-agent": "x"}
    before = heads._lowered.cache_info().currsize
    assert heads.head("GET", "/", "pod", plain | {"x" * 64: "1"}, None)
    assert heads.head("GET", "/", "pod", plain | {"x" * 65: "1"}, None) is None
    assert heads._lowered.cache_info().currsize <= before + 3


@contextlib.contextmanager
def connected(pool, serve):
    """Give a pool one open connection, at whose other end `serve(socket)` runs in a thread; yields our end."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    server = threading.Thread(target=serve, args=(theirs,))
    with theirs, ours:
        conn = pool.ConnectionCls("pod", 8774)
        conn.sock = ours
        pool.pool.get()   # the place of a connection that is to be made
        pool._put_conn(conn)
        server.start()
        try:
            yield ours
        finally:
            server.join()


def called(pool, answer, pieces=1, method="GET", seconds=5.0, ends=True):
    """(status, headers, body) of a call over an open connection of a pool, or the types of the error and its cause."""
    def serve(theirs):
        theirs.recv(1 << 16)
        size = -(-len(answer) // pieces) or 1
        with contextlib.suppress(BrokenPipeError):   # who does not understand the beginning hangs up
            for start in range(0, len(answer), size):
                theirs.sendall(answer[start:start + size])
            if ends:
                theirs.shutdown(socket.SHUT_WR)

    with connected(pool, serve):
        try:
            found = asked(pool, method, seconds)
            if isinstance(found, wire.Whole):
                return found.status, list(found.headers.items()), found.data
            return found.status, list(found.headers.items()), found.read(decode_content=True)
        except Exception as error:   # noqa: BLE001 - both must fail in the same way
            return type(error), type(error.args[1]) if isinstance(error, urllib3.exceptions.ProtocolError) else None


def asked(pool, method, seconds, target="/v2.1/servers"):
    if isinstance(pool, wire.Direct):
        return pool.ask(method, target, None, SENT, seconds, seconds)
    return pool.urlopen(method, target, headers=SENT, timeout=seconds, redirect=False, preload_content=False,
                        retries=wire.NO_RETRIES)


@settings(max_examples=300, deadline=None)
@given(FIRST, LINES, st.sampled_from(["\r\n", "\n", ""]), BODIES, st.sampled_from(["GET", "POST", "HEAD"]),
       st.integers(1, 4))
@example(OK, [LENGTH], "\r\n", b"body", "GET", 1)
@example(OK, [LENGTH], "\r\n", b"body", "GET", 3)
@example(OK, [LENGTH], "\r\n", b"bo", "GET", 1)
@example(OK, [LENGTH], "\r\n", b"body and more", "GET", 1)
@example(OK, [LENGTH, ("Content-Encoding", ": ", "gzip", "\r\n")], "\r\n", b"body", "GET", 1)
@example(OK, [LENGTH, ("Connection", ": ", "close", "\r\n")], "\r\n", b"body", "GET", 1)
@example(OK, [LENGTH, ("Connection", ": ", "Keep-Alive", "\r\n")], "\r\n", b"body", "GET", 1)
@example(OK, [CHUNKED], "\r\n", b"4\r\nbody\r\n0\r\n\r\n", "GET", 2)
@example("", [], "", b"", "GET", 1)
def test_a_call_over_an_open_connection_has_the_outcome_that_urllib3_gives(first, lines, end, body, method, pieces):
    answer = (first + "".join("".join(line) for line in lines) + end).encode("latin-1") + body
    stock, direct = urllib3.HTTPConnectionPool("pod", 8774), wire.Pool("pod", 8774)
    assert called(direct, answer, pieces, method) == called(stock, answer, pieces, method)


def test_an_answer_that_comes_too_slowly_is_late():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n"
    for answer in (b"", head[:20], head, head + b"bo"):
        found = called(wire.Pool("pod", 8774), answer, seconds=0.2, ends=False)
        assert found == (urllib3.exceptions.ReadTimeoutError, None)


def is_late(pool, head, call):
    """Whether a call ends in time though a byte comes every 0.05 s: a socket's time-out begins anew with each."""
    over = threading.Event()

    def drip(theirs):
        theirs.recv(1 << 16)
        with contextlib.suppress(OSError):
            theirs.sendall(head)
            while not over.wait(0.05):
                theirs.sendall(b"x")

    with connected(pool, drip):
        began = time.monotonic()
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            call(pool)
        over.set()
    return time.monotonic() - began < 10


def quickly(pool):
    return pool.ask("GET", "/", None, SENT, 0.3, 0.3)


def stock(pool):
    return pool.urlopen("GET", "/", headers=SENT, timeout=0.3, retries=wire.NO_RETRIES)


def test_a_long_body_that_drips_is_late_by_the_whole_call():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    assert is_late(wire.Pool("pod", 8774), head, quickly)


@pytest.mark.parametrize("call", [quickly, stock])
def test_a_head_that_drips_is_late_by_the_whole_call(call):
    assert is_late(wire.Pool("pod", 8774), b"HTTP/1.1 200 OK\r\nX-A: ", call)


def test_a_connection_with_more_than_was_asked_for_is_not_used_again():
    pool = wire.Pool("pod", 8774)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
    called(pool, head + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray", ends=False)
    assert pool._get_conn().is_closed
    pool = wire.Pool("pod", 8774)
    called(pool, head, ends=False)
    assert pool.pool.get().sock is not None


def sent_by(pool, target):
    """The bytes of a call over an open connection; the type of an error in their place."""
    got = []

    def serve(theirs):
        got.append(theirs.recv(1 << 16))
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" if got[0] else b"")

    with connected(pool, serve) as ours:
        try:
            asked(pool, "GET", 5.0, target)
        except Exception as error:   # noqa: BLE001 - both must fail in the same way
            return type(error)
        finally:
            ours.close()
    return got[0]


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=8), st.text(st.sampled_from("a%2Fcf[]?&=~^|\x01\x7f é"), max_size=8)))
@example("a?b=%5bc%5D&d=50%")
@example("a?b=\x01")
def test_a_target_has_one_spelling_whatever_connection_it_takes(rest):
    stock, direct = urllib3.HTTPConnectionPool("pod", 8774), wire.Pool("pod", 8774)
    assert sent_by(direct, f"/{rest}") == sent_by(stock, f"/{rest}")


def test_a_body_that_is_no_json_is_not_waited_for():
    """It passes through, and its reader may be as slow as its writer."""
    def serve(theirs):
        theirs.recv(1 << 16)
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/x-log\r\nContent-Length: 8\r\n\r\ndrop")
        theirs.recv(1)

    pool = wire.Pool("pod", 8774)
    with connected(pool, serve):
        answer = pool.ask("GET", "/", None, SENT, 5, 5)
        assert answer.read1() == b"drop"
        answer.close()
