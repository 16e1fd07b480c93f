"""Bodies that pass through a gateway: as slowly as their readers like, and not as slowly as a pod likes."""
import io
import itertools
import time

import pytest
import urllib3

from tricircle.upstream import bodies


class Drip:
    """A response that gives a byte at a time."""

    _original_response = None

    def __init__(self, pause):
        self.pause, self.closed = pause, False

    def read1(self, size, decode_content):
        """The next byte."""
        time.sleep(self.pause)
        return b"x"

    def close(self):
        """Remember it."""
        self.closed = True


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """A fifth of a second is patience enough here."""
    monkeypatch.setattr(bodies, "PATIENCE", 0.2)


def test_a_pod_that_drips_is_given_up():
    response = Drip(0.02)
    began = time.monotonic()
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        list(bodies.pieces(response, b"x", "Pod1", 0.1))
    assert time.monotonic() - began < 10
    assert response.closed


def test_a_reader_may_take_all_the_time():
    response = Drip(0)
    for _ in itertools.islice(bodies.pieces(response, b"x", "Pod1", 0.1), 5):
        time.sleep(0.1)


def test_a_pod_that_takes_an_upload_by_and_by_is_given_up(monkeypatch):
    paced = bodies.Paced(io.BytesIO(b"x" * 100))
    assert paced.read(10) == b"x" * 10
    monkeypatch.setattr(bodies.time, "monotonic", lambda: paced._until + 1)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        paced.read(10)
