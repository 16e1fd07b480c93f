"""A pod has room for so many jobs at a time, however many there are."""
import contextlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator

from tricircle.errors import TricircleError

# Seconds for which a plan is good while its job waits: much less than a claim on a replica (RETIRE_SECONDS).
WAIT_SECONDS = 5.0


class PodBusy(TricircleError):
    """Other jobs are at work in a pod: look again a little later, by a new plan."""

    patient = True


class Slots:
    """Counts the jobs that are at work in each pod.

    Args:
        number: at most so many; 0 is no limit.
        seconds: how long to wait for room.
    """

    def __init__(self, number: int, seconds: float = WAIT_SECONDS):
        self._number, self._seconds = number, seconds
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def of(self, pods: Iterable[str]) -> Iterator[None]:
        """Room in all of these pods for the time of the block.

        Raises:
            PodBusy: there was none.
        """
        names = sorted(pods)
        with self._changed:
            # All at once: whoever waits keeps no room from others, so that no two can wait for each other.
            if not self._changed.wait_for(lambda: not self._full(names), self._seconds):
                raise PodBusy(f"{self._number} jobs are at work in pod {', '.join(self._full(names))}: "
                              "this one waits for its turn")
            self._taken.update(names)
        try:
            yield
        finally:
            with self._changed:
                self._taken.subtract(names)
                self._changed.notify_all()

    def _full(self, names: list[str]) -> list[str]:
        return [pod for pod in names if self._number and self._taken[pod] >= self._number]
