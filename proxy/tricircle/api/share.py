"""Shares of what all have in common: no project takes more than its part, and nobody waits for it."""
import threading

from tricircle import metrics
from tricircle.errors import ApiError, TooMany, Unavailable

RETRY_SECONDS = "1"


class Share:
    """So much of something for all together, and a part of that for each project.

    Who has nothing under way has no entry, so there are no more of them than things under way.

    Args:
        what: `threads`, `uploads` or `documents`: for the figures, and in the words for the user.
        number: of things under way.
        size: of all of them together; 0 where they have none.
        part: of both, for one project: a fraction of 1.

    Attributes:
        most: the largest size that one thing may ever have.
    """

    def __init__(self, what: str, number: int, size: int, part: float):
        self._what, self._all = what, (number, size)
        self.most = max(size // number, int(size * part))
        self._one = max(1, int(number * part)), self.most
        self._used: dict[str, tuple[int, int]] = {}
        self._total = (0, 0)
        self._lock = threading.Lock()

    def take(self, project: str, size: int = 0) -> "Part":
        """A part of it, to be ended when it is not needed any more.

        Args:
            project: who asks; empty for all together that have none.
            size: as far as it is known.

        Raises:
            TooMany: the project has its part.
            Unavailable: all is in use.
        """
        part = Part(self, project)
        self.add(project, 1, size)
        part.size = size
        return part

    def add(self, project: str, number: int, size: int) -> None:
        """Take that much more; raises as `take`. With negative numbers: give it back."""
        with self._lock:
            mine, total = (_plus(used, number, size) for used in (self._used.get(project, (0, 0)), self._total))
            if (number > 0 or size > 0) and _beyond(mine, self._one):
                raise self._refused(TooMany(f"this project has its share of {self._what} under way: "
                                            "try again when some of that is done"), "project")
            if (number > 0 or size > 0) and _beyond(total, self._all):
                raise self._refused(Unavailable(f"there are too many {self._what} under way: try again later"), "all")
            self._total = total
            if mine[0]:
                self._used[project] = mine
            else:
                self._used.pop(project, None)

    def _refused(self, error: ApiError, whose: str) -> ApiError:
        metrics.refused(self._what, whose)
        error.headers.append(("Retry-After", RETRY_SECONDS))
        return error


class Part:
    """What one request has of a share.

    Args:
        share: of what.
        project: whose.
    """

    def __init__(self, share: Share, project: str):
        self._share, self._project, self.size, self._ended = share, project, 0, False
        self._lock = threading.Lock()

    def grow(self, size: int) -> None:
        """It has become that large; raises as `Share.take`."""
        with self._lock:
            if size > self.size and not self._ended:
                self._share.add(self._project, 0, size - self.size)
                self.size = size

    def end(self) -> None:
        """Give it back; once is enough, and more is no harm."""
        with self._lock:
            if not self._ended:
                self._ended = True
                self._share.add(self._project, -1, -self.size)


def _plus(used: tuple[int, int], number: int, size: int) -> tuple[int, int]:
    return used[0] + number, used[1] + size


def _beyond(used: tuple[int, int], most: tuple[int, int]) -> bool:
    return used[0] > most[0] or used[1] > most[1]
