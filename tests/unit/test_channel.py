"""What of waitress's inner life api/channel.py counts on: this fails when waitress changes it."""
import socket
import threading
import time

import pytest
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import WSGITask

from tricircle.addresses import network
from tricircle.api import channel, proxies
from tricircle.api.channel import HELD, Channel, Parser


class Room:
    """Where a body may be, and whether it still is."""

    def __init__(self):
        self.sizes, self.ended = [], False

    def grow(self, size):
        """It has."""
        self.sizes.append(size)

    def end(self):
        """It is gone."""
        self.ended = True


class App:
    """An application that lets every body in that comes with a token."""

    def __init__(self):
        self.rooms, self.read = [], []

    def __call__(self, environ, start):
        held = environ.get(HELD)
        if held and "HTTP_X_AUTH_TOKEN" in environ:
            held.room = Room()
            self.rooms.append(held.room)
            start("100 Continue", [])
            return []
        body = b"no" if held else str(len(environ["wsgi.input"].read())).encode()
        start("401 Unauthorized" if held else "200 OK", [("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def served(monkeypatch):
    """(application, server, connect)."""
    monkeypatch.setattr(channel, "LOOK", 0)
    monkeypatch.setattr(channel, "MOST_OF_ONE_ADDRESS", 4)
    listening = socket.create_server(("127.0.0.1", 0))
    app = App()
    server = channel.create_server(app, 1 << 20, 1 << 30, [], sockets=[listening], threads=2, asyncore_use_poll=True)
    server.adj.asyncore_loop_timeout = 0.05
    threading.Thread(target=server.run, daemon=True).start()
    made = []

    def connect():
        made.append(socket.create_connection(listening.getsockname(), 5))
        return made[-1]

    yield app, server, connect
    for each in made:
        each.close()
    server.close()


def head(length, *more, method="POST"):
    """A request's header."""
    return "\r\n".join([f"{method} / HTTP/1.1", "Host: x", f"Content-Length: {length}", *more, "", ""]).encode()


def eventually(what):
    """It comes to be true."""
    pause = threading.Event()
    for _ in range(500):
        if what():
            return
        pause.wait(0.01)
    raise AssertionError(what)


def answer(sock):
    """An answer, whole."""
    found = sock.recv(1 << 16)
    while b"\r\n\r\n" not in found:
        found += sock.recv(1 << 16)
    length = int(found.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    while len(found.partition(b"\r\n\r\n")[2]) < length:
        found += sock.recv(1 << 16)
    return found


def gone(sock):
    """The other side has closed."""
    try:
        return sock.recv(1 << 16) == b""
    except ConnectionError:
        return True


LARGE = channel.FREE_BYTES + 1


def test_the_names_that_we_use_are_there():
    """Without them the checks would be passed by in silence."""
    for name in ("task_class", "error_task_class", "parser_class", "received", "handle_close", "send", "write_soon",
                 "readable"):
        assert hasattr(HTTPChannel, name), name
    for name in ("completed", "expect_continue", "headers_finished", "chunked", "content_length",
                 "body_bytes_received", "body_rcv", "error", "received", "close", "get_body_stream"):
        assert hasattr(HTTPRequestParser, name), name
    for name in ("execute", "finish", "get_environment", "set_close_on_finish", "status", "close_on_finish"):
        assert hasattr(WSGITask, name), name
    assert channel.FREE_BYTES >= channel.BLOCK, "the rest of a block must be body"


def test_a_small_body_is_not_asked_about(served):
    app, _, connect = served
    client = connect()
    client.sendall(head(LARGE - 1) + b"u" * (LARGE - 1))
    assert answer(client).endswith(b"\r\n\r\n65536")
    assert app.rooms == []


def test_a_large_one_is_asked_about_before_it_is_read(served):
    _, _, connect = served
    client = connect()
    client.sendall(head(LARGE, "Expect: 100-continue"))
    refusal = answer(client)
    assert refusal.startswith(b"HTTP/1.1 401")
    assert b"\r\nConnection: close\r\n" in refusal
    assert gone(client)


def test_a_large_one_goes_on_and_its_room_ends_with_it(served):
    app, _, connect = served
    client = connect()
    for turn in range(2):
        client.sendall(head(LARGE, "X-Auth-Token: t", "Expect: 100-continue"))
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"u" * LARGE)
        assert answer(client).endswith(b"\r\n\r\n65537")
        assert len(app.rooms) == turn + 1
        eventually(lambda: all(room.ended for room in app.rooms))


def test_a_header_that_is_too_long_is_answered_while_its_client_still_sends(served):
    """A reset would come in the place of the answer."""
    _, _, connect = served
    sock = connect()
    sock.sendall(b"GET /" + b"x" * (512 * channel.HEADER_BYTES) + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 431 " in answer(sock)
    sock.shutdown(socket.SHUT_WR)
    assert gone(sock)


def test_what_came_with_the_header_is_not_lost_and_requests_keep_their_order(served):
    _, _, connect = served
    client = connect()
    client.sendall(head(3) + b"abc" + head(LARGE, "X-Auth-Token: t") + b"u" * 1000)
    client.sendall(b"u" * (LARGE - 1000) + head(2) + b"de")
    found = b""
    while found.count(b"HTTP/1.1 200 OK") < 3 or not found.endswith(b"\r\n\r\n2"):
        found += client.recv(1 << 16)
    assert [part[-1:] for part in found.split(b"HTTP/1.1 200 OK")[1:]] == [b"3", b"7", b"2"]


def test_a_chunked_body_is_counted_as_it_comes(served):
    app, _, connect = served
    client = connect()
    client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Auth-Token: t\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(20):
        client.sendall(b"10000\r\n" + b"u" * (1 << 16) + b"\r\n")
    client.sendall(b"0\r\n\r\n")
    assert answer(client).endswith(str(20 << 16).encode())
    (room,) = app.rooms
    assert room.sizes[-1] > 20 << 16
    eventually(lambda: room.ended)


def test_many_small_chunks_do_not_take_long():
    """Waitress copies what it was given for each chunk: 64 KiB of them took a quarter of a second."""
    parser = Parser(Adjustments)
    parser.received(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    began = time.process_time()
    parser.received(b"1\r\nu\r\n" * (channel.BLOCK // 6))
    assert time.process_time() - began < 0.15


class Adjustments:
    """What a parser asks waitress's settings for."""

    max_request_header_size = channel.HEADER_BYTES
    max_request_body_size = 1 << 60
    inbuf_overflow = 1 << 20
    url_scheme = "http"


def test_a_client_that_goes_gives_its_room_back(served):
    app, _, connect = served
    client = connect()
    client.sendall(head(LARGE, "X-Auth-Token: t", "Expect: 100-continue"))
    client.recv(25)
    client.close()
    eventually(lambda: app.rooms and app.rooms[0].ended)


@pytest.mark.parametrize("begin", [b"GET / HT", head(10) + b"abc", head(LARGE, "X-Auth-Token: t") + b"abc"])
def test_a_request_that_trickles_in_is_cut_off(served, monkeypatch, begin):
    monkeypatch.setattr(channel, "PATIENCE", 0.3)
    app, _, connect = served
    client = connect()
    client.sendall(begin)
    client.settimeout(0.05)
    began, over = time.monotonic(), False
    while not over and time.monotonic() < began + 5:
        try:
            client.sendall(b"u")
            over = gone(client)
        except TimeoutError:
            continue
        except OSError:
            over = True
    assert over
    eventually(lambda: all(room.ended for room in app.rooms))


def test_an_answer_that_trickles_out_is_cut_off(monkeypatch):
    """Whoever reads it slower than SLOWEST has had its time."""
    made = Channel.__new__(Channel)
    made.total_outbufs_len, made.request = 1 << 20, None
    assert not made.late(100.0)
    made._sent += 1000
    assert not made.late(129.0)
    assert made.late(131.0)
    made._sent += 10 * channel.SLOWEST
    assert not made.late(131.0)
    assert made.late(141.0)
    made.total_outbufs_len = 0
    assert not made.late(1000.0)


def test_no_request_and_no_answer_takes_for_ever():
    """At SLOWEST and a bit more the largest upload would hold its room for a day."""
    made = Channel.__new__(Channel)
    made.longest = 1000.0
    made.request, made.total_outbufs_len = Parser(Adjustments), 0
    made.request.began, made.request.body_bytes_received = 100.0, 5000 * channel.SLOWEST
    assert not made.late(1099.0)
    assert made.late(1101.0)
    made.request, made.total_outbufs_len = None, 1
    assert not made.late(100.0)
    made._sent = 5000 * channel.SLOWEST
    assert not made.late(1099.0)
    assert made.late(1101.0)


def test_how_long_is_derived_from_the_largest_upload(served):
    _, server, connect = served
    connect()
    eventually(lambda: server.active_channels)
    (made,) = server.active_channels.values()
    assert made.longest == channel.PATIENCE + (1 << 30) / channel.HONEST


def test_one_address_has_a_part_of_the_connections(served):
    _, server, connect = served
    clients = [connect() for _ in range(6)]
    for client in clients[:4]:
        client.sendall(head(0))
        assert answer(client).startswith(b"HTTP/1.1 200")
    assert all(gone(client) for client in clients[4:])
    clients[0].close()
    eventually(lambda: len(server.active_channels) == 3)
    client = connect()
    client.sendall(head(0))
    assert answer(client).startswith(b"HTTP/1.1 200")


def test_an_address_that_wants_more_is_named_with_the_remedy_and_once(served, caplog):
    _, server, connect = served
    clients = [connect() for _ in range(8)]
    assert all(gone(client) for client in clients[4:])
    (said,) = [record.getMessage() for record in caplog.records if record.name == channel.__name__]
    assert said.startswith("127.0.0.1 has 4 connections")
    assert "[api]trusted_proxy" in said
    server.channel_class._said -= channel.SAID
    assert gone(connect())
    assert len([record for record in caplog.records if record.name == channel.__name__]) == 2


SAID = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cloud.example", "X-Forwarded-Prefix": "/compute",
        "X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"}


@pytest.mark.parametrize(("host", "networks", "believed"), [
    ("127.0.0.1", ["192.0.2.0/24", "127.0.0.0/30"], True), ("127.0.0.1", ["192.0.2.1"], False),
    ("127.0.0.1", [], False), ("::", ["127.0.0.1"], True), ("::", ["192.0.2.1"], False)])
def test_whose_word_is_believed(host, networks, believed):
    """A socket that listens on both shows IPv4 in IPv6's form; waitress compares text with one address."""
    def app(environ, start):
        told = [environ["wsgi.url_scheme"], environ["HTTP_HOST"], environ.get(proxies.PREFIX, "-"),
                *sorted(name for name in environ if "FORWARDED" in name)]
        body = " ".join(told).encode()
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.bind((host, 0))
    listening.listen()
    server = channel.create_server(app, 1 << 20, 1 << 30, [network(each) for each in networks], sockets=[listening],
                                   threads=1, asyncore_use_poll=True)
    threading.Thread(target=server.run, daemon=True).start()
    with socket.create_connection(("127.0.0.1", listening.getsockname()[1]), 5) as sock:
        sock.sendall(head(0, *(f"{name}: {value}" for name, value in SAID.items())))
        body = answer(sock).partition(b"\r\n\r\n")[2].decode()
    server.close()
    assert body == ("https cloud.example /compute HTTP_X_FORWARDED_HOST HTTP_X_FORWARDED_PROTO" if believed else
                    "http x -")


def test_who_sends_many_requests_ahead_is_cut_off(served):
    _, _, connect = served
    client = connect()
    client.sendall(b"GET / HTTP/1.0\r\n\r\n" * 3000)
    while not gone(client):
        continue
