"""Shares of what all have in common: no project takes more than its part, and no thread waits for it."""
import threading
from collections.abc import Callable

from tricircle import metrics
from tricircle.api.channel import Later
from tricircle.errors import ApiError, TooMany, Unavailable

RETRY_SECONDS = "1"
# In a project's line, times its part: more than these would wait in vain, as a request may stand for channel.WAIT
# seconds only, and takes a quarter of a second or so.
WAITING = 8


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
        self._lines: dict[str, dict[Place, None]] = {}   # none of them is empty; first come, first served
        self._lock = threading.Lock()

    def take(self, project: str, size: int = 0, waits: bool = False, place: "Place | None" = None) -> "Part":
        """Get a part of it, to be ended when it is not needed any more.

        Args:
            project: who asks; empty for all together that have none.
            size: as far as it is known.
            waits: it may stand in the project's line.
            place: where it has stood: what that was given is the part.

        Raises:
            Later: the project has its part, and there is a place in its line.
            TooMany: the project has its part.
            Unavailable: all is in use.
        """
        given = place.claim(self, project) if place else None
        if given:
            return given
        part = Part(self, project)
        self.add(project, 1, size, waits)
        part.size = size
        return part

    def add(self, project: str, number: int, size: int, waits: bool = False) -> None:
        """Take that much more; raises as `take`."""
        with self._lock:
            mine, total = (_plus(used, number, size) for used in (self._used.get(project, (0, 0)), self._total))
            if _beyond(mine, self._one):
                if waits and len(self._lines.get(project, ())) < WAITING * self._one[0]:
                    raise Later(Place(self, project))
                raise self._refused(TooMany(f"this project has its share of {self._what} under way: "
                                            "try again when some of that is done"), "project")
            if _beyond(total, self._all):
                raise self._refused(Unavailable(f"there are too many {self._what} under way: try again later"), "all")
            self._used[project], self._total = mine, total

    def _refused(self, error: ApiError, whose: str) -> ApiError:
        metrics.refused(self._what, whose)
        error.headers.append(("Retry-After", RETRY_SECONDS))
        return error

    def give_back(self, project: str, size: int) -> None:
        """One thing is over: what it had is the first's in the project's line, so nobody can come before that."""
        with self._lock:
            self._count(project, -1, -size)
            first = next(iter(self._lines.get(project, ())), None)
            if first:
                self._left(first)
                self._hand(first)
        if first:
            first.wake()

    def _count(self, project: str, number: int, size: int) -> None:
        self._used[project] = _plus(self._used.get(project, (0, 0)), number, size)
        self._total = _plus(self._total, number, size)
        if not self._used[project][0]:
            del self._used[project]

    def _hand(self, place: "Place") -> None:
        """Give a part of size 0 to somebody who has waited.

        Until it is claimed nobody has a thread for it: it is the project's by then, and not in use.
        """
        self._used[place.project] = _plus(self._used.get(place.project, (0, 0)), 1, 0)
        place.part = Part(self, place.project)

    def stand(self, place: "Place") -> None:
        """Be last in the line, unless the project has room by now."""
        with self._lock:
            # Where somebody stands the project has none: what is given back is handed on.
            if full := self._used.get(place.project, (0, 0))[0] >= self._one[0]:
                self._lines.setdefault(place.project, {})[place] = None
            elif self._total[0] < self._all[0]:   # else `take` says that all is in use
                self._hand(place)
        if not full:
            place.wake()

    def claim(self, place: "Place") -> "Part | None":
        """Take what a place was given, once."""
        with self._lock:
            part, place.part = place.part, None
            if part:
                self._total = _plus(self._total, 1, 0)
        return part

    def leave(self, place: "Place") -> bool:
        """Whether it was still in the line."""
        with self._lock:
            stood = place in self._lines.get(place.project, ())
            if stood:
                self._left(place)
            return stood

    def _left(self, place: "Place") -> None:
        line = self._lines[place.project]
        del line[place]
        if not line:
            del self._lines[place.project]


class Place:
    """One request's place in the line of its project.

    Args:
        share: of what.
        project: whose line.

    Attributes:
        wake: called, once and by any thread, when it is worth while to try again.
        part: what was given to it, until it is taken.
    """

    def __init__(self, share: Share, project: str):
        self._share, self.project = share, project
        self.wake: Callable[[], None] = lambda: None
        self.part: Part | None = None

    def stand(self, wake: Callable[[], None]) -> None:
        """Wait, without a thread."""
        self.wake = wake
        self._share.stand(self)

    def leave(self) -> bool:
        """Wait no more; False where it has been woken already."""
        return self._share.leave(self)

    def claim(self, share: Share, project: str) -> "Part | None":
        """Take what was given to it; None: nothing was, or it is somebody else's."""
        return share.claim(self) if share is self._share and project == self.project else None

    def drop(self) -> None:
        """Hand on what was given to it and nobody has taken: the request has come to its end another way."""
        part = self._share.claim(self)
        if part:
            part.end()


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
            if self._ended:
                return
            self._ended = True
        self._share.give_back(self._project, self.size)


def _plus(used: tuple[int, int], number: int, size: int) -> tuple[int, int]:
    return used[0] + number, used[1] + size


def _beyond(used: tuple[int, int], most: tuple[int, int]) -> bool:
    return used[0] > most[0] or used[1] > most[1]
