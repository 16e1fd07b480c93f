"""At the door: whether a request may come in, and the body that it announces, for the sake of everybody else."""
from typing import Any

from oslo_config import cfg

from tricircle import trace
from tricircle.api.channel import ENDS, HELD, PLACE, WAITS
from tricircle.api.message import Response, is_document
from tricircle.api.share import Part, Share
from tricircle.errors import ApiError, TooLarge
from tricircle.routing.caller import Identity
from tricircle.upstream.client import READS

# JSON bodies, which are kept in memory, so many times the threads of a port: more than one process reads at once.
AHEAD = 4


class Door:
    """The shares of one API process.

    Args:
        conf: group `api` is read.
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf, part = conf.api, conf.api.project_share
        self._threads = {service: Share("threads", conf.api.threads, 0, part)
                         for service in ("admin", "compute", "volume", "network")}
        documents = AHEAD * conf.api.threads
        self._documents = Share("documents", documents, documents * conf.api.max_body_bytes, part)
        self._uploads = Share("uploads", conf.api.uploads, conf.api.upload_bytes, part)

    def enter(self, service_name: str, environ: dict[str, Any]) -> Response | None:
        """Let a request in: None to answer it now, or the answer to a question about its body (see channel.py).

        Args:
            service_name: whose port.
            environ: with the caller's identity, but for the paths that need none.

        Raises:
            Later: the project has its threads; the request waits for one of them, without a thread.
            ApiError: too large, too many of this project's, or no room.
        """
        asker = _asker(environ.get("tricircle.identity"))
        trace.of_project(asker)
        held = environ.get(HELD)
        if held is not None and environ["REQUEST_METHOD"] not in READS:   # nobody reads the body of a GET
            # Nothing that is sent to the admin API is an upload.
            held.room = self._room(asker, held, service_name == "admin" or is_document(environ))
            return Response(100)
        if ENDS in environ:   # outside of our server there is no task that would end
            part = self._threads[service_name].take(asker, waits=environ[WAITS], place=environ[PLACE])
            environ[ENDS].append(part.end)
        return None

    def _room(self, asker: str, held: Any, document: bool) -> "Room":
        if held.trouble:
            raise held.trouble
        size = max(held.content_length, held.body_bytes_received)
        small = not held.chunked and size <= self._conf.max_body_bytes
        share = self._documents if document or small else self._uploads
        most = min(share.most, self._conf.max_body_bytes if document else self._conf.max_upload_bytes)
        if size > most:
            raise too_large(most)
        return Room(share.take(asker, size), most)


class Room:
    """Where a body may be kept.

    Args:
        part: of a share.
        most: bytes.
    """

    def __init__(self, part: Part, most: int):
        self._part, self._most = part, most

    def grow(self, size: int) -> None:
        """It has become that long.

        Raises:
            ApiError: that is too long, or too much with all others.
        """
        if size > self._most:
            raise too_large(self._most)
        self._part.grow(size)

    def end(self) -> None:
        """It is not needed any more."""
        self._part.end()


def _asker(identity: Identity | None) -> str:
    """Return whose part a request takes: the project's, or the user's where the token is for no project.

    Args:
        identity: None for what needs no token: all of that has one part.
    """
    if identity is None:
        return ""
    return identity.project_id or f"user {identity.user_id}"


def too_large(most: int) -> ApiError:
    """A body is."""
    return TooLarge(f"the request's body is larger than {most} bytes")
