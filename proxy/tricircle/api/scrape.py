"""What Prometheus gets, on a port of its own: the sum over all processes, and what the store knows of jobs."""
from collections.abc import Callable, Iterator

from oslo_config import cfg
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from tricircle import config
from tricircle.store import Database, jobs
from tricircle.store.db import now


class Jobs:
    """Collector of what the store knows.

    Args:
        db: the store.
    """

    def __init__(self, db: Database):
        self._db = db

    def describe(self) -> list[Metric]:
        """Their names, so that nothing is read before a scrape."""
        return list(self._empty())

    def collect(self) -> Iterator[Metric]:
        """Read them. Of a store that cannot be read nothing is told: `/healthcheck` says so."""
        counts, oldest = self._empty()
        if not self._db.trouble():
            for row in jobs.tally(self._db):
                counts.add_metric([row["kind"], row["state"]], row["number"])
                if row["state"] == "queued":
                    oldest.add_metric([row["kind"]], now() - row["oldest"])
        yield from (counts, oldest)

    @staticmethod
    def _empty() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (GaugeMetricFamily("tricircle_jobs", "Jobs that are queued, running or dead.", labels=("kind", "state")),
                GaugeMetricFamily("tricircle_job_oldest_queued_seconds", "Age of the oldest job that is queued.",
                                  labels=("kind",)))


def application(conf: cfg.ConfigOpts, db: Database) -> Callable:
    """The WSGI application; any path gives the metrics.

    Args:
        conf: tells the folder of the processes' files.
        db: the store.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(config.metrics_folder(conf)))
    registry.register(Jobs(db))
    return make_wsgi_app(registry)
