# SPDX-License-Identifier: Apache-2.0
"""How long a run took, and on what."""

import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: timing
type: aggregate
short_description: Prints the seconds of a run and its slowest tasks
description:
  - At the end of a run, its duration and the tasks that took longest on any host.
"""

SHOWN = 8


class CallbackModule(CallbackBase):
    """Measures each task on each host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "timing"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.begin = time.monotonic()
        self.started = {}
        self.seconds = {}

    def v2_runner_on_start(self, host, task):
        """Remember when a task began on a host."""
        self.started[host.name, task._uuid] = time.monotonic()

    def _done(self, result, **_):
        host, task = result.host.name, result.task
        began = self.started.pop((host, task._uuid), None)
        if began is not None:
            name = task.get_name()
            self.seconds[host, name] = self.seconds.get((host, name), 0.0) + time.monotonic() - began

    v2_runner_on_ok = v2_runner_on_failed = v2_runner_on_unreachable = _done

    def v2_playbook_on_stats(self, stats):
        """Print the summary."""
        self._display.banner(f"{time.monotonic() - self.begin:.0f} s, of which")
        for (host, name), seconds in sorted(self.seconds.items(), key=lambda entry: -entry[1])[:SHOWN]:
            self._display.display(f"{seconds:7.1f} s  {host}: {name}")
