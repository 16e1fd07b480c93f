"""Fail fast on a pod that does not answer: a region has no substitute, so there is nowhere else to send a call.

What a request may have caused itself says little of the pod: a list that is too long for its deadline, a header that
the pod's server cuts off. So a *refused* connection counts for everybody, and a call without an answer (*silent*)
counts only when nobody else has had an answer since that call began; and while one project alone meets that, the
breaker is open for that project alone. When a second one meets it, too, all fail fast at once; but one person may have
two projects, so that is believed only until a look of our own, which no user has caused, is answered.
"""
import threading
import time
from collections.abc import Callable


class Call:
    """One call under way: begun by `Breaker.begin`, ended by `ended`, with at most one outcome between.

    Args:
        breaker: whose.
        owner: project for which it is made; None: our own account does.
        began: by the breaker's clock.
        probes: whether it was let through an open breaker.
    """

    __slots__ = ("_breaker", "began", "owner", "probes")

    def __init__(self, breaker: "Breaker", owner: str | None, began: float, probes: bool):
        self._breaker, self.owner, self.began, self.probes = breaker, owner, began, probes

    def answered(self) -> None:
        """It was answered, be it with an error: the pod is there."""
        self._breaker._answered(self)

    def refused(self) -> None:
        """No connection was to be had."""
        self._breaker._refused(self)

    def silent(self) -> bool:
        """No whole answer came.

        Returns:
            Whether this has opened the breaker for all, on the word of users alone: a look of our own is due, and the
            next call of our own account is let through for it.
        """
        return self._breaker._silent(self)

    def ended(self) -> None:
        """It is over. A probe that had no outcome (Keystone was not there for it) leaves its place to another."""
        self._breaker._ended(self)


class Breaker:
    """One for each pod and service.

    Closed until `failures` calls in a row failed; then open for `seconds`; then half open: a call is let through, the
    probe, and its outcome closes or re-opens it. A project's probe that takes longer than `patience` does not keep the
    others from theirs, and one that fails by silence puts off that project's next probe only.

    Until calls to a silent pod have failed, which is at their deadline, they hold their threads. So no more than
    `most` of one project, and half as many again of all, wait while nothing at all is answered for `patience`: else no
    thread would be left for the other pods.

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
        self._calls: set[Call] = set()
        self._last = self._heard = float("-inf")   # answer; that, or the beginning of the first of the calls under way
        self._closed()

    def _closed(self) -> None:
        self._refusals = 0
        # By owner. It opens for all as soon as there are two, so there are at most `failures` of them.
        self._silences: dict[str | None, int] = {}
        self._opened: float | None = None
        self._alone: str | None = None                       # for whom it is open, where it is not for all
        self._tried: tuple[str | None, float] | None = None   # whose probe failed by silence, and when
        self._hearsay = False                                # it is open by what users met, and we have not looked

    @property
    def open(self) -> bool:
        """Whether calls fail at once, whoever makes them."""
        return self._opened is not None and self._alone is None

    def open_for(self, owner: str | None) -> bool:
        """Whether the calls of one owner fail at once."""
        return self._opened is not None and self._alone in (None, owner)

    def waiting(self, seconds: float) -> int:
        """How many calls have been under way for longer than so many seconds."""
        with self._lock:
            at = self._clock()
            return sum(at - call.began > seconds for call in self._calls)

    def begin(self, owner: str | None = None, probes: bool = True) -> Call | None:
        """A call, if it may be made now.

        Args:
            owner: project for which it is made; None: our own account.
            probes: whether its outcome says enough of the pod to let it through a breaker that is half open.
        """
        with self._lock:
            at, is_open = self._clock(), self.open_for(owner)
            if not (probes and self._may_probe(owner, at) if is_open else self._has_room(owner, at)):
                return None
            self._heard = self._heard if self._calls else at
            call = Call(self, owner, at, is_open)
            self._calls.add(call)
            return call

    def _has_room(self, owner: str | None, at: float) -> bool:
        if at - self._heard < self.patience or len(self._calls) < self.most:
            return True
        return len(self._calls) < self.most * 3 // 2 and sum(call.owner == owner for call in self._calls) < self.most

    def _may_probe(self, owner: str | None, at: float) -> bool:
        if owner is None and self._hearsay:
            self._hearsay = False
            return True
        tried, when = self._tried or (owner, float("-inf"))
        if at - self._opened < self.seconds or (tried == owner and at - when < self.seconds):
            return False
        out = [call for call in self._calls if call.probes]
        return not out or (len(out) < self.most and all(call.owner != owner for call in out) and
                           at - max(call.began for call in out) >= self.patience)

    def _answered(self, call: Call) -> None:
        with self._lock:
            self._last = self._heard = self._clock()
            self._closed()

    def _refused(self, call: Call) -> None:
        with self._lock:
            self._refusals += 1
            # One that was under way when it opened says nothing new: the probe would be put off with each of them.
            if call.probes or (not self.open and self._failed() >= self.failures):
                self._opened, self._alone = self._clock(), None

    def _silent(self, call: Call) -> bool:
        with self._lock:
            if self._last > call.began:
                return False
            if call.probes:
                self._tried = call.owner, self._clock()
            if self.open:
                return False
            self._silences[call.owner] = self._silences.get(call.owner, 0) + 1
            if self._failed() >= self.failures:
                self._opened = self._clock()
                self._alone = call.owner if len(self._silences) == 1 and not self._refusals else None
            self._hearsay = self.open and None not in self._silences
            return self._hearsay

    def _failed(self) -> int:
        return self._refusals + sum(self._silences.values())

    def _ended(self, call: Call) -> None:
        with self._lock:
            self._calls.discard(call)
