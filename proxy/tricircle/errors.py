"""What can go wrong, in one tree.

    TricircleError
      ApiError                    has an HTTP status; the API layer writes it in the called service's own format
        BadRequest 400  Forbidden 403  NotFound 404  Conflict 409  TooLarge 413  Unprocessable 422
        NotAcceptable 406  UnsupportedMedia 415  TooMany 429
        BadGateway 502  Unavailable 503  GatewayTimeout 504
      PodUnreachable              no whole answer came from a pod: nothing is known about what it did
        EndpointMissing           Keystone's catalogue has no such service in that region
      StoreBusy                   the database cannot take a write now
      LeaseLost                   the job was cancelled, or another worker has it: write nothing any more
"""


class TricircleError(Exception):
    """Base of all errors that Tricircle raises on purpose."""


class ApiError(TricircleError):
    """An answer for the user.

    Args:
        message: what is wrong and what to do about it.
        kind: Neutron's `type` field, where the class's default does not fit.
    """

    status = 500
    kind = "InternalServerError"

    def __init__(self, message: str, kind: str | None = None):
        super().__init__(message)
        self.message = message
        self.headers: list[tuple[str, str]] = []
        if kind:
            self.kind = kind


class BadRequest(ApiError):
    status, kind = 400, "BadRequest"


class Forbidden(ApiError):
    status, kind = 403, "PolicyNotAuthorized"


class NotFound(ApiError):
    status, kind = 404, "HTTPNotFound"


class MethodNotAllowed(ApiError):
    status, kind = 405, "HTTPMethodNotAllowed"


class NotAcceptable(ApiError):
    status, kind = 406, "HTTPNotAcceptable"


class Conflict(ApiError):
    status, kind = 409, "Conflict"


class TooLarge(ApiError):
    status, kind = 413, "HTTPRequestEntityTooLarge"


class UnsupportedMedia(ApiError):
    status, kind = 415, "HTTPUnsupportedMediaType"


class Unprocessable(ApiError):
    status, kind = 422, "HTTPUnprocessableEntity"


class TooMany(ApiError):
    status, kind = 429, "HTTPTooManyRequests"


class BadGateway(ApiError):
    status, kind = 502, "HTTPBadGateway"


class Unavailable(ApiError):
    status, kind = 503, "ServiceUnavailable"


class GatewayTimeout(ApiError):
    status, kind = 504, "HTTPGatewayTimeout"


class PodUnreachable(TricircleError):
    """A pod gave no whole answer in time.

    Args:
        pod: the pod's name (its Keystone region).
        service: `compute`, `volume` or `network`.
        reason: one line for a human.
        sent: False when the request surely never reached the pod, so that it may be repeated.
        doubtful: it was to change something, and may have.
        status: of an answer that is of no use; 0 where none came.
    """

    def __init__(self, pod: str, service: str, reason: str, sent: bool = True, doubtful: bool = False,
                 status: int = 0):
        super().__init__(f"{service} of pod {pod}: {reason}")
        self.pod, self.service, self.reason, self.sent = pod, service, reason, sent
        self.doubtful, self.status = doubtful, status


class EndpointMissing(PodUnreachable):
    """The catalogue lists no such endpoint, so nothing was sent.

    Args:
        region: Keystone region.
        service: `compute`, `volume` or `network`.
    """

    def __init__(self, region: str, service: str):
        super().__init__(region, service, "Keystone's catalogue has no endpoint of it", sent=False)


class StoreBusy(TricircleError):
    """The database file is locked, full or read-only."""


class LeaseLost(TricircleError):
    """The job was cancelled, or its lease has gone to another worker."""
