"""For what something is done: the request or the job that this thread works on, and which pods were asked for it."""
from contextvars import ContextVar


class Trace:
    """One request, or one attempt at a job.

    Args:
        cause: `req-<uuid>`, or kind, resource and id of a job.

    Attributes:
        project: whose request it is (a user, where the token is for no project; empty without a token); None: it is
            our own doing.
        versions: {connection: version} of the database that this request goes by, see `Database.kept`; None: of a job,
            which may take minutes.
    """

    __slots__ = ("cause", "pods", "project", "versions")

    def __init__(self, cause: str):
        self.cause = cause
        self.project: str | None = None
        self.versions: dict[object, int] | None = None
        self.pods: set[str] = set()   # asked so far; several threads add to it


_CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


def begin(cause: str) -> Trace:
    """What this thread does from now on is done for that."""
    made = Trace(cause)
    _CURRENT.set(made)
    return made


def cause() -> str:
    """What it is done for; `-` outside of requests and jobs."""
    current = _CURRENT.get()
    return current.cause if current else "-"


def of_project(project: str) -> None:
    """It is done for somebody of that project."""
    current = _CURRENT.get()
    if current:
        current.project = project


def project() -> str | None:
    """Whose request it is done for; None: it is our own doing."""
    current = _CURRENT.get()
    return current.project if current else None


def asked(pod: str) -> None:
    """A pod is being asked."""
    current = _CURRENT.get()
    if current:
        current.pods.add(pod)
        waited()   # for the answer


def versions() -> dict[object, int]:
    """Return the versions of the database that this request goes by; outside of requests those of nothing."""
    current = _CURRENT.get()
    found = current.versions if current else None
    return {} if found is None else found


def waited() -> None:
    """Forget the versions: the request waits, and what others commit by then is to be seen."""
    versions().clear()
