"""Fail fast on a pod that does not answer: a region has no substitute, so there is nowhere else to send a call."""
import threading
import time
from collections.abc import Callable


class Breaker:
    """One for each pod and service.

    Closed until `failures` calls in a row failed; then open for `seconds`; then half open: exactly one call is let
    through, and its outcome closes or re-opens it.

    Args:
        failures: calls in a row.
        seconds: between opening and the probe.
        clock: monotonic seconds; tests pass their own.
    """

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic):
        self.failures, self.seconds, self._clock = failures, seconds, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._opened: float | None = None

    def allow(self) -> bool:
        """Whether a call may be made now."""
        with self._lock:
            if self._opened is None:
                return True
            if self._clock() - self._opened < self.seconds:
                return False
            # The probe. Were it to vanish without an outcome, the next one would be let through `seconds` later.
            self._opened = self._clock()
            return True

    def succeeded(self) -> None:
        """A call was answered, be it with an error: the pod is there."""
        with self._lock:
            self._failed, self._opened = 0, None

    def failed(self) -> None:
        """A call was not answered."""
        with self._lock:
            self._failed += 1
            if self._failed >= self.failures:
                self._opened = self._clock()

    @property
    def open(self) -> bool:
        """Whether calls fail at once."""
        return self._opened is not None
