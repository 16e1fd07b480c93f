"""The worker's sweep: now and then it compares the pods with what they should be, and says so or puts it right."""
import logging
import threading
from collections import Counter

from tricircle import metrics
from tricircle.errors import TricircleError
from tricircle.jobs import drift
from tricircle.jobs.context import Surroundings
from tricircle.store import pods
from tricircle.store.db import now

LOG = logging.getLogger(__name__)


class Sweep:
    """A thread beside the jobs.

    Args:
        around: `[drift]` of its configuration is read.
        stop: ends it.
    """

    def __init__(self, around: Surroundings, stop: threading.Event):
        self.around, self.stop = around, stop

    def start(self) -> None:
        """Begin, unless the configuration says never. Nobody waits for its end: it changes nothing itself."""
        if self.around.conf.drift.interval:
            threading.Thread(target=self._run, name="sweep", daemon=True).start()

    def _run(self) -> None:
        while not self.stop.wait(self.around.conf.drift.interval):
            try:
                self.once()
            except TricircleError as error:
                LOG.warning("the pods could not be compared: %s", error)
            except Exception:   # a mistake of ours must not end the sweeps
                LOG.exception("the pods could not be compared")
        self.around.db.close()

    def once(self) -> drift.Report:
        """One sweep."""
        report = drift.look(self.around)
        for each in report.differences:
            LOG.warning("pod %s, %s %s: %s", each.pod, each.subject.kind, each.subject.resource_id, each.text)
        if report.unreachable:
            LOG.info("not compared: %s", "; ".join(report.unreachable.values()))
        self._count(report)
        if self.around.conf.drift.repair:
            drift.repair(self.around.db, report)
        return report

    def _count(self, report: drift.Report) -> None:
        """For the metrics."""
        found = Counter((each.pod, each.subject.kind) for each in report.differences)
        reached = [row["pod_name"] for row in pods.bottom(self.around.db)
                   if row["pod_name"] not in report.unreachable]
        metrics.swept({(pod, kind): found[pod, kind] for pod in reached for kind in drift.LOOKS}, now())
