"""What a job needs besides itself."""
from dataclasses import dataclass

from oslo_config import cfg

from tricircle import config
from tricircle.errors import LeaseLost, TricircleError
from tricircle.jobs import playbooks
from tricircle.jobs.heartbeat import Heartbeat
from tricircle.jobs.slots import Slots
from tricircle.store import Database, jobs
from tricircle.upstream.client import Upstream


class JobFailed(TricircleError):
    """The job did not get through this time; the text becomes its `last_error`.

    Args:
        message: the text.
        patient: it only waits for pods that do not answer.
    """

    def __init__(self, message: str, patient: bool = False):
        super().__init__(message)
        self.patient = patient


# {pod: steps that it has yet to do}, {pod that did not answer: why}
Plan = tuple[dict[str, list[dict]], dict[str, Exception | str]]


@dataclass
class Surroundings:
    """What it takes to look at the pods; `conf`, `db`, `upstream` as everywhere."""

    conf: cfg.ConfigOpts
    db: Database
    upstream: Upstream


@dataclass
class Context(Surroundings):
    """The surroundings of one attempt at a job.

    Args:
        conf, db, upstream: as everywhere.
        job: as claimed.
        heartbeat: keeps its lease.
        slots: the pods' room for playbooks.
        rounds: playbooks run so far.
    """

    job: dict
    heartbeat: Heartbeat
    slots: Slots
    rounds: int = 0

    def log(self, pod: str, text: str) -> None:
        """Add a line to the job's log; `pod` is empty for what concerns all."""
        jobs.log(self.db, self.job, pod, text)

    def apply(self, playbook: str, steps: dict[str, list[dict]]) -> dict[str, playbooks.Outcome]:
        """Carry out steps by a playbook.

        Raises:
            PlaybookFailed: see playbooks.run.
            PodBusy: other jobs are at work in one of the pods; what was planned would be stale when they have ended.
            LeaseLost: the job was cancelled, or another worker has it.
        """
        self.rounds += 1
        folder = config.jobs_folder(self.conf) / f"{self.job['id']}-{self.job['fence']}-{self.rounds}"
        with self.slots.of(steps):
            self._go_on()
            outcomes = playbooks.run(self.conf, playbooks.Run(playbook, folder, self.heartbeat.path,
                                                              self.job["fence"], steps, self.log, self.heartbeat.lost))
        self._go_on()
        return outcomes

    def _go_on(self) -> None:
        if self.heartbeat.lost():
            raise LeaseLost(f"job {self.job['id']} was cancelled, or another worker has it")
