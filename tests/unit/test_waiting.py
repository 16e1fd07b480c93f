"""Requests that wait for their project's part: no thread is held, and none waits for ever."""
import socket
import threading

import pytest
from tests.unit.test_channel import answer, eventually, gone, head

from tricircle.api import channel
from tricircle.api.channel import ENDS, PLACE, WAITS
from tricircle.api.share import WAITING, Share
from tricircle.errors import TooMany


class App:
    """Two may be under way; a path that begins with /slow takes until `go` is set. Says the path.

    When the turn of a path that begins with /revoked comes, it is refused before it could take that.
    """

    def __init__(self):
        self.share, self.go, self.asked = Share("threads", 4, 0, 0.5), threading.Event(), []

    def __call__(self, environ, start):
        path = environ["PATH_INFO"]
        self.asked.append(path)
        status = "200 OK"
        try:
            if path.startswith("/revoked") and environ[PLACE]:
                start("401 Unauthorized", [("Content-Length", "0")])
                return []
            part = self.share.take("b", waits=environ[WAITS], place=environ[PLACE])
            environ[ENDS].append(part.end)
        except TooMany:
            status = "429 Too Many Requests"
        else:
            if path.startswith("/slow"):
                self.go.wait(10)
        start(status, [("Content-Length", str(len(path)))])
        return [path.encode()]


@pytest.fixture
def served():
    """(application, server, connect); there are no more threads than b has."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = App()
    server = channel.create_server(app, 1 << 20, 1 << 30, [], sockets=[listening], threads=3, asyncore_use_poll=True)
    server.adj.asyncore_loop_timeout = 0.05
    server.adj.cleanup_interval = 0
    threading.Thread(target=server.run, daemon=True).start()
    made = []

    def connect(*paths):
        made.append(socket.create_connection(listening.getsockname(), 5))
        made[-1].sendall(b"".join(head(0).replace(b"POST / ", f"POST {path} ".encode()) for path in paths))
        return made[-1]

    yield app, server, connect
    app.go.set()
    for each in made:
        each.close()
    server.close()


def busy(app, connect, number=2):
    """So many slow requests, of which two are under way."""
    made = [connect("/slow") for _ in range(number)]
    eventually(lambda: len(app.asked) == number)
    return made


def test_who_waits_is_answered_in_turn_and_holds_no_thread(served):
    app, server, connect = served
    slow = busy(app, connect)
    waiting = [connect(f"/{number}") for number in range(WAITING)]
    eventually(lambda: len(app.asked) == 2 + WAITING)
    eventually(lambda: server.task_dispatcher.active_count == 2)
    app.go.set()
    assert [answer(each)[:12] for each in slow] == [b"HTTP/1.1 200"] * 2
    for number, each in enumerate(waiting):
        assert answer(each).endswith(f"/{number}".encode())
    assert not app.share._lines
    eventually(lambda: not app.share._used)


def test_who_has_waited_for_long_enough_is_told_so(served, monkeypatch):
    monkeypatch.setattr(channel, "WAIT", 0.1)
    app, _, connect = served
    busy(app, connect)
    assert answer(connect("/late")).startswith(b"HTTP/1.1 429")
    assert app.asked.count("/late") == 2
    assert not app.share._lines


def test_the_line_has_an_end(served):
    app, _, connect = served
    busy(app, connect, 2 + 2 * WAITING)
    assert answer(connect("/late")).startswith(b"HTTP/1.1 429")


def test_requests_behind_one_that_waits_keep_their_order(served):
    app, _, connect = served
    busy(app, connect)
    client = connect("/1", "/2", "/3")
    eventually(lambda: "/1" in app.asked)
    app.go.set()
    found = b""
    while found.count(b"HTTP/1.1 200 OK") < 3 or not found.endswith(b"/3"):
        found += client.recv(1 << 16)
    assert [part[-2:] for part in found.split(b"HTTP/1.1 200 OK")[1:]] == [b"/1", b"/2", b"/3"]


def test_a_connection_that_ends_leaves_the_line(served):
    app, server, connect = served
    busy(app, connect)
    client = connect("/1")
    eventually(lambda: app.share._lines)
    (waiting,) = [each for each in server.active_channels.values() if each._waiting]
    waiting.will_close = True
    assert gone(client)
    eventually(lambda: not app.share._lines)
    app.go.set()
    assert app.asked.count("/1") == 1


def test_who_is_refused_when_its_turn_comes_hands_that_on(served, monkeypatch):
    monkeypatch.setattr(channel, "WAIT", 60.0)
    app, _, connect = served
    busy(app, connect)
    made = []
    for path in ("/revoked1", "/revoked2", "/next"):
        made.append(connect(path))
        eventually(lambda path=path: path in app.asked)
    app.go.set()
    assert [answer(each)[:12] for each in made] == [b"HTTP/1.1 401"] * 2 + [b"HTTP/1.1 200"]
    eventually(lambda: not app.share._used and not app.share._lines)


def test_a_connection_that_ends_when_its_turn_comes_hands_that_on(served, monkeypatch):
    """Its turn has come, and no thread has looked at it yet."""
    monkeypatch.setattr(channel, "WAIT", 60.0)
    app, _, connect = served
    busy(app, connect)
    made = []
    for path in ("/1", "/2", "/next"):
        made.append(connect(path))
        eventually(lambda path=path: path in app.asked)
    for place in list(app.share._lines["b"])[:2]:
        place.wake.__self__.connected = False
    app.go.set()
    assert answer(made[2]).endswith(b"/next")
    eventually(lambda: not app.share._used and not app.share._lines)


def test_what_is_free_by_the_time_of_standing_is_not_waited_for():
    share, woken = Share("threads", 2, 0, 0.5), []
    part = share.take("b")
    with pytest.raises(channel.Later) as later:
        share.take("b", waits=True)
    part.end()
    later.value.place.stand(lambda: woken.append(1))
    assert woken
    assert not later.value.place.leave()
