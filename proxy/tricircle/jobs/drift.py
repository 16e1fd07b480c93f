"""Compare the pods with what they should be, and say in words how they differ. Nothing is changed.

What each job would do is what differs. A resource with a job that is queued or running is left to that job.
"""
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tricircle.crosspod import drift, span
from tricircle.crosspod.allocate import Allocator
from tricircle.crosspod.followers import JOBS
from tricircle.crosspod.leftovers import LeftPods
from tricircle.crosspod.observe import Pods
from tricircle.crosspod.steps import differences
from tricircle.errors import NotFound, PodUnreachable
from tricircle.jobs import followers, members, shadow
from tricircle.jobs.context import Plan, Surroundings
from tricircle.store import Database, bridges, jobs, pods, replicas, spans

# {pod: differences}, {pod that did not answer: why}
Seen = tuple[dict[str, list[str]], dict[str, Exception | str]]


@dataclass(frozen=True)
class Subject:
    """Something to compare: what a job is for."""

    kind: str
    resource_id: str
    project_id: str


@dataclass(frozen=True)
class Difference:
    """One thing in one pod that is not as it should be; the job of its subject puts it right."""

    pod: str
    subject: Subject
    text: str


@dataclass
class Report:
    """What a look has found.

    Args:
        differences: in the order of kinds, resources and pods.
        unreachable: {pod that did not answer: why}.
        owed: what was left to jobs that are queued or running.
    """

    differences: list[Difference] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    owed: list[Subject] = field(default_factory=list)


def look(around: Surroundings, router: str | None = None, pod: str | None = None) -> Report:
    """Compare.

    Args:
        router: home id; this router only.
        pod: name; differences in this pod only.

    Raises:
        NotFound: no such pod; a router of that id reaches over no pods.
        Unavailable, StoreBusy: as usual.
    """
    if pod is not None and pod not in pods.by_name(around.db):
        raise NotFound(f"there is no pod {pod}")
    if router is not None and all(row["resource_id"] != router for row in spans.routers(around.db)):
        raise NotFound(f"no router {router} is known that reaches over pods")
    report = Report()
    for subject in subjects(around.db):
        if router is None or subject.resource_id == router:
            _compare(around, subject, pod, report)
    return report


def subjects(db: Database) -> Iterator[Subject]:
    """All that can differ."""
    yield from (Subject("router", **row) for row in spans.routers(db))
    for collection, kind in GROUPS.items():
        yield from (Subject(kind, **row) for row in replicas.resources(db, collection))
    yield from (Subject("members", project_id, project_id) for project_id in bridges.projects(db))
    yield from (Subject("leftovers", row["pod_id"], "") for row in pods.bottom(db))


def repair(db: Database, report: Report) -> dict[Subject, dict]:
    """Ask for the jobs that put right what a report names: {subject: job}."""
    return {subject: jobs.enqueue(db, subject.kind, subject.resource_id, subject.project_id)
            for subject in dict.fromkeys(each.subject for each in report.differences)}


def _compare(around: Surroundings, subject: Subject, pod: str | None, report: Report) -> None:
    which = subject.kind, subject.resource_id
    before = jobs.pulse(around.db, *which)
    if jobs.is_owed(around.db, *which):
        report.owed.append(subject)
        return
    try:
        found, missing = LOOKS[subject.kind](around, subject)
    except PodUnreachable as error:
        found, missing = {}, {error.pod: error}
    report.unreachable |= {name: str(why) for name, why in missing.items()}
    if jobs.pulse(around.db, *which) != before:
        report.owed.append(subject)   # it has changed under our eyes
        return
    report.differences += [Difference(name, subject, text) for name, words in sorted(found.items())
                           for text in words if pod in (None, name)]


def _router(around: Surroundings, subject: Subject) -> Seen:
    db, ids = around.db, {row["pod_name"]: row["pod_id"] for row in pods.bottom(around.db)}
    asked = Pods(around.upstream)
    observed = span.observe(db, asked, subject.resource_id, subject.project_id)
    # For no members: what is handed out is read, and nothing more is handed out.
    allocation = Allocator(around.conf, db, asked, ids).provide(observed, [])
    settled, rows = replicas.of_resource(db, subject.resource_id), spans.replica_pods(db, subject.resource_id)
    known = {name: settled.get(ids[name]) for name in observed.pods if ids[name] in rows}
    return drift.of_router(observed, allocation, known), observed.unreachable


def _leftovers(around: Surroundings, subject: Subject) -> Seen:
    pod = pods.show(around.db, subject.resource_id)
    return {pod["pod_name"]: LeftPods(around.upstream).look(around.db, pod).words()}, {}


def _in_words(plan: Callable[[Surroundings, Subject], Plan]) -> Callable[[Surroundings, Subject], Seen]:
    def seen(around: Surroundings, subject: Subject) -> Seen:
        todo, missing = plan(around, subject)
        return {pod: differences(steps) for pod, steps in todo.items()}, missing
    return seen


# {collection with replicas: the job that sees to them}
GROUPS = {"security-groups": "security_group", "networks": "shadow", **JOBS}
LOOKS: dict[str, Callable[[Surroundings, Subject], Seen]] = {
    "router": _router,
    **dict.fromkeys(("security_group", *JOBS.values()),
                    _in_words(lambda around, subject: followers.plan(around, subject.resource_id))),
    "shadow": _in_words(lambda around, subject: shadow.plan(around, subject.resource_id, subject.project_id)),
    "members": _in_words(lambda around, subject: members.plan(around, subject.resource_id)),
    "leftovers": _leftovers,
}
