#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Units that run, and run with the files they have now."""
import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: systemd_units
short_description: Enable and start units, restart those that started before their files changed
description:
  - All units of a service in one call. A unit is restarted when one of C(files) is newer than the unit's start. That
    holds also when the run that wrote the file was killed before it came here, where a handler would be lost.
options:
  units:
    description: Units in the order in which they start.
    type: list
    elements: str
    required: true
  files:
    description: What the units read when they start.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Run memcached with its configuration
  systemd_units:
    units: [memcached]
    files: [/etc/memcached.conf]
"""

RETURN = r"""
started:
  description: Units that were started.
  returned: always
  type: list
restarted:
  description: Units that were restarted.
  returned: always
  type: list
enabled:
  description: Units that were enabled.
  returned: always
  type: list
"""

PROPERTIES = ("Id", "ActiveState", "UnitFileState", "ActiveEnterTimestamp", "Type", "RemainAfterExit",
              "FragmentPath", "DropInPaths", "InactiveExitTimestamp")


def states(module, units):
    """Return the properties of each unit, in the order asked for."""
    command = ["systemctl", "show", "--timestamp=unix", f"--property={','.join(PROPERTIES)}", *units]
    blocks = module.run_command(command, check_rc=True)[1].strip().split("\n\n")
    return [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]


def seconds(stamp):
    """Return a unix timestamp as systemctl prints it (`@1700000000`) as a number, 0 if there is none."""
    return int(stamp.lstrip("@")) if stamp else 0


def newest(paths):
    """Return the youngest modification time of those of `paths` that exist, in whole seconds."""
    return max((int(os.stat(path).st_mtime) for path in paths if os.path.exists(path)), default=0)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "required": True},
            "files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    units, files = module.params["units"], module.params["files"]
    before = dict(zip(units, states(module, units), strict=True))
    changed_at = newest(files)
    disabled = [unit for unit, state in before.items() if state["UnitFileState"] in ("disabled", "")]
    idle = [unit for unit, state in before.items() if state["ActiveState"] not in ("active", "reloading")]
    stale = [unit for unit, state in before.items()
             if unit not in idle and changed_at > seconds(state["InactiveExitTimestamp"])]
    if not module.check_mode:
        own = [path for state in before.values() for path in (state["FragmentPath"], *state["DropInPaths"].split())]
        if disabled or newest(own) > min(seconds(state["InactiveExitTimestamp"]) for state in before.values()):
            module.run_command(["systemctl", "daemon-reload"], check_rc=True)
        if disabled:
            module.run_command(["systemctl", "enable", "--quiet", *disabled], check_rc=True)
        if idle or stale:
            module.run_command(["systemctl", "restart", *[unit for unit in units if unit in idle + stale]],
                               check_rc=True)
    module.exit_json(changed=bool(disabled or idle or stale), enabled=disabled, started=idle, restarted=stale)


if __name__ == "__main__":
    main()
