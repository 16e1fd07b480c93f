"""The command `tricircle drift`."""
import json
import sys
import time

import click
from oslo_config import cfg

from tricircle.jobs import drift as compare
from tricircle.jobs.context import Surroundings
from tricircle.store import Database, jobs
from tricircle.terminal import as_form, database, show, with_file
from tricircle.upstream.account import Account
from tricircle.upstream.client import Upstream
from tricircle.upstream.deadline import Deadline

REPAIR_SECONDS = 300.0
POLL_SECONDS = 0.1
TRIES = 3    # a job that has failed so often is not waited for
ROUNDS = 3   # what the store has forgotten comes to light first, then what is wrong with it


@click.command()
@click.option("--router", help="Id of a router: look at it alone.")
@click.option("--pod", help="Name of a pod: differences there alone.")
@click.option("--repair", is_flag=True, help="Let the worker put right what is found, wait for it, and look again.")
@as_form
@with_file
def drift(conf: cfg.ConfigOpts, router: str | None, pod: str | None, repair: bool, form: str) -> None:
    """Compare the pods with what they should be, and say in words how they differ.

    Ends with 0 when nothing differs, with 1 when something does (with --repair: still does), with 2 after an error. A
    pod that does not answer is named, and is no difference; neither is what a queued or running job is about to do.
    """
    around = Surroundings(conf, database(conf), Upstream(conf, Account(conf)))
    report, repaired = compare.look(around, router, pod), []
    for _ in range(ROUNDS if repair else 0):
        if not report.differences and not report.owed:
            break
        before = report.differences
        _put_right(around.db, report)
        report = compare.look(around, router, pod)
        unfinished = {each.subject for each in report.differences} | set(report.owed)
        repaired += [each for each in before if each.subject not in unfinished]
    _print(report, repaired, form)
    sys.exit(bool(report.differences or (repair and report.owed)))


def _put_right(db: Database, report: compare.Report) -> None:
    """Ask for the jobs, and wait until they have ended; for those that are owed anyway, too."""
    deadline = Deadline(REPAIR_SECONDS)
    owed = [jobs.latest(db, each.kind, each.resource_id) for each in report.owed]
    ids = [job["id"] for job in [*compare.repair(db, report).values(), *filter(None, owed)]]
    while any(_is_under_way(jobs.show(db, each)) for each in ids) and not deadline.passed():
        time.sleep(POLL_SECONDS)


def _is_under_way(job: dict) -> bool:
    return job["state"] == "running" or (job["state"] == "queued" and job["attempts"] < TRIES)


def _print(report: compare.Report, repaired: list[compare.Difference], form: str) -> None:
    found, done = _rows(report.differences), _rows(repaired)
    owed = [{"kind": each.kind, "resource_id": each.resource_id} for each in report.owed]
    if form == "json":
        click.echo(json.dumps({"differences": found, "repaired": done, "owed": owed,
                               "unreachable": report.unreachable}, indent=2))
        return
    fields = ("pod", "kind", "resource_id", "difference")
    if done:
        click.echo("put right:")
        show(done, fields, form)
    if found:
        show(found, fields, form)
    else:
        click.echo("nothing differs")
    for each in owed:
        click.echo(f"left to its job: {each['kind']} {each['resource_id']}")
    for pod, why in report.unreachable.items():
        click.echo(f"not compared: {pod}: {why}")


def _rows(differences: list[compare.Difference]) -> list[dict]:
    return [{"pod": each.pod, "kind": each.subject.kind, "resource_id": each.subject.resource_id,
             "difference": each.text} for each in differences]
