"""Fail fast on a pod that does not answer: a region has no substitute, so there is nowhere else to send a call."""
import threading
import time
from collections.abc import Callable


class Breaker:
    """One for each pod and service.

    Closed until `failures` calls in a row failed; then open for `seconds`; then half open: exactly one call is let
    through, the probe, and its outcome closes or re-opens it. A call is begun and ended by one thread.

    Until calls to a silent pod have failed, which is at their deadline, they hold their threads. So no more than
    `most` wait while nothing at all is answered for `patience`: else no thread would be left for the other pods.

    Args:
        failures: calls in a row.
        seconds: between opening and the probe.
        most: calls under way.
        patience: seconds.
        clock: monotonic seconds; tests pass their own.
    """

    def __init__(self, failures: int, seconds: float, most: int, patience: float,
                 clock: Callable[[], float] = time.monotonic):
        self.failures, self.seconds, self.most, self.patience, self._clock = failures, seconds, most, patience, clock
        self._lock = threading.Lock()
        self._failed = self._under_way = 0
        self._heard = 0.0   # when the last answer came, or the first of the calls under way began
        self._opened: float | None = None
        self._prober: int | None = None   # thread

    def allow(self) -> bool:
        """Whether a call may be made now; if so, `ended` must follow, with or without an outcome."""
        with self._lock:
            at = self._clock()
            if self._opened is None:
                if self._under_way >= self.most and at - self._heard >= self.patience:
                    return False
            # A silent pod holds its probe for longer than `seconds`: the next one must not go out meanwhile.
            elif self._prober is not None or at - self._opened < self.seconds:
                return False
            else:
                self._prober = threading.get_ident()
            self._heard = self._heard if self._under_way else at
            self._under_way += 1
            return True

    def succeeded(self) -> None:
        """A call was answered, be it with an error: the pod is there."""
        with self._lock:
            self._failed, self._opened, self._heard = 0, None, self._clock()

    def failed(self) -> None:
        """A call was not answered."""
        with self._lock:
            self._failed += 1
            # One that was under way when it opened says nothing new: the probe would be put off with each of them.
            if (self._opened is None and self._failed >= self.failures) or self._probes():
                self._opened = self._clock()

    def ended(self) -> None:
        """A call is over. A probe that had no outcome (Keystone was not there for it) leaves its place to another."""
        with self._lock:
            self._under_way -= 1
            if self._probes():
                self._prober = None

    def _probes(self) -> bool:
        return self._prober == threading.get_ident()

    @property
    def open(self) -> bool:
        """Whether calls fail at once."""
        return self._opened is not None
