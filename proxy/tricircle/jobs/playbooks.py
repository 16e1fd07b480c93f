"""Run a playbook that carries out steps in pods."""
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import ansible_runner
from oslo_config import cfg

import tricircle
from tricircle import logs
from tricircle.crosspod import lease
from tricircle.crosspod.steps import Failure
from tricircle.errors import TricircleError

KEPT_FAILURES = 10
TIMEOUT = 150   # seconds; a run takes a few, and what one that is cut off has done is seen by the next
# Ansible reads more into a host's name than a name: Pod[1:9] is nine hosts.
PLAIN_NAME = re.compile(r"[\w.-]+")
HOST_VARS = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


class PlaybookFailed(TricircleError):
    """Ansible itself did not get through, whatever the pods said."""


@dataclass(frozen=True)
class Outcome:
    """What came out in one pod.

    Args:
        done: names of the steps that were carried out.
        failure: why the next one was not; None when all were.
    """

    done: list[str]
    failure: Failure | None = None


@dataclass(frozen=True)
class Run:
    """One run of a playbook for a job.

    Args:
        name: the playbook's, without suffix: `converge_router`.
        folder: working folder; must not exist, since ansible-runner reads what an earlier run has left in it.
        lease: the job's lease file.
        fence: the job's fence.
        steps: {pod name: steps}.
        report: takes (pod name, line) for the job's log.
        cancelled: asked about once a second.
    """

    name: str
    folder: Path
    lease: Path
    fence: int
    steps: dict[str, list[dict]]
    report: Callable[[str, str], None]
    cancelled: Callable[[], bool]


def run(conf: cfg.ConfigOpts, wanted: Run) -> dict[str, Outcome]:
    """Carry out the steps of every pod, in parallel.

    Args:
        conf: `jobs.clouds_file` is handed to the playbook by its path: ansible-runner writes variables down in clear.

    Returns:
        {pod: outcome}.

    Raises:
        PlaybookFailed: Ansible crashed, ran out of time or was cancelled; what the pods have now is to be observed.
    """
    outcomes: dict[str, Outcome] = {}
    _lay_out(wanted)
    try:
        result = ansible_runner.run(
            private_data_dir=str(wanted.folder), playbook=str(_share() / "playbooks" / f"{wanted.name}.yml"),
            quiet=True, envvars=_environment(conf, wanted), settings={"pexpect_timeout": 1}, timeout=TIMEOUT,
            cancel_callback=wanted.cancelled, event_handler=lambda event: _note(event, wanted, outcomes))
        missing = wanted.steps.keys() - outcomes.keys()
        if missing:
            _audit_lost(wanted, missing)
            raise PlaybookFailed(f"playbook {wanted.name} ended as {result.status} without a result of "
                                 f"{sorted(missing)}: {_last_words(result)}")
        return outcomes
    finally:
        well = outcomes.keys() == wanted.steps.keys() and not any(outcome.failure for outcome in outcomes.values())
        _prune(wanted.folder, well)


def _share() -> Path:
    """Where playbooks/ and action_plugins/ are: the checkout, or what setup.cfg's data_files have installed."""
    checkout = Path(tricircle.__file__).parents[2]
    return checkout if (checkout / "playbooks" / "converge_router.yml").exists() \
        else Path(sys.prefix) / "share" / "tricircle"


def _lay_out(wanted: Run) -> None:
    for pod in wanted.steps:
        if not PLAIN_NAME.fullmatch(pod):
            raise PlaybookFailed(f"a pod's name may have letters, digits, dot, dash and underscore only: {pod!r}")
    wanted.folder.mkdir(mode=0o700, parents=True)
    (wanted.folder / "inventory").mkdir()
    (wanted.folder / "ansible.cfg").touch()
    hosts = {"pods": {"hosts": {pod: {} for pod in wanted.steps}, "vars": HOST_VARS}}
    (wanted.folder / "inventory" / "hosts.json").write_text(json.dumps(hosts))
    # Names of the user's resources are in the steps. As variables Ansible would take {{ ... }} in them for a template.
    order = {"lease": str(wanted.lease), "fence": wanted.fence, "steps": wanted.steps}
    (wanted.folder / "order.json").write_text(json.dumps(order))


def _environment(conf: cfg.ConfigOpts, wanted: Run) -> dict[str, str]:
    return {
        "OS_CLIENT_CONFIG_FILE": os.path.abspath(conf.jobs.clouds_file),
        "TRICIRCLE_ORDER": str(wanted.folder / "order.json"),
        "ANSIBLE_ACTION_PLUGINS": str(_share() / "action_plugins"),
        "ANSIBLE_CONFIG": str(wanted.folder / "ansible.cfg"),   # an empty one: what lies about elsewhere is not ours
        "ANSIBLE_HOME": str(wanted.folder / "ansible"),
        "ANSIBLE_FORKS": "10",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }


def _note(event: dict, wanted: Run, outcomes: dict[str, Outcome]) -> bool:
    """Take what the action returned out of ansible-runner's events. True: keep the event's file."""
    result, report = event.get("event_data", {}).get("res"), wanted.report
    if event.get("event") in ("runner_on_ok", "runner_on_failed") and isinstance(result, dict) and "steps" in result:
        pod = event["event_data"]["host"]
        failure = Failure(**result["failure"]) if result.get("failure") else None
        outcomes[pod] = Outcome([step for step, _, _ in result["steps"]], failure)
        _audit(pod, wanted.steps[pod], [status for _, _, status in result["steps"]], failure)
        for step, seconds, _ in result["steps"]:
            report(pod, f"{step}: done in {seconds:.2f} s")
        if failure:
            report(pod, f"FAILED: {failure}")
    elif event.get("event") in ("runner_on_failed", "runner_on_unreachable"):
        report(event["event_data"]["host"], f"FAILED: {(result or {}).get('msg', 'no reason given')}")
    return True


def _audit(pod: str, steps: list[dict], done: list[int], failure: Failure | None) -> None:
    """Steps are carried out in their order: after those that are done comes the one that was not."""
    statuses: list[int | str] = [*done]
    if failure:
        statuses.append("unsent" if failure.kind == "LeaseLost" else failure.status or "unanswered")
    for step, status in zip(steps, statuses, strict=False):
        logs.audit(pod, step["method"], step["path"], status)


def _audit_lost(wanted: Run, missing: Collection[str]) -> None:
    """A playbook that was cut off does not tell which of its steps it had begun."""
    for pod in sorted(missing):
        for step in wanted.steps[pod]:
            logs.audit(pod, step["method"], step["path"], "unanswered")


def _last_words(result: ansible_runner.Runner) -> str:
    for name in ("stderr", "stdout"):
        text = Path(result.config.artifact_dir, name)
        words = text.read_text(errors="replace").strip() if text.exists() else ""
        if words:
            return words.splitlines()[-1][:300]
    return "no output"


def _prune(folder: Path, well: bool) -> None:
    """Runs that went well leave nothing; of those that did not the last ones are kept for the operator."""
    if well:
        shutil.rmtree(folder, ignore_errors=True)
    kept = sorted((path for path in folder.parent.iterdir() if path.is_dir() and not _in_use(path)), key=_age)
    for old in kept[:-KEPT_FAILURES]:
        shutil.rmtree(old, ignore_errors=True)


def _in_use(path: Path) -> bool:
    """Another job's playbook must not lose its folder because ten others have failed while it ran."""
    return path.with_name(lease.name(path.name.rsplit("-", 2)[0])).exists()


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:   # another job's thread prunes at the same time
        return 0.0
