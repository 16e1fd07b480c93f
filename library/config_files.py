#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Files of one service, in one call."""
import contextlib
import grp
import os
import pathlib
import pwd

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: config_files
short_description: Write the configuration files of a service
description:
  - Does what M(ansible.builtin.template) does, for a list. A service has up to twenty files, and a task for each takes
    longer than everything that happens in it.
  - The directories on the way to a file are taken from whoever else has them. Debian gives C(/etc/nova) and its like to
    the service's user, who could put a link where root writes, or another C(rootwrap.conf) where root reads.
options:
  files:
    description: List of C(path) and C(content), optionally C(owner), C(group) and C(mode) (an octal string).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Configure a service
  config_files:
    files:
      - path: /etc/example/example.conf
        content: "{{ lookup('ansible.builtin.template', 'example.conf.j2') }}"
        group: example
        mode: "0640"
"""

RETURN = r"""
written:
  description: Files whose content, owner, mode or directory was not right.
  returned: always
  type: list
"""


class File:
    """One wanted file."""

    def __init__(self, wanted):
        self.path = wanted["path"]
        self.content = wanted["content"].encode()
        self.mode = int(wanted.get("mode", "0644"), 8)
        self.owner = wanted.get("owner", "root")
        self.group = wanted.get("group", "root")

    def right(self):
        """Tell whether the file is as wanted."""
        try:
            if any(foreign(directory) for directory in self.way()):
                return False
            with open(self.path, "rb") as stream:
                same = stream.read() == self.content
            stat = os.stat(self.path)
            return (same and stat.st_mode & 0o7777 == self.mode and stat.st_uid == pwd.getpwnam(self.owner).pw_uid
                    and stat.st_gid == grp.getgrnam(self.group).gr_gid)
        except (FileNotFoundError, KeyError):       # no such file; no such account (check mode on an empty host)
            return False

    def way(self):
        """Name the directories on the way to the file, the outermost first."""
        return [str(parent) for parent in reversed(pathlib.PurePath(self.path).parents)]

    def write(self):
        """Put the file in place at once: a reader sees the old one or the new one, with its final mode."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        for directory in self.way():
            if foreign(directory):
                take(directory)
        fresh = f"{self.path}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)        # of a killed run, or a link of whoever had the directory
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(self.content)
            os.fchown(stream.fileno(), pwd.getpwnam(self.owner).pw_uid, grp.getgrnam(self.group).gr_gid)
            os.fchmod(stream.fileno(), self.mode)
        os.replace(fresh, self.path)


def foreign(directory):
    """Tell whether a directory is neither root's nor that of whoever runs this."""
    return os.stat(directory).st_uid not in (0, os.geteuid())


def take(directory):
    """Make a directory that of whoever runs this, and of nobody else to write in; its group goes on reading."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, os.geteuid(), -1)
        os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o7755)
    finally:
        os.close(descriptor)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True}},
        supports_check_mode=True,
    )
    wrong = [file for file in (File(wanted) for wanted in module.params["files"]) if not file.right()]
    if not module.check_mode:
        for file in wrong:
            file.write()
    module.exit_json(changed=bool(wrong), written=[file.path for file in wrong])


if __name__ == "__main__":
    main()
