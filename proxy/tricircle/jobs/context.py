"""What a job needs besides itself."""
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from tricircle.errors import TricircleError
from tricircle.jobs import playbooks
from tricircle.jobs.heartbeat import Heartbeat
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
Plan = tuple[dict[str, list[dict]], dict[str, Exception]]


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
        rounds: playbooks run so far.
    """

    job: dict
    heartbeat: Heartbeat
    rounds: int = 0

    def log(self, pod: str, text: str) -> None:
        """Add a line to the job's log; `pod` is empty for what concerns all."""
        jobs.log(self.db, self.job, pod, text)

    def apply(self, playbook: str, steps: dict[str, list[dict]]) -> dict[str, playbooks.Outcome]:
        """Carry out steps by a playbook. Raises playbooks.PlaybookFailed."""
        self.rounds += 1
        folder = jobs_folder(self.conf) / f"{self.job['id']}-{self.job['fence']}-{self.rounds}"
        return playbooks.run(self.conf, playbooks.Run(playbook, folder, self.heartbeat.path, self.job["fence"], steps,
                                                      self.log, self.heartbeat.lost))


def jobs_folder(conf: cfg.ConfigOpts) -> Path:
    """Where the jobs' working folders and lease files are."""
    return Path(conf.state_path).absolute() / "jobs"
