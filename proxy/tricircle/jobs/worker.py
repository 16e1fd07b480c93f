"""`tricircle worker`: takes jobs off the queue and runs them."""
import errno
import fcntl
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from oslo_config import cfg

from tricircle import config, metrics, trace
from tricircle.crosspod import lease
from tricircle.crosspod.followers import JOBS
from tricircle.errors import LeaseLost, PodUnreachable, StoreBusy, TricircleError, Unavailable
from tricircle.jobs import (
    everywhere,
    followers,
    leftovers,
    members,
    network,
    playbooks,
    quota,
    router,
    security_group,
    server_group,
    shadow,
)
from tricircle.jobs.context import Context, JobFailed, Surroundings
from tricircle.jobs.dispatch import Dispatcher, PodBusy
from tricircle.jobs.heartbeat import Heartbeat
from tricircle.jobs.sweep import Sweep
from tricircle.privileges import open_lock
from tricircle.store import Database, jobs
from tricircle.store.db import now
from tricircle.upstream.account import Account
from tricircle.upstream.client import Upstream

LOG = logging.getLogger(__name__)
LEASE_SECONDS = 15.0
POLL_SECONDS = 0.05   # a look takes some 50 us
TIDY_SECONDS = 3600.0
DAY = 86400.0
FULL = (errno.ENOSPC, errno.EDQUOT)
KINDS: dict[str, Callable[[Context], None]] = {
    "leftovers": leftovers.converge,
    "members": members.converge,
    "network": network.converge,
    "quota": quota.converge,
    "router": router.converge,
    "security_group": security_group.converge,
    "everywhere": everywhere.converge,
    **dict.fromkeys(JOBS.values(), followers.converge),
    "server_group": server_group.converge,
    "shadow": shadow.converge,
}


def run(conf: cfg.ConfigOpts) -> None:
    """Work until SIGTERM or SIGINT; then finish what is being done and return.

    Raises:
        TricircleError: another worker runs on this machine with the same `state_path`.
    """
    # ansible-runner writes its environment into a file: a password of the shell that started us must not be in it.
    for name in [name for name in os.environ if name.startswith("OS_")]:
        del os.environ[name]
    folder = config.jobs_folder(conf)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_lock(folder / "worker.lock") as lock:
        _lock(lock)
        metrics.begin(config.metrics_folder(conf), "worker")
        try:
            Worker(conf, Database(config.database_path(conf)), Upstream(conf, Account(conf))).run()
        finally:
            metrics.end(config.metrics_folder(conf), "worker")


def _lock(file) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TricircleError(f"another worker holds {file.name}") from error


class Worker:
    """Threads that run jobs.

    Args:
        conf, db, upstream: as everywhere.
    """

    def __init__(self, conf: cfg.ConfigOpts, db: Database, upstream: Upstream):
        self.conf, self.db, self.upstream = conf, db, upstream
        self.owner = socket.gethostname()
        self.turn = threading.Lock()
        self.stop, self.dispatcher = threading.Event(), Dispatcher(self._playbook, conf.jobs.per_pod)

    def run(self) -> None:
        """Work until a signal comes."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop.set())
        LOG.info("worker %s starts, %d interrupted jobs", self.owner, self._inherit())
        Sweep(Surroundings(self.conf, self.db, self.upstream), self.stop).start()
        number = self.conf.jobs.workers
        with ThreadPoolExecutor(number + 1, thread_name_prefix="worker") as pool:
            loops = [pool.submit(self._loop) for _ in range(number)] + [pool.submit(self._tidy)]
            wait(loops, return_when=FIRST_EXCEPTION)
            self.stop.set()
        for loop in loops:
            loop.result()   # a loop that broke ends the process with its error, and systemd starts a sound one

    def _inherit(self) -> int:
        """The lock says that no other worker lives here: whatever this machine held died with its predecessor."""
        try:
            return jobs.expire(self.db, self.owner)
        except StoreBusy as error:
            LOG.warning("the leases of the former worker will end by themselves: %s", error)
            return 0

    def _loop(self) -> None:
        while not self.stop.is_set():
            job = self._claimed()
            if job:
                self.work(job)
        self.db.close()

    def _claimed(self) -> dict | None:
        """The next job. One thread at a time looks for it: how often does not depend on the number of threads."""
        with self.turn:
            while not self.stop.is_set():
                try:
                    job = jobs.claim(self.db, self.owner, LEASE_SECONDS)
                except StoreBusy as error:
                    LOG.warning("no job could be claimed: %s", error)
                    job = None
                if job:
                    return job
                self.stop.wait(POLL_SECONDS)
        return None

    def _tidy(self) -> None:
        """Forget what is old, now and then."""
        while not self.stop.is_set():
            try:
                old = jobs.prune(self.db, now() - self.conf.jobs.history_days * DAY)
                LOG.info("%d old jobs are forgotten", old)
            except StoreBusy as error:
                LOG.warning("no old job could be forgotten: %s", error)
            lease.tidy(config.jobs_folder(self.conf), now() - TIDY_SECONDS)
            self.stop.wait(TIDY_SECONDS)
        self.db.close()

    def work(self, job: dict) -> None:
        """Run a claimed job and write its outcome, unless another worker has it by then."""
        trace.begin(f"{job['kind']}:{job['resource_id']}:{job['id']}")
        LOG.info("job %s: %s %s, attempt %d", job["id"], job["kind"], job["resource_id"], job["attempts"])
        began, outcome = time.monotonic(), "lost"
        try:
            error = self._with_lease(job)
            if isinstance(error, PodBusy):
                job = job | {"attempts": job["attempts"] - 1}   # it has not been tried
            if error:
                LOG.warning("job %s: %s", job["id"], error)
                outcome = jobs.fail(self.db, job, str(error), _patient(error))
                LOG.info("job %s is %s", job["id"], outcome)
            else:
                jobs.finish(self.db, job)
                outcome = "done"
        except LeaseLost as lost:
            LOG.warning("%s", lost)
        except StoreBusy as busy:
            LOG.warning("job %s: outcome not written, its lease will end: %s", job["id"], busy)
        metrics.attempted(job["kind"], outcome, time.monotonic() - began)

    def _with_lease(self, job: dict) -> TricircleError | None:
        """As `_attempt`; a full disk has no room for a lease, nor for a playbook's folder, and that passes."""
        try:
            with Heartbeat(self.db, job, LEASE_SECONDS, config.jobs_folder(self.conf)) as heartbeat:
                return self._attempt(Context(self.conf, self.db, self.upstream, job, heartbeat, self.dispatcher))
        except OSError as error:
            if error.errno not in FULL:
                raise
            return JobFailed(f"no room in {self.conf.state_path}: {error}", patient=True)

    def _playbook(self, orders: list[playbooks.Order], heard: Callable[[], None]) -> None:
        account = self.upstream.account
        regions = account.regions()
        roots = {pod: regions.get(pod, {}) for order in orders for pod in order.steps}
        access = {"token": account.token(), "cafile": self.conf.service_account.cafile, "roots": roots}
        playbooks.run(config.jobs_folder(self.conf), access, orders, heard)

    def _attempt(self, context: Context) -> TricircleError | None:
        """Why it failed, or None."""
        if context.job["attempts"] > jobs.MAX_ATTEMPTS:
            return TricircleError("its worker died in each attempt")
        try:
            KINDS[context.job["kind"]](context)
        except (LeaseLost, StoreBusy):
            raise
        except TricircleError as error:
            return error
        except Exception as error:   # a mistake of ours must not end the worker
            if getattr(error, "errno", None) in FULL:
                raise
            LOG.exception("job %s", context.job["id"])
            return TricircleError(f"internal error: {type(error).__name__}: {error}")
        return None


def _patient(error: TricircleError) -> bool:
    """Whether it only waits for a pod or for Keystone: however long that takes, the job must not be dead then."""
    return isinstance(error, PodUnreachable | Unavailable) or getattr(error, "patient", False)
