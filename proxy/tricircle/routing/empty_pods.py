"""In which pods a project has nothing of a kind, as its lists have shown a moment ago.

What a project makes through Tricircle is known by its bindings and by `routings`. What it made before its pod was
registered, or makes straight at a pod, only that pod knows. So a list asks every pod, and one that had nothing is left
out for a while. The while grows with the number of such pods: what a user's lists cost there stays below `rate`
questions a second, however many pods there are.
"""
import threading
import time
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass

MOST = 20_000   # keys; the oldest go. About 600 bytes each.
WORLDS = 16     # sets of pods that were registered at one time


@dataclass(frozen=True, slots=True)
class Seen:
    """What the pods have shown.

    Args:
        until: when it ends to hold, of the clock.
        asked: ids of all pods of that time.
        held: ids of those that had something, or did not tell.
    """

    until: float
    asked: frozenset[str]
    held: frozenset[str]

    @property
    def empty(self) -> frozenset[str]:
        """Ids of the pods that had nothing."""
        return self.asked - self.held


class EmptyPods:
    """Remembers which pods need not be asked.

    Args:
        rate: questions a second to pods that have nothing, for one key.
        clock: seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic):
        self._rate, self._clock = rate, clock
        self._seen: dict[Hashable, Seen] = {}
        self._worlds: dict[frozenset[str], frozenset[str]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seen)

    def seen(self, key: Hashable) -> Seen | None:
        """Return what was seen last; None when it does not hold any more.

        Args:
            key: whose things, and of what kind.
        """
        seen = self._seen.get(key)
        return seen if seen and self._clock() < seen.until else None

    def note(self, key: Hashable, asked: Collection[str], held: Collection[str]) -> None:
        """Remember what all pods have shown.

        Args:
            key: as in `seen`.
            asked: ids of all registered pods.
            held: ids of those that had something, or did not tell.
        """
        with self._lock:
            if len(self._worlds) >= WORLDS:
                self._worlds.clear()
            world = self._worlds.setdefault(frozenset(asked), frozenset(asked))
            self._seen.pop(key, None)
            held = frozenset(held)
            self._seen[key] = Seen(self._clock() + max(len(world - held), 1) / self._rate, world, held)
            while len(self._seen) > MOST:
                del self._seen[next(iter(self._seen))]
