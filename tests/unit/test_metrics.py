"""Figures: what the documentation says of them, what the store tells of jobs, what a process leaves to the next one."""
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import REGISTRY

from tricircle import metrics
from tricircle.api.scrape import Jobs
from tricircle.store import Database, jobs

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text()
COUNT_AND_READ = """
import sys
from pathlib import Path
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from tricircle import metrics
metrics.begin(Path(sys.argv[1]), sys.argv[2])
metrics.breaker("Pod1", "network", sys.argv[3] == "open")
metrics.called("Pod1", "network", "GET", 200, 0.1)
registry = CollectorRegistry()
MultiProcessCollector(registry, sys.argv[1])
print(generate_latest(registry).decode())
"""


def counted(folder, slot, state="closed"):
    """What a process sees that counts one call."""
    return subprocess.run([sys.executable, "-c", COUNT_AND_READ, folder, slot, state], check=True, capture_output=True,
                          text=True).stdout


def test_the_table_of_the_documentation_is_what_there_is(tmp_path):
    rows = re.findall(r"^\| `(tricircle_\w+)` \| (\w+) \| ([^|]*) \|", PAGE, re.MULTILINE)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    own = REGISTRY._collector_to_names.keys() & {m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)}
    there = {family._name + ("_total" if family._type == "counter" else ""): (family._type, family._labelnames)
             for family in own}
    there |= {family.name: (family.type, family._labelnames) for family in Jobs(Database(tmp_path / "s")).describe()}
    assert told == there


def test_jobs_that_have_not_ended_well_are_counted(tmp_path):
    db = Database(tmp_path / "s.sqlite")
    db.upgrade()
    for number in range(3):
        jobs.enqueue(db, "router", str(number), "p")
    jobs.finish(db, jobs.claim(db, "w", 60))
    jobs.claim(db, "w", 60)
    with db.write() as c:
        c.execute("UPDATE jobs SET created_at = created_at - 600 WHERE state = 'queued'")
    registry = CollectorRegistry()
    registry.register(Jobs(db))
    text = generate_latest(registry).decode()
    assert set(re.findall(r'tricircle_jobs\{kind="router",state="(\w+)"\} 1\.0', text)) == {"queued", "running"}
    assert "done" not in text
    assert 600 <= float(re.search(r'oldest_queued_seconds\{kind="router"\} (\S+)', text)[1]) < 660


def test_a_store_that_is_lost_does_not_end_the_scrape(tmp_path):
    registry = CollectorRegistry()
    registry.register(Jobs(Database(tmp_path / "none")))
    assert 'kind="' not in generate_latest(registry).decode()


def test_who_takes_a_dead_process_s_place_counts_on_but_has_breakers_of_his_own(tmp_path):
    called = 'tricircle_pod_requests_total{method="GET",pod="Pod1",service="network",status="200"} '
    assert 'tricircle_breaker_open{pod="Pod1",service="network"} 1.0' in counted(tmp_path, "api0", "open")
    assert called + "2.0" in counted(tmp_path, "worker")
    text = counted(tmp_path, "api0")
    assert called + "3.0" in text
    assert 'tricircle_breaker_open{pod="Pod1",service="network"} 0.0' in text


@pytest.mark.parametrize("spoil", [lambda old: b"x" * 100, lambda old: old.replace(b"[", b"x"),
                                   lambda old: old[:50]])
def test_half_a_file_is_thrown_away(tmp_path, spoil):
    counted(tmp_path, "api0")
    file = tmp_path / "counter_api0.db"
    file.write_bytes(spoil(file.read_bytes()))
    assert 'pod="Pod1",service="network",status="200"} 1.0' in counted(tmp_path, "api0")
