"""Which jobs' orders go into which playbook, and when.

Most of what a playbook costs is Ansible's start. So one starts at a time; orders that come meanwhile gather, and go
together into the next one.
"""
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tricircle.errors import LeaseLost, TricircleError
from tricircle.jobs.playbooks import Order

# Seconds for which a plan is good while its job waits: much less than a claim on a replica (RETIRE_SECONDS).
WAIT_SECONDS = 8.0
LOOK_SECONDS = 1.0   # how soon a cancelled job is let go
# Seconds from its first step on for which a playbook is likely to end soon, and then there is room for all that wait.
YOUNG_SECONDS = 4.0
START_SECONDS = 30.0   # an Ansible that has not come to its task by then keeps others waiting no longer


class PodBusy(TricircleError):
    """Other jobs are at work in a pod: look again a little later, by a new plan."""

    patient = True


@dataclass(eq=False)
class _Run:
    """A playbook that is under way.

    Args:
        orders: all.
        inside: those of them that are not through.
        started: Ansible has come to its task.
        at: since when it is as it is.
    """

    orders: list[Order]
    inside: list[Order]
    started: bool = False
    at: float = field(default_factory=time.monotonic)

    @property
    def young(self) -> bool:
        return time.monotonic() - self.at < (YOUNG_SECONDS if self.started else START_SECONDS)


class Dispatcher:
    """Threads of jobs bring orders; threads of its own run playbooks.

    Args:
        run: carries out orders that have the same playbook, and tells them what has come of them; calls its second
            argument when they begin, and each time that it has told something. See `playbooks.run`.
        per_pod: so many orders may be at work in one pod at a time; 0 is no limit.
        seconds: how long an order may wait for its turn.
    """

    def __init__(self, run: Callable[[list[Order], Callable[[], None]], None], per_pod: int,
                 seconds: float = WAIT_SECONDS):
        self._run, self._per_pod, self._seconds = run, per_pod, seconds
        self._waiting: list[Order] = []
        self._taken: Counter[str] = Counter()
        self._runs: list[_Run] = []
        self._changed = threading.Condition()

    def carry_out(self, order: Order, heard: Callable[[set[str]], None]) -> None:
        """Wait until an order has its outcomes.

        Args:
            order: as its job wants it.
            heard: takes the pods of which there is an outcome now.

        Raises:
            PodBusy: it was not its turn in time.
            LeaseLost: the job was cancelled, or another worker has it.
            PlaybookFailed: see `playbooks.run`; and whatever else `run` raises.
        """
        self._queue(order)
        told: set[str] = set()
        while not self._over(order, told):
            if news := order.outcomes.keys() - told:
                heard(news)
                told |= news
            if order.missing and order.lost():
                raise LeaseLost(f"{order.name} was cancelled, or another worker has it")
        if order.missing:
            raise order.error

    def _over(self, order: Order, told: set[str]) -> bool:
        """Wait a little for something new; whether there is nothing new and nothing more will come."""
        with self._changed:
            self._changed.wait_for(lambda: order.error or not order.missing or order.outcomes.keys() != told,
                                   LOOK_SECONDS)
            self._begin()   # somebody may have waited for this run to be no longer young
            return order.outcomes.keys() == told and bool(order.error or not order.missing)

    def _queue(self, order: Order) -> None:
        with self._changed:
            self._waiting.append(order)
            self._begin()
            if not self._changed.wait_for(lambda: order.begun, self._seconds):
                self._waiting.remove(order)
                busy = ", ".join(self._full(order.steps, self._taken)) or "each pod"
                raise PodBusy(f"other jobs are at work in {busy}: this one waits for its turn")

    def _begin(self) -> None:
        """Start what can be started. The lock is held."""
        if orders := self._next():
            for order in orders:
                self._waiting.remove(order)
                self._taken.update(order.steps.keys())
                order.begun = True
            self._runs.append(_Run(orders, list(orders)))
            threading.Thread(target=self._playbook, args=(self._runs[-1],), name="playbook").start()
        self._changed.notify_all()

    def _next(self) -> list[Order]:
        """Orders that begin now. Some of many wait until all of them have room, but not for slow pods."""
        young = [run for run in self._runs if run.young]
        if not all(run.started for run in young):
            return []
        for playbook in dict.fromkeys(order.playbook for order in self._waiting):
            wanted = [order for order in self._waiting if order.playbook == playbook]
            chosen = self._fitting(wanted)
            if chosen and (chosen == wanted or not young):
                return chosen
        return []

    def _fitting(self, wanted: list[Order]) -> list[Order]:
        chosen, taken = [], self._taken.copy()
        for order in wanted:
            # All its pods at once: whoever waits keeps no room from others, so that no two can wait for each other.
            if not self._full(order.steps, taken):
                taken.update(order.steps.keys())
                chosen.append(order)
        return chosen

    def _full(self, pods: Iterable[str], taken: Counter[str]) -> list[str]:
        return [pod for pod in sorted(pods) if self._per_pod and taken[pod] >= self._per_pod]

    def _playbook(self, run: _Run) -> None:
        problem = None
        try:
            self._run(run.orders, lambda: self._heard(run))
        except Exception as error:  # noqa: BLE001 - raised again in the threads of the jobs
            problem = error
        with self._changed:
            for order in run.orders:
                order.error = order.error or problem
            self._leave(run, list(run.inside))
            self._runs.remove(run)
            self._begin()

    def _heard(self, run: _Run) -> None:
        with self._changed:
            if not run.started:
                run.started, run.at = True, time.monotonic()
            self._leave(run, [order for order in run.inside if not order.missing])
            self._begin()

    def _leave(self, run: _Run, orders: list[Order]) -> None:
        """Give the room of orders back. One whose job has been cancelled keeps it: its last call is still under way."""
        for order in orders:
            run.inside.remove(order)
            self._taken.subtract(order.steps.keys())
