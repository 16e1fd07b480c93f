"""Carry out steps: Neutron calls as data.

A step is a dictionary:
    name        in words, for the log
    differs     what is not as it should be, for a report; empty when an earlier step says it; the name by default
    method, path, body      of the call. {"made": NAME} anywhere in the body stands for the id that an earlier step made
    register    NAME under which later steps find the id in the answer
    done_on     statuses besides 2xx that mean it is already so
    takes_vlan  the VLAN that the step takes; told to whoever has to choose another one when it is refused
Both the worker's Ansible action and the API run them with this one function, so that a step means the same in both.
"""
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

HINTS = {
    "RoutesExhausted": "raise max_routes in that pod's neutron.conf, or take subnets off the router",
    "OverQuota": "raise the quota of Tricircle's service project in that pod",
}


@dataclass(frozen=True)
class Failure:
    """Why a step did not succeed.

    Args:
        step: the step's name.
        status: HTTP status; 0 when no answer came.
        kind: type of Neutron's error, or of ours.
        message: for a human.
    """

    step: str
    status: int
    kind: str
    message: str

    @property
    def unanswered(self) -> bool:
        """Whether neither the pod nor Keystone has said anything."""
        return not self.status and not self.kind

    def __str__(self) -> str:
        hint = f" ({HINTS[self.kind]})" if self.kind in HINTS else ""
        return f"{self.step}: {self.status or 'no answer'}: {self.message}{hint}"


def differences(steps: list[dict]) -> list[str]:
    """What the steps would put right, in words."""
    return [words for step in steps if (words := step.get("differs", step["name"]))]


def run(steps: list[dict], send: Callable[[str, str, Any], tuple[int, Any]],
        allowed: Callable[[], bool] = lambda: True) -> tuple[list[tuple[str, float, int]], Failure | None]:
    """Carry out steps in order, up to the first failure.

    Args:
        steps: see above.
        send: makes a call: (method, path, body) -> (HTTP status, parsed answer).
        allowed: asked before each step; when it says no, the job belongs to somebody else now.

    Returns:
        ([(name, seconds, status) of each step that is done], the failure or None).
    """
    done: list[tuple[str, float, int]] = []
    made: dict[str, str] = {}
    for step in steps:
        if not allowed():
            return done, Failure(step["name"], 0, "LeaseLost", "this job was cancelled, or another worker has it")
        began = time.monotonic()
        status, answer = send(step["method"], step["path"], _fill(step.get("body"), made))
        if 200 <= status < 300:
            if "register" in step:
                made[step["register"]] = next(iter(answer.values()))["id"]
        elif status not in step.get("done_on", ()):
            return done, Failure(step["name"], status, *_error(answer))
        done.append((step["name"], time.monotonic() - began, status))
    return done, None


def _fill(body: Any, made: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return made[body["made"]] if body.keys() == {"made"} else {key: _fill(body[key], made) for key in body}
    return [_fill(item, made) for item in body] if isinstance(body, list) else body


def _error(answer: Any) -> tuple[str, str]:
    """Type and message of Neutron's error; what stands before Neutron (a proxy, the pipeline) has other forms."""
    error = answer.get("NeutronError") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        return str(error.get("type", "")), str(error.get("message", ""))
    return "", str(error or answer or "no explanation")[:300]
