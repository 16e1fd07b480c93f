"""Calls over a new connection beside urllib3's own: the same outcome, also where there is none."""
import contextlib
import socket
import threading

import pytest
import urllib3
from tests.functional.standin.ports import free_port

from tricircle.upstream import wire

SENT = {"User-Agent": "me", "Accept-Encoding": "identity"}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n"


@contextlib.contextmanager
def listening_at(serve, over):
    """Run `serve(socket)` in a thread, for a socket that listens; yields its port, and sets the event at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextlib.contextmanager
def serving(answer):
    """Yields a port: who calls there gets these bytes once its request is in; None: nothing."""
    over = threading.Event()

    def serve(listening):
        with contextlib.suppress(OSError):
            while True:
                theirs, _ = listening.accept()
                with theirs:
                    if answer is None:
                        over.wait(10)
                    else:
                        theirs.recv(1 << 16)
                        theirs.sendall(answer)

    with listening_at(serve, over) as port:
        yield port


def outcome(pool, target="/a", seconds=5.0):
    """(status, body, whether the pool has an open connection) of a call; the type of an error in their place."""
    try:
        if isinstance(pool, wire.Direct):
            found = pool.ask("GET", target, None, SENT, 1.0, seconds)
        else:
            found = pool.urlopen("GET", target, headers=SENT, timeout=urllib3.Timeout(1.0, seconds), redirect=False,
                                 retries=wire.NO_RETRIES, preload_content=False)
        data = found.data
    except urllib3.exceptions.HTTPError as error:
        return type(error)
    conn = pool._get_conn()
    is_open = not conn.is_closed
    conn.close()
    return found.status, data, is_open


@pytest.mark.parametrize("answer", [
    ANSWER + b"\r\nbody", ANSWER + b"Connection: close\r\n\r\nbody", ANSWER + b"Connection: close\r\n\r\nbo",
    ANSWER + b"Connection: close\r\n\r\nbody and more", b"", ANSWER[:20], b"HTTP/1.0 200 OK\r\n\r\nbody",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"])
def test_an_answer_over_a_new_connection_is_taken_as_urllib3_takes_it(answer):
    with serving(answer) as port:
        stock = outcome(urllib3.HTTPConnectionPool("127.0.0.1", port))
        assert outcome(wire.Pool("127.0.0.1", port)) == stock


def test_who_does_not_answer_or_is_not_there_is_told_as_by_urllib3():
    with serving(None) as port:
        assert outcome(wire.Pool("127.0.0.1", port), seconds=0.2) == urllib3.exceptions.ReadTimeoutError
    nobody = free_port()
    assert outcome(wire.Pool("127.0.0.1", nobody)) == urllib3.exceptions.NewConnectionError
    stock = outcome(urllib3.HTTPConnectionPool("nowhere.invalid", nobody))
    assert outcome(wire.Pool("nowhere.invalid", nobody)) == stock


def test_a_server_that_speaks_no_tls_is_told_as_by_urllib3():
    with serving(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert outcome(wire.TLSPool("127.0.0.1", port)) == outcome(urllib3.HTTPSConnectionPool("127.0.0.1", port))
    with serving(None) as port:
        assert outcome(wire.TLSPool("127.0.0.1", port)) == outcome(urllib3.HTTPSConnectionPool("127.0.0.1", port))


def test_a_connection_that_the_server_ends_is_opened_anew():
    with serving(ANSWER + b"Connection: close\r\n\r\nbody") as port:
        pool = wire.Pool("127.0.0.1", port)
        for _ in range(3):
            found = pool.ask("GET", "/", None, SENT, 1, 5)
            assert (found.status, found.data) == (200, b"body")


LATE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nlate"


@contextlib.contextmanager
def keeping(*pieces):
    """Yields a port: over each connection these pieces are said in a row, each after a while; the connection stays."""
    over = threading.Event()

    def serve(listening):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            while True:
                theirs = stack.enter_context(listening.accept()[0])
                theirs.recv(1 << 16)
                for piece in pieces:
                    theirs.sendall(piece)
                    over.wait(0.1)

    with listening_at(serve, over) as port:
        yield port


@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Early Hints", b"199 Soon"])
@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_interim_answer_is_not_the_answer(status, first):
    """A pool that took it for the answer would give the final answer to the connection's next request."""
    with keeping(first + b"HTTP/1.1 %b\r\nLink: </x>\r\n\r\n" % status, LATE) as port:
        found = wire.Pool("127.0.0.1", port).ask("GET", "/", None, SENT, 1, 5)
        assert (found.status, found.data) == (200, b"late")


def test_another_protocol_is_no_answer():
    with keeping(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n") as port, \
            pytest.raises(urllib3.exceptions.ProtocolError):
        wire.Pool("127.0.0.1", port).ask("GET", "/", None, SENT, 1, 5)


@pytest.mark.parametrize("head", [b"204 No Content\r\nContent-Length: 99", b"304 Not Modified\r\nContent-Length: 99"])
def test_after_a_body_that_must_not_be_the_connection_is_not_used_again(head):
    with keeping(b"HTTP/1.1 %b\r\n\r\n" % head, LATE) as port:
        pool = wire.Pool("127.0.0.1", port)
        answer = pool.ask("GET", "/", None, SENT, 1, 5)
        assert (answer.status, answer.data) == (int(head[:3]), b"")
        assert pool._get_conn().is_closed
