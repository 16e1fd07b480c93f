#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Run one shell command inside a libvirt guest, over the pty behind its serial port."""

import fcntl
import os
import re
import secrets
import select
import shlex
import time
import tty

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: guest_command
short_description: Run a shell command inside a guest over its serial console
description:
  - Talks to the root shell that a guest keeps on its first serial port. The guest needs neither network nor agent.
  - Runs on the host of the guest. One command at a time has a guest's console; others wait for it.
options:
  domain:
    description: Name or UUID of the libvirt domain. Nova's domains have the server's id as UUID.
    type: str
    required: true
  command:
    description: What the guest's C(sh) shall run.
    type: str
    required: true
  timeout:
    description: Seconds until both the guest is ready and the command is done.
    type: float
    default: 60
  uri:
    description: libvirt's connection.
    type: str
    default: qemu:///system
author:
  - Tricircle developers
"""

EXAMPLES = r"""
- name: See whether the guest reaches its neighbour
  guest_command:
    domain: "{{ server.id }}"
    command: ping -c 1 10.0.2.4
"""

RETURN = r"""
stdout:
  description: What the command wrote, standard error included, without carriage returns.
  type: str
  returned: when the command ended in time
rc:
  description: Its exit status. Any but 0 makes the task fail.
  type: int
  returned: when the command ended in time
ended:
  description: When its end was seen, in seconds since the epoch on the guest's host.
  type: float
  returned: when the command ended in time
console:
  description: The last that the console said.
  type: str
  returned: when it did not
"""

PROBE_SECONDS = 3
INTERRUPT_SECONDS = 15
TAIL = 2000


class Console:
    """The host's end of a guest's serial port: a pty that QEMU is the master of."""

    def __init__(self, path):
        self.seen = b""
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        # In the pty's default mode the host would echo the guest's own output back to it as input.
        tty.setraw(self.fd)

    def lock(self):
        """Take the console for this process: two readers of one pty would each get a part of the answers.

        :returns: whether nobody else has it
        """
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def ask(self, text, answer, deadline):
        """Type a text and wait for an answer.

        :param bytes text: what to type
        :param bytes answer: regular expression, searched in everything said since
        :param float deadline: on the monotonic clock, in seconds
        :returns: the match, or None when the deadline has passed
        :raises OSError: the guest is gone
        """
        self.seen = b""
        while (left := deadline - time.monotonic()) > 0:
            readable, writable, _ = select.select([self.fd], [self.fd] if text else [], [], left)
            if writable:
                text = text[os.write(self.fd, text):]
            if readable:
                self.seen += os.read(self.fd, 65536)
                if match := re.search(answer, self.seen, re.DOTALL):
                    return match
        return None

    def interrupt(self, token):
        """Press Ctrl-C until the shell answers: a command left running would keep it from the next one.

        Once is not enough: the shell may be just about to begin the command. What has been said stays in C(seen).

        :param str token: as for :func:`connect`
        """
        seen, end = self.seen, time.monotonic() + INTERRUPT_SECONDS
        probe, answer = f"\x03\nprintf '%s-%s\\n' stopped {token}\n".encode(), f"stopped-{token}\r?\n".encode()
        while (now := time.monotonic()) < end and not self.ask(probe, answer, min(end, now + 1)):
            pass
        self.seen = seen

    def close(self):
        os.close(self.fd)


def connect(find_console, token, deadline):
    """Wait until a guest's shell answers.

    What is typed before the guest's serial driver is up is lost, so the probe is repeated; a probe that is
    answered late, or twice, does no harm.

    :param find_console: function without arguments that returns the pty's path, or None while there is none
    :param str token: what tells this run's markers from others on the same console
    :param float deadline: on the monotonic clock, in seconds
    :returns: a locked :class:`Console`, or None when the deadline has passed
    """
    # The shell echoes what is typed. Only its answer has the hyphen in it.
    probe = f"\nprintf '%s-%s\\n' ready {token}\n".encode()
    while time.monotonic() < deadline:
        path = find_console()
        if path:
            console = Console(path)
            try:
                while console.lock() and time.monotonic() < deadline:
                    until = min(deadline, time.monotonic() + PROBE_SECONDS)
                    if console.ask(probe, f"ready-{token}\r?\n".encode(), until):
                        return console
            except OSError:
                pass  # the guest was restarted: its new console has another path
            console.close()
        time.sleep(0.5)
    return None


def run(console, command, token, deadline):
    """Run a command in the shell on a console.

    :param Console console: one that has answered
    :param str command: for the guest's sh
    :param str token: what tells this run's markers from others on the same console
    :param float deadline: on the monotonic clock, in seconds
    :returns: exit status and output, or None when the deadline has passed
    :raises OSError: the guest is gone
    """
    line = (
        f"printf '%s-%s\\n' begin {token}; sh -c {shlex.quote(command)} </dev/null 2>&1; "
        f"printf '\\n%s-%s %s\\n' end {token} $?\n"
    )
    answer = rf"begin-{token}\r?\n(.*)\nend-{token} (\d+)\r?\n"
    match = console.ask(line.encode(), answer.encode(), deadline)
    if match is None:
        console.interrupt(token)
        return None
    output = match.group(1).decode(errors="replace").replace("\r", "").rstrip("\n")
    return int(match.group(2)), output


def main():
    module = AnsibleModule(
        argument_spec={
            "domain": {"type": "str", "required": True},
            "command": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": 60},
            "uri": {"type": "str", "default": "qemu:///system"},
        },
    )
    domain, timeout = module.params["domain"], module.params["timeout"]
    deadline = time.monotonic() + timeout
    token = secrets.token_hex(4)

    def find_console():
        rc, out, _ = module.run_command(["virsh", "-c", module.params["uri"], "ttyconsole", domain])
        return out.strip() if rc == 0 else None

    console = connect(find_console, token, deadline)
    if console is None:
        module.fail_json(msg=f"No shell answered on the console of {domain} within {timeout:g} s")
    try:
        result = run(console, module.params["command"], token, deadline)
    except OSError as error:
        module.fail_json(msg=f"The console of {domain} went away: {error}")
    if result is None:
        tail = console.seen[-TAIL:].decode(errors="replace")
        module.fail_json(msg=f"The command did not end within {timeout:g} s", console=tail)
    rc, stdout = result
    module.exit_json(
        changed=True, failed=rc != 0, msg=f"The command ended with {rc}", rc=rc, stdout=stdout, ended=time.time()
    )


if __name__ == "__main__":
    main()
