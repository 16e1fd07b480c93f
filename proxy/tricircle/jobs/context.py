"""What a job needs besides itself."""
from dataclasses import dataclass

from oslo_config import cfg

from tricircle import logs
from tricircle.errors import LeaseLost, TricircleError
from tricircle.jobs.dispatch import Dispatcher
from tricircle.jobs.heartbeat import Heartbeat
from tricircle.jobs.playbooks import Order, Outcome
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
        dispatcher: runs playbooks.
        rounds: playbooks run so far.
    """

    job: dict
    heartbeat: Heartbeat
    dispatcher: Dispatcher
    rounds: int = 0

    def log(self, lines: list[tuple[str, str]]) -> None:
        """Add lines to the job's log: (pod, text); `pod` is empty for what concerns all."""
        jobs.log(self.db, self.job, lines)

    def apply(self, playbook: str, steps: dict[str, list[dict]]) -> dict[str, Outcome]:
        """Carry out steps by a playbook, which may serve other jobs as well.

        Returns:
            {pod: outcome}.

        Raises:
            PlaybookFailed: see playbooks.run.
            PodBusy: other jobs are at work in one of the pods; what was planned would be stale when they have ended.
            LeaseLost: the job was cancelled, or another worker has it.
        """
        self.rounds += 1
        order = Order(playbook, f"{self.job['id']}-{self.job['fence']}-{self.rounds}", self.heartbeat.path,
                      self.job["fence"], steps, self.heartbeat.lost)
        try:
            self.dispatcher.carry_out(order, lambda pods: self._heard(order, pods))
        finally:
            # A playbook that was cut off does not tell which of its steps it had begun.
            for pod in sorted(order.missing) if order.begun else ():
                _audit(pod, steps[pod], ["unanswered"] * len(steps[pod]))
        if self.heartbeat.lost():
            raise LeaseLost(f"job {self.job['id']} was cancelled, or another worker has it")
        return order.outcomes

    def _heard(self, order: Order, names: set[str]) -> None:
        lines = []
        for pod in sorted(names):
            outcome = order.outcomes[pod]
            _audit(pod, order.steps[pod], _statuses(outcome))
            lines += [(pod, f"{step}: done in {seconds:.2f} s") for step, seconds, _ in outcome.done]
            lines += [(pod, f"FAILED: {outcome.failure}")] if outcome.failure else []
        self.log(lines)


def _statuses(outcome: Outcome) -> list[int | str]:
    """Steps are carried out in their order: after those that are done comes the one that was not."""
    failure, done = outcome.failure, [status for *_, status in outcome.done]
    if not failure:
        return done
    return [*done, "unsent" if failure.kind == "LeaseLost" else failure.status or "unanswered"]


def _audit(pod: str, steps: list[dict], statuses: list[int | str]) -> None:
    for step, status in zip(steps, statuses, strict=False):
        logs.audit(pod, step["method"], step["path"], status)
