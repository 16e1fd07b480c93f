"""Sockets that nobody waits for longer than is allowed, and connections that wait for a call."""
import queue
import socket
import threading
import time

import pytest

from tricircle.upstream import sockets

LONG = b"x" * (8 << 20)   # more than the kernel keeps


@pytest.fixture
def pair():
    """(ours, theirs)."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(60)
        yield ours, theirs


def test_what_the_kernel_does_not_take_at_once_is_sent_by_and_by(pair):
    ours, theirs = pair
    got = []

    def read():
        while sum(map(len, got)) < len(LONG):
            got.append(theirs.recv(1 << 16))

    reader = threading.Thread(target=read)
    reader.start()
    sockets.send(ours, LONG, time.monotonic() + 30)
    reader.join()
    assert b"".join(got) == LONG


def test_nobody_who_does_not_read_is_waited_for_longer(pair):
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        sockets.send(pair[0], LONG, began + 0.2)
    assert time.monotonic() - began < 10


def test_what_comes_is_waited_for_and_no_longer_than_said(pair):
    ours, theirs = pair
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        sockets.receive(ours, 9, began + 0.2)
    assert time.monotonic() - began < 10
    threading.Timer(0.1, theirs.sendall, [b"late"]).start()
    assert sockets.receive(ours, 9, time.monotonic() + 30) == b"late"
    theirs.close()
    assert sockets.receive(ours, 9, time.monotonic() + 30) == b""


def test_who_hangs_up_is_an_error(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(BrokenPipeError):
        sockets.send(ours, b"a", time.monotonic() + 5)


def test_the_last_connection_that_came_goes_first_and_no_more_are_kept():
    idle = sockets.IdleConnections(2)
    for each in ("a", "b"):
        idle.put(each, block=False)
    with pytest.raises(queue.Full):
        idle.put("c")
    assert (idle.qsize(), idle.get(), idle.get(block=False)) == (2, "b", "a")
    with pytest.raises(queue.Empty):
        idle.get()
