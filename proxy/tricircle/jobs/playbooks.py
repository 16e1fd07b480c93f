"""Run a playbook that carries out steps in pods, for one job or for several."""
import contextlib
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

import tricircle
from tricircle.crosspod.steps import Failure
from tricircle.errors import TricircleError

LOG = logging.getLogger(__name__)
KEPT_FAILURES = 10
TIMEOUT = 150   # seconds; a run takes a few, and what one that is cut off has done is seen by the next
# While pods work Ansible waits, so a fork for each pod is best; it takes some 10 MB.
MOST_FORKS = 64
# Ansible reads more into a host's name than a name: Pod[1:9] is nine hosts.
PLAIN_NAME = re.compile(r"[\w.-]+")
HOST_VARS = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


class PlaybookFailed(TricircleError):
    """Ansible itself did not get through, whatever the pods said."""


@dataclass(frozen=True)
class Outcome:
    """What came out in one pod.

    Args:
        done: (name, seconds, HTTP status) of each step that was carried out.
        failure: why the next one was not; None when all were.
    """

    done: list[tuple[str, float, int]]
    failure: Failure | None = None


@dataclass(eq=False)
class Order:
    """What a job wants to be done, and what has come of it so far.

    Args:
        playbook: name without suffix: `converge_router`.
        name: nobody else's; that of the working folder, where this is the first order of a run.
        lease: the job's lease file.
        fence: the job's fence.
        steps: {pod name: steps}.
        lost: says whether the job is another worker's by now, or cancelled.
        outcomes: {pod: outcome}; grows while the playbook runs.
        begun: the playbook has been started, or will be at once.
        error: why nothing more will come.
    """

    playbook: str
    name: str
    lease: Path
    fence: int
    steps: dict[str, list[dict]]
    lost: Callable[[], bool]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    begun: bool = False
    error: Exception | None = None

    @property
    def missing(self) -> set[str]:
        """Pods of which there is no outcome."""
        return self.steps.keys() - self.outcomes.keys()


def run(folder: Path, access: dict[str, Any], orders: list[Order], heard: Callable[[], None]) -> None:
    """Carry out orders for the same playbook, all of them and all their pods in parallel.

    Each order is told its outcomes, or the error: PlaybookFailed when Ansible crashed, ran out of time or was stopped
    because all the jobs that it still ran for were lost. What the pods have then is to be observed.

    Args:
        folder: where working folders are made.
        access: what the pods are called with: token, roots ({pod: {service: URL}}), cafile.
        orders: one at least.
        heard: called when Ansible has come to the steps, and after an order has been told something.
    """
    name, here = orders[0].playbook, folder / orders[0].name
    shares = _shares(orders)
    LOG.info("playbook %s for %s in %s", name, ", ".join(order.name for order in orders), ", ".join(shares))
    _RUNNING.add(here.name)
    said: dict[str, str] = {}
    try:
        _lay_out(here, shares)
        with readable(access) as path:
            result = ansible_runner.run(
                private_data_dir=str(here), playbook=str(_share() / "playbooks" / f"{name}.yml"), quiet=True,
                envvars=_environment(here, path, len(shares)), settings={"pexpect_timeout": 1}, timeout=TIMEOUT,
                cancel_callback=lambda: _all_lost(orders),
                event_handler=lambda event: _note(event, shares, said, heard))
        for order in (order for order in orders if order.missing):
            words = "; ".join(said[pod] for pod in sorted(order.missing & said.keys())) or _last_words(result)
            order.error = PlaybookFailed(f"playbook {name} ended as {result.status} without a result of "
                                         f"{sorted(order.missing)}: {words}")
    finally:
        _RUNNING.discard(here.name)
        well = not any(order.missing or any(each.failure for each in order.outcomes.values()) for order in orders)
        _prune(here, well)


# Names of the folders that are in use: another job's playbook must not lose its own because ten others have failed.
_RUNNING: set[str] = set()


@contextlib.contextmanager
def readable(access: dict[str, Any]) -> Iterator[str]:
    """A path at which processes of this one's user find something as JSON.

    It is in memory, and goes with this process: ansible-runner writes variables down, folders of failed runs are kept
    for people to look into, and a file would outlive a worker that is killed.
    """
    with os.fdopen(os.memfd_create("tricircle-access"), "w") as file:
        json.dump(access, file)
        file.flush()
        yield f"/proc/{os.getpid()}/fd/{file.fileno()}"


def _shares(orders: list[Order]) -> dict[str, list[Order]]:
    """{pod: the orders that have steps there}."""
    shares: dict[str, list[Order]] = {}
    for order in orders:
        for pod in order.steps:
            shares.setdefault(pod, []).append(order)
    return shares


def _all_lost(orders: Iterable[Order]) -> bool:
    left = [order for order in orders if order.missing]
    return bool(left) and all(order.lost() for order in left)


def _share() -> Path:
    """Where playbooks/ and action_plugins/ are: the checkout, or what setup.cfg's data_files have installed."""
    checkout = Path(tricircle.__file__).parents[2]
    return checkout if (checkout / "playbooks" / "converge_router.yml").exists() \
        else Path(sys.prefix) / "share" / "tricircle"


def _lay_out(here: Path, shares: dict[str, list[Order]]) -> None:
    """A fresh folder: ansible-runner reads what an earlier run has left in one."""
    for pod in shares:
        if not PLAIN_NAME.fullmatch(pod):
            raise PlaybookFailed(f"a pod's name may have letters, digits, dot, dash and underscore only: {pod!r}")
    here.mkdir(mode=0o700, parents=True)
    (here / "inventory").mkdir()
    (here / "ansible.cfg").touch()
    hosts = {"pods": {"hosts": {pod: {} for pod in shares}, "vars": HOST_VARS}}
    (here / "inventory" / "hosts.json").write_text(json.dumps(hosts))
    # Names of the user's resources are in the steps. As variables Ansible would take {{ ... }} in them for a template.
    orders = {pod: [{"lease": str(order.lease), "fence": order.fence, "steps": order.steps[pod]} for order in share]
              for pod, share in shares.items()}
    (here / "order.json").write_text(json.dumps(orders))


def _environment(here: Path, access: str, pods: int) -> dict[str, str]:
    return {
        "TRICIRCLE_ORDER": str(here / "order.json"),
        "TRICIRCLE_ACCESS": access,
        "ANSIBLE_ACTION_PLUGINS": str(_share() / "action_plugins"),
        "ANSIBLE_CONFIG": str(here / "ansible.cfg"),   # an empty one: what lies about elsewhere is not ours
        "ANSIBLE_HOME": str(here / "ansible"),
        "ANSIBLE_FORKS": str(min(pods, MOST_FORKS)),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }


def _note(event: dict, shares: dict[str, list[Order]], said: dict[str, str], heard: Callable[[], None]) -> bool:
    """Take what the action returned out of ansible-runner's events. True: keep the event's file."""
    result, pod = event.get("event_data", {}).get("res"), event.get("event_data", {}).get("host")
    if event.get("event") in ("runner_on_ok", "runner_on_failed") and isinstance(result, dict) and "orders" in result:
        for order, (done, failure) in zip(shares[pod], result["orders"], strict=True):
            order.outcomes[pod] = Outcome([tuple(step) for step in done], Failure(**failure) if failure else None)
        heard()
    elif event.get("event") in ("runner_on_failed", "runner_on_unreachable"):
        said[pod] = (result or {}).get("msg", "no reason given")
    elif event.get("event") == "playbook_on_task_start":
        heard()
    return True


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
    kept = sorted((path for path in folder.parent.iterdir() if path.is_dir() and path.name not in _RUNNING), key=_age)
    for old in kept[:-KEPT_FAILURES]:
        shutil.rmtree(old, ignore_errors=True)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:   # another job's thread prunes at the same time
        return 0.0
