"""The command `tricircle rebuild`: what the pods have becomes what the database says."""
from collections import Counter

from oslo_config import cfg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tricircle.crosspod import rebuild, survey
from tricircle.errors import TricircleError
from tricircle.store import Database, jobs, pods
from tricircle.store import rebuild as rows
from tricircle.store.db import now
from tricircle.store.rebuild import Change
from tricircle.upstream.account import Account
from tricircle.upstream.client import Upstream

# Of these every change is shown; of the others what was wrong.
PRECIOUS = ("bridges", "bridge_ips", "bindings")
VERBS = {"make": "made", "correct": "corrected", "drop": "dropped"}


def run(conf: cfg.ConfigOpts, db: Database, console: Console, dry_run: bool) -> bool:
    """Read all pods, write down what is missing or wrong, queue the jobs of what spans pods.

    Args:
        conf, db: as everywhere.
        console: for progress and outcome.
        dry_run: show, and change nothing.

    Returns:
        Whether all pods have answered and nothing is left for somebody to decide.

    Raises:
        TricircleError: no pod is registered; or Keystone does not answer.
    """
    registered = {pod["pod_id"]: pod for pod in pods.bottom(db)}
    if not registered:
        raise TricircleError("no pod is registered: do that first (POST /v1.0/pods, or playbooks/register_pods.yml)")
    # The rows before the pods: see store/rebuild.py.
    began, stored = now(), rows.snapshot(db)
    seen, failed = _look(conf, registered, console)
    plan = rebuild.plan(seen, stored)
    refused = [] if dry_run else rows.apply(db, plan.changes, began)
    owed = rebuild.owed(plan.rows)
    for job in () if dry_run else owed:
        jobs.enqueue(db, *job)
    _show(console, stored, plan, refused, seen)
    for name, error in failed.items():
        console.print(f"not complete: pod {name}: {error}", soft_wrap=True, markup=False)
    if failed:
        console.print("While a pod is missing, nothing is corrected, dropped or bound. Run it again when it is back.")
    for problem in plan.problems:
        console.print(f"to be decided: {problem}", soft_wrap=True, markup=False)
    if refused:
        console.print(f"{len(refused)} rows are at work or have changed meanwhile: run it again")
    changed = len(plan.changes) - len(refused)
    console.print(f"{'would change' if dry_run else 'changed'} {changed} rows; {len(owed)} jobs "
                  f"{'would be' if dry_run else 'are'} queued" if changed else
                  f"nothing to change; {len(owed)} jobs {'would be' if dry_run else 'are'} queued")
    return not (failed or plan.problems or refused)


def _look(conf: cfg.ConfigOpts, registered: dict[str, dict], console: Console
          ) -> tuple[rebuild.Seen, dict[str, Exception]]:
    upstream = Upstream(conf, Account(conf))
    ids = {pod["pod_name"]: pod_id for pod_id, pod in registered.items()}
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[kind]}")
    with Progress(*columns, console=console) as progress:
        tasks = {name: progress.add_task(name, total=len(survey.SOURCES), kind="") for name in ids}
        found, failed = survey.read(upstream, list(ids),
                                    lambda name, kind: progress.update(tasks[name], advance=1, kind=kind))
    seen = rebuild.Seen({ids[name]: kinds for name, kinds in found.items()}, registered,
                        upstream.account.project_id(), not failed)
    return seen, failed


def _show(console: Console, stored: rows.Rows, plan: rebuild.Plan, refused: list[Change], seen: rebuild.Seen) -> None:
    for change in plan.changes:
        if change.verb != "make" or change.table in PRECIOUS:
            console.print(f"{change.verb} {change.table} {_words(change, seen)}", soft_wrap=True, markup=False,
                          highlight=False)
    table = Table("table", "right", *VERBS.values(), "not written")
    done = Counter((change.table, change.verb) for change in plan.changes)
    late = Counter(change.table for change in refused)
    for name in rows.TABLES:
        wrong = sum(done[name, verb] for verb in ("correct", "drop"))
        table.add_row(name, *map(str, (len(stored[name]) - wrong, *(done[name, verb] for verb in VERBS), late[name])))
    console.print(table)


def _words(change: Change, seen: rebuild.Seen) -> str:
    def values(row: dict) -> str:
        names = rows.TABLES[change.table].value + rows.TABLES[change.table].more
        return ", ".join(f"{name} {_name(row[name], seen)}" for name in names)
    key = " ".join(_name(each, seen) for each in change.key)
    return f"{key}: {values(change.was)} becomes {values(change.row)}" if change.was else f"{key}: {values(change.row)}"


def _name(value: object, seen: rebuild.Seen) -> str:
    pod = seen.registered.get(value)
    return pod["pod_name"] if pod else str(value)
