"""What befalls the gateway, its worker and the pods while a user goes on.

A *trap* waits at the k-th write to a pod from now on, whosever it is. When the write is there, its victim dies, and the
call is cut: before it was done, or done and never answered.
"""
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor, wait

from tests.functional.deaths import power_cut
from tests.functional.gateway import UNREACHABLE, until

VICTIMS = {"the API dies": ("api",), "the worker dies": ("worker",), "both die": ("api", "worker"),
           "an answer is lost": (), "a pod dies": ("pod",)}
PATIENCE = 150
AWAY = 3   # operations for which a dead pod stays away


class Stage:
    """A gateway with a worker, and who dies there.

    Args:
        gateway: running.
        worker: starts one.
    """

    def __init__(self, gateway, worker):
        self.gateway, self.cloud, self.new_worker, self.worker = gateway, gateway.cloud, worker, worker()
        self.hand, self.trap, self.away = ThreadPoolExecutor(1), None, {}
        self.is_hurt = False   # since somebody said so last: what nobody answers then has a reason

    def close(self):
        """The worker ends; the gateway is somebody else's."""
        self.hand.shutdown()
        self.worker.stop()

    def set_trap(self, what, k, when):
        """One at a time.

        Args:
            what: one of VICTIMS.
            k: 1 is the next write.
            when: as in `standin.faults.Stop`.
        """
        if not self.trap:
            self.trap = what, self.cloud.stop_at_write(k, when)

    def do(self, act):
        """Carry out an operation of the user, whatever befalls; then look whether a dead pod comes back."""
        doing = self.hand.submit(act)
        while wait([doing], 0.02).not_done:
            self._spring()
        doing.result()
        for name in list(self.away):
            self.away[name] -= 1
            if self.away[name] <= 0:
                self._wake(name)

    def _spring(self):
        if not self.trap or not self.trap[1].reached:
            return
        (what, stop), self.trap = self.trap, None
        self.is_hurt = True
        victims = VICTIMS[what]
        if "pod" in victims:
            name = next(pod.name for pod in self.cloud if any(
                stop.request.base.endswith(str(service.server.port)) for service in pod.services))
            self.cloud[name].refuse()
            self.away[name] = AWAY
        if "worker" in victims:
            power_cut(self.worker)
        if "api" in victims:
            self.gateway.api.kill()
        stop.drop()
        if "worker" in victims:
            self.worker = self.new_worker()
        if "api" in victims:
            self.gateway.start()

    def _wake(self, name):
        self.away.pop(name)
        self.cloud[name].recover()

    def owed(self):
        """Jobs that are not over."""
        with sqlite3.connect(self.gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
            return db.execute("SELECT kind, resource_id, state, attempts, last_error FROM jobs "
                              "WHERE state IN ('queued', 'running')").fetchall()

    def settle(self):
        """Everybody is back, and no job is owed any more."""
        began, pressed = time.monotonic(), 0.0
        while self.owed() or self.trap:
            assert time.monotonic() - began < PATIENCE, f"jobs without end: {self.owed()}"
            self._spring()
            for name in list(self.away):
                self._wake(name)
            if time.monotonic() - pressed > 1:   # nobody asks for anything now: what is held is of requests that died
                self.gateway.hasten_jobs()
                pressed = time.monotonic()
            assert self.worker.running, "the worker ended by itself"
            if self.trap and not self.owed():
                self.cloud.stops.clear()
                self.trap = None
            time.sleep(0.05)
        for name in list(self.away):
            self._wake(name)
        if self.is_hurt:   # breakers close with the first call that gets through
            for service, path in (("network", "/networks"), ("compute", "/servers?all_tenants=1")):
                client = self.gateway.client(service)
                until(lambda c=client, p=path: UNREACHABLE not in c.get(p).headers, PATIENCE, 0.2)
