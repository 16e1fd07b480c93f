"""The server's connections: what a client may send before the application has looked at the token, and how slowly.

The one module that knows how waitress (3.0) works inside. A waitress channel reads a request, body and all, and then
gives it to a thread. Here a body of more than FREE_BYTES is *held* after its header: the thread asks the application,
which answers `100` when the body may come in, and anything else is the answer, after which the connection ends.
A request for which the application raises `Later` waits for its turn, for WAIT seconds at most, and without a thread.
"""
import contextlib
import functools
import logging
import math
import socket
import sys
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Protocol

import waitress.server
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask, WSGITask

from tricircle.addresses import client, members
from tricircle.api import proxies
from tricircle.errors import ApiError, BadRequest, Unavailable

LOG = logging.getLogger(__name__)
BLOCK = 1 << 16        # read from a client at once
FREE_BYTES = BLOCK     # of a body that anybody may send: not less than BLOCK, so that a held body cannot be complete
HEADER_BYTES = 1 << 16
SLICE = 1 << 12        # of a chunked body: for each chunk waitress copies all that it was given
AHEAD = 32             # requests that a client may send before the first one is answered
# A request that trickles in, and an answer that trickles out, may take so long, and a second for each SLOWEST bytes.
PATIENCE = 30.0
SLOWEST = 1 << 14
# However long they are, both end when the largest upload would be in at so many bytes a second (2 GiB: 35 minutes). At
# SLOWEST it would hold its part of the room for a day and a half, and no pod would take its token by then.
HONEST = 1 << 20
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LINGER = 2.0           # seconds for which the rest of a refused body is thrown away: else TCP would drop the answer
WAIT = 2.0             # seconds for which a request may wait for its turn; then the application has to answer it
LOOK = 1               # between two looks at who is too slow, or has waited for long enough
MOST_OF_ONE_ADDRESS = 250   # connections to a port of one process
SAID = 60.0            # seconds between two complaints about those who want more
# In the WSGI environment: a Parser; what is called at the task's end; whether the application may raise `Later`; the
# Place where the request has waited, or None.
HELD, ENDS, WAITS, PLACE = "tricircle.held", "tricircle.ends", "tricircle.waits", "tricircle.place"


class Room(Protocol):
    """Where a body may be kept."""

    def grow(self, size: int) -> None:
        """It has become that long.

        Raises:
            ApiError: that is too long.
        """

    def end(self) -> None:
        """It is not needed any more."""


class Place(Protocol):
    """Where a request waits for its turn."""

    def stand(self, wake: Callable[[], None]) -> None:
        """Begin to wait; `wake` is called once, when it is worth while to ask the application again."""

    def leave(self) -> bool:
        """Wait no more; False where it has been woken already."""

    def drop(self) -> None:
        """Hand on the turn, unless it was taken: the request is over, or waits in another place."""


class Later(BaseException):
    """Not now. No Exception, since all layers between the application and the channel make answers of those.

    Args:
        place: where to wait.
    """

    def __init__(self, place: Place):
        super().__init__()
        self.place = place


class Parser(HTTPRequestParser):
    """One request while it comes in.

    Attributes:
        held: the application is to be asked before more is read.
        room: for the body; the application gives it.
        trouble: why the body cannot come in after all.
        waits: the client sends no more before it was told so.
        until: when it has waited for its turn for long enough; None: it has not waited.
        place: where it has waited.
    """

    held = False
    room: Room | None = None
    trouble: ApiError | None = None
    waits = False
    until: float | None = None
    place: Place | None = None
    _stays = False
    _rest = b""

    def __init__(self, adj: Any):
        super().__init__(adj)
        self.began = time.time()

    def received(self, data: bytes) -> int:
        """Take in what a client has sent; the number of bytes that belong to this request."""
        try:
            consumed = self._chunks(data) if self.chunked else super().received(data)
            if self.room and self.completed and not self.error:
                self.get_body_stream().flush()   # here, where a full disk is known for what it is
        except ApiError as error:
            return self._hold(data, len(data), error)
        except OSError as error:
            full = Unavailable(f"Tricircle has no room for an upload now ({error.strerror}): try again later")
            return self._hold(data, len(data), full)
        if self.completed or self.room or self.error:
            return consumed
        # A client that waits for "100 Continue" is to get it after the check; one that does not wait is read for a bit.
        waits = self.chunked and self.expect_continue and consumed == len(data)
        if waits or max(self.content_length, self.body_bytes_received) > FREE_BYTES:
            return self._hold(data, consumed)
        return consumed

    def _chunks(self, data: bytes) -> int:
        consumed = 0
        while consumed < len(data) and not self.completed:
            consumed += super().received(data[consumed:consumed + SLICE])
        if len(self.body_rcv.control_line) + len(self.body_rcv.trailer) > HEADER_BYTES:
            raise BadRequest("the request's body has a chunk's size or a trailer that is too long")
        if self.room:
            self.room.grow(self.body_bytes_received)
        return consumed

    def _hold(self, data: bytes, consumed: int, trouble: ApiError | None = None) -> int:
        """Look complete, so that the channel reads no further and gives the request to a thread."""
        self.held = self.completed = True
        self.trouble, self._rest = trouble, data[consumed:]
        self.waits, self.expect_continue = self.expect_continue, False
        return len(data)

    def resume(self) -> None:
        """Go on reading: the application has given room."""
        self.held = self.completed = False
        self.began, self._stays = time.time(), True
        rest, self._rest = self._rest, b""
        if rest:
            super().received(rest)

    def late(self, now: float, longest: float) -> bool:
        """Whether it comes in too slowly, or for longer than so many seconds."""
        return now > self.began + min(longest, PATIENCE + self.body_bytes_received / SLOWEST)

    def close(self) -> None:
        """What the channel calls at the end of each task; that of a question is not the end of the request."""
        if self._stays:
            self._stays = False
        else:
            self.drop()

    def drop(self) -> None:
        """The request's end, whatever it was."""
        if self.room:
            self.room.end()
        with contextlib.suppress(OSError):   # on a full disk a temporary file's last bytes go nowhere
            super().close()


class Task(WSGITask):
    """One call of the application."""

    def execute(self) -> None:
        """Answer a request, or ask whether a body may come in."""
        environ = self.get_environment()
        ends = environ[ENDS] = []
        environ[WAITS] = self.request.until is None or time.time() < self.request.until
        environ[PLACE] = self.request.place
        try:
            if self.request.held:
                environ[HELD] = self.request
                self.set_close_on_finish()
            super().execute()
        finally:
            for end in ends:
                end()
        if self.request.held and self._goes_on():
            self.close_on_finish = not self.channel.resume(self.request)
        elif self.request.held:
            self.channel.lingers = True

    def write(self, data: bytes) -> None:
        """Send the head together with the first bytes behind it: one packet, and one call of the kernel."""
        if self.wrote_header or not self.complete or not self.has_body or len(data) > (self.content_length or 0):
            super().write(data)
            return
        self.channel.write_soon(self.build_response_header() + data)
        self.wrote_header, self.content_bytes_written = True, len(data)

    def finish(self) -> None:
        """The end of an answer; 100 is none."""
        if not self._goes_on():
            super().finish()

    def _goes_on(self) -> bool:
        return self.status.startswith("100")


class Refusal(ErrorTask):
    """The answer to a request that waitress itself refuses: a header that is too long, or what is no HTTP."""

    def execute(self) -> None:
        """Answer, and let the client finish sending: an answer that TCP throws away explains nothing."""
        super().execute()
        self.channel.lingers = True


class Channel(HTTPChannel):
    """One connection.

    Attributes:
        lingers: the client may still be sending a request that was refused.
        longest: seconds that a request may take to come in, or an answer to go out.
        client: as whose it is counted; empty for a proxy's.
    """

    task_class = Task
    error_task_class = Refusal
    parser_class = Parser
    lingers = False
    longest = math.inf
    client = ""
    _waiting: tuple[Place, float] | None = None   # where its first request waits for its turn, and until when
    _until = 0.0                                # when lingering ends
    _sent = 0                                   # bytes
    _pending: tuple[float, int] | None = None   # since when an answer is going out, and how much was sent by then

    def received(self, data: bytes) -> bool:
        """Take in what a client has sent."""
        if self._until:
            self.will_close = time.time() > self._until
            return False
        taken = super().received(data)
        if len(self.requests) > AHEAD:
            self.will_close = True
        return taken

    def service(self) -> None:
        """Answer the first request, or let it wait for its turn; those behind it wait, too."""
        self._waiting, left = None, self.requests[0].place
        try:
            super().service()
        except Later as later:
            self._wait(later.place)
        finally:
            if left:   # a request that was refused before its turn, or whose client has gone, has not taken it
                left.drop()

    def _wait(self, place: Place) -> None:
        request = self.requests[0]
        request.until, request.place = request.until or time.time() + WAIT, place
        self._waiting = place, request.until
        place.stand(self._again)
        if not self.connected:   # asked last, as handle_close looks for the place last
            self.tire()

    def _again(self) -> None:
        self.server.add_task(self)

    def tire(self, now: float = math.inf) -> None:
        """A request that has waited for long enough is to be answered."""
        if self._waiting:
            place, until = self._waiting
            if now > until and place.leave():
                self._again()

    def resume(self, request: Parser) -> bool:
        """Go on reading a request that was held; False where the client has gone meanwhile."""
        if request.waits:
            self.write_soon(CONTINUE)
        with self.requests_lock:
            request.resume()
            self.request = request
        if not self.connected:   # asked last, as handle_close looks for the request last
            request.drop()
        return self.connected

    def send(self, *args: Any, **kwargs: Any) -> int:
        """Send what the client takes."""
        sent = super().send(*args, **kwargs)
        self._sent += sent or 0
        return sent

    def late(self, now: float) -> bool:
        """Whether the client has had its time: for its request, for our answer, or after a refusal."""
        if self._until:
            return now > self._until
        if not self.total_outbufs_len:
            self._pending = None
        elif self._pending is None:
            self._pending = now, self._sent
        else:
            since, sent = self._pending
            return now > since + min(self.longest, PATIENCE + (self._sent - sent) / SLOWEST)
        request = self.request
        return request is not None and request.late(now, self.longest)

    def handle_close(self) -> None:
        """End the connection, for reading a bit later than for writing where a body was refused."""
        if self.lingers:
            self.lingers = False
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self.will_close, self._until = False, time.time() + LINGER
                return
        super().handle_close()
        if self.request is not None:
            self.request.drop()
        self.tire()   # its turn is somebody else's


def create_server(application: Any, max_body: int, max_upload: int, believed: Iterable[IPv4Network | IPv6Network],
                  **adjustments: Any) -> waitress.server.BaseWSGIServer:
    """A waitress server whose connections are Channels.

    Args:
        application: WSGI; it bounds the bodies.
        max_body: bytes that are kept in memory; what is longer goes to a file.
        max_upload: bytes of the largest body: how long a request may take is derived from it.
        believed: where they are whose word for scheme, host and prefix is believed, and who may open any number of
            connections.
        adjustments: more of waitress's settings.
    """
    trusted = members(believed)
    server = waitress.create_server(
        proxies.believing(application, trusted), channel_timeout=120, connection_limit=1000, cleanup_interval=LOOK,
        recv_bytes=BLOCK, max_request_header_size=HEADER_BYTES, max_request_body_size=sys.maxsize,
        inbuf_overflow=max(max_body, FREE_BYTES) + 2 * BLOCK,   # the last blocks may come before the limit is seen
        outbuf_overflow=sys.maxsize,   # an answer is in memory anyway: it must not depend on the disk
        clear_untrusted_proxy_headers=False,   # proxies.believing does
        **adjustments)
    server.channel_class = Entrance(trusted, PATIENCE + max_upload / HONEST)
    server.maintenance = functools.partial(_maintain, server)
    return server


class Entrance:
    """Makes Channels of connections.

    Args:
        trusted: whether an address may have any number of them.
        longest: see Channel.
    """

    def __init__(self, trusted: Callable[[str], bool], longest: float):
        self._trusted, self._longest, self._said = trusted, longest, -math.inf

    def __call__(self, server: Any, sock: socket.socket, address: tuple, *more: Any, **named: Any) -> None:
        """A new connection, unless its client has enough of them."""
        who = "" if self._trusted(address[0]) else client(address[0])
        if who and sum(each.client == who for each in server.active_channels.values()) >= MOST_OF_ONE_ADDRESS:
            self._say(who)
            sock.close()
            return
        made = Channel(server, sock, address, *more, **named)
        made.client, made.longest = who, self._longest

    def _say(self, who: str) -> None:
        if time.monotonic() > self._said + SAID:
            self._said = time.monotonic()
            LOG.warning("%s has %s connections to a port of this process, and gets no more: where that is a proxy in "
                        "front, name it in [api]trusted_proxy", who, MOST_OF_ONE_ADDRESS)


def _maintain(server: Any, now: float) -> None:
    """Close what is idle, as waitress does, and what is too slow; answer who has waited for long enough."""
    type(server).maintenance(server, now)
    for channel in list(server.active_channels.values()):
        channel.tire(now)
        if channel.late(now):
            channel.will_close = True
