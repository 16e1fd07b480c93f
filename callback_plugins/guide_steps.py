# SPDX-License-Identifier: Apache-2.0
"""Table of the guide's steps at the end of a run."""

import re
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: guide_steps
type: aggregate
short_description: Table of the guide's steps
description:
  - Counts tasks whose name says which step of the guide they are, prints how each ended and how long it took.
  - Figures that the play keeps with M(ansible.builtin.set_stats) are printed below.
"""


class CallbackModule(CallbackBase):
    """What happened to each step, in the order of the play."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "guide_steps"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.steps = {}  # the task's own id, since a name may come twice -> [name, outcome, seconds]
        self.started = {}

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.started[task._uuid] = time.monotonic()

    def note(self, result, outcome):
        task = result.task
        name = task.get_name().split(" : ")[-1]
        if re.search(r"\bstep \d", name, re.IGNORECASE):
            self.steps[task._uuid] = [name, outcome, time.monotonic() - self.started[task._uuid]]

    def v2_runner_on_ok(self, result):
        self.note(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.note(result, "FAILED")

    def v2_runner_on_unreachable(self, result):
        self.note(result, "FAILED")

    def v2_playbook_on_stats(self, stats):
        show = self._display.display
        show("\nThe guide's steps")
        for name, outcome, seconds in self.steps.values():
            show(f"{outcome:>7} {seconds:6.1f} s  {name}", color="red" if outcome == "FAILED" else None)
        passed = sum(outcome == "ok" for _, outcome, _ in self.steps.values())
        show(f"\n{passed} of {len(self.steps)} passed, {sum(step[2] for step in self.steps.values()):.0f} s")
        for figure, value in stats.custom.get("_run", {}).items():
            show(f"{value:>8}  {figure.replace('_', ' ')}")
