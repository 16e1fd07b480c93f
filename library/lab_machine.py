#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""A machine of the lab: a root file system that boots its own systemd in a network namespace."""
import contextlib
import os
import shutil
import signal
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: lab_machine
short_description: A systemd-nspawn machine on an overlay of a shared root file system
description:
  - Mounts an overlay, writes the machine's own files into it and boots it; a second run changes nothing.
options:
  name:
    description: Name of the machine and of its network namespace.
    required: true
    type: str
  directory:
    description: Directory of this machine; holds the overlay's layers, the mount point and the console's log.
    required: true
    type: path
  rootfs:
    description: The shared lower layer.
    required: true
    type: path
  files:
    description: List of C(path) (in the machine), C(content) and optionally C(mode), written before it boots.
    type: list
    elements: dict
    default: []
  masked_units:
    description: systemd units that shall not start in the machine.
    type: list
    elements: str
    default: []
  state:
    description: C(absent) ends the machine at once and removes its directory.
    choices: [started, absent]
    default: started
    type: str
"""

EXAMPLES = r"""
- name: Boot node1
  lab_machine:
    name: node1
    directory: /var/lib/lab/node1
    rootfs: /var/cache/lab/rootfs-bookworm
"""

RETURN = r"""
booted:
  description: Whether this call booted the machine.
  returned: always
  type: bool
"""

# `network`: a machine may write its own namespace's sysctls, yet sees neither the host's interfaces nor its others.
ENVIRONMENT = {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "SYSTEMD_SECCOMP": "0"}
CGROUPS = [path for path in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified") if os.path.isdir(path)]
if not CGROUPS and os.path.exists("/sys/fs/cgroup/cgroup.procs"):
    CGROUPS = ["/sys/fs/cgroup"]
HOST_HAS_SYSTEMD = os.path.isdir("/run/systemd/system")
PATIENCE = 30       # seconds that a killed machine gets to be gone


class Machine:
    """One machine below its directory."""

    def __init__(self, name, directory, rootfs):
        self.name = name
        self.directory = directory
        self.rootfs = rootfs
        self.root = os.path.join(directory, "root")
        self.unit = f"tricircle-lab-{name}"
        # Where systemd is process 1 it makes the machine's group, with its unit.
        self.cgroups = ([f"/sys/fs/cgroup/system.slice/{self.unit}.service"] if HOST_HAS_SYSTEMD else
                        [os.path.join(group, self.unit) for group in CGROUPS])

    def mounted(self):
        """Tell whether the overlay is mounted."""
        return os.path.ismount(self.root)

    def mount(self):
        """Mount the overlay, always on the lower layer that it was made on.

        An upper layer is a difference. On another lower layer it would hide and show the wrong files.
        """
        lower = os.path.join(self.directory, "lower")
        if not os.path.islink(lower):
            os.makedirs(self.directory, mode=0o755, exist_ok=True)
            os.symlink(self.rootfs, lower)
        if not os.path.isdir(lower):
            raise FileNotFoundError(f"{self.name} was made on {os.readlink(lower)}, which is gone; remove the machine")
        layers = {layer: os.path.join(self.directory, layer) for layer in ("upper", "work")}
        for path in (*layers.values(), self.root):
            os.makedirs(path, mode=0o755, exist_ok=True)
        options = f"lowerdir={os.path.realpath(lower)},upperdir={layers['upper']},workdir={layers['work']}"
        subprocess.run(["mount", "-t", "overlay", self.unit, "-o", options, self.root], check=True)

    def process(self):
        """Return the pid of the machine's systemd-nspawn, or None."""
        mine = f"--directory={self.root}".encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as stream:
                    words = stream.read().split(b"\0")
            except OSError:     # gone meanwhile
                continue
            if os.path.basename(words[0]) == b"systemd-nspawn" and mine in words:
                return int(pid)
        return None

    def command(self):
        """Return the command that boots the machine and stays until it is off."""
        nspawn = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", f"--machine={self.name}",
                  f"--directory={self.root}", f"--network-namespace-path=/run/netns/{self.name}", "--capability=all",
                  "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"]
        if not HOST_HAS_SYSTEMD:
            return nspawn
        environment = [f"--setenv={key}={value}" for key, value in ENVIRONMENT.items()]
        return ["systemd-run", "--quiet", "--collect", f"--unit={self.unit}", "--property=Delegate=yes", *environment,
                "--", *nspawn]

    def enter_cgroups(self):
        """Move this process into the machine's own control groups (without them all machines would share one)."""
        for group in [] if HOST_HAS_SYSTEMD else self.cgroups:
            with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as stream:
                stream.write("0")

    def boot(self):
        """Boot the machine."""
        if not HOST_HAS_SYSTEMD:
            for group in self.cgroups:
                os.makedirs(group, exist_ok=True)
        with open(os.path.join(self.directory, "console.log"), "ab") as log:
            subprocess.Popen(self.command(), env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL, stdout=log,
                             stderr=log, start_new_session=True, preexec_fn=self.enter_cgroups)

    def processes(self):
        """Return the pids of everything in the machine, also when its systemd-nspawn was killed and it was not."""
        pids = set()
        for group in self.cgroups:
            for path, _, _ in os.walk(group):
                with open(os.path.join(path, "cgroup.procs"), encoding="ascii") as stream:
                    pids.update(int(pid) for pid in stream.read().split())
        return pids

    def kill(self):
        """End the machine at once and wait until its processes are gone."""
        deadline = time.monotonic() + PATIENCE
        while pids := self.processes():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} did not end within {PATIENCE} s")
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def remove(self):
        """End the machine and remove what it left: mount, control groups, directory."""
        self.kill()
        if self.mounted():
            subprocess.run(["umount", self.root], check=True)
        for group in [] if HOST_HAS_SYSTEMD else self.cgroups:
            for path, _, _ in os.walk(group, topdown=False):
                os.rmdir(path)
        if os.path.isdir(self.directory):
            shutil.rmtree(self.directory)

    def exists(self):
        """Tell whether anything of the machine is there."""
        return os.path.isdir(self.directory) or any(os.path.isdir(group) for group in self.cgroups)

    def path(self, name):
        """Return where a file of the machine is on the host."""
        return os.path.join(self.root, name.lstrip("/"))


def stale_files(machine, files):
    """Return those of `files` whose content is not the wanted one."""
    def content(path):
        try:
            with open(path, encoding="utf-8") as stream:
                return stream.read()
        except FileNotFoundError:
            return None
    return [entry for entry in files if content(machine.path(entry["path"])) != entry["content"]]


def write(path, content, mode):
    """Write a file with a mode, and make the directories above it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)


def mask(machine, units):
    """Mask systemd units of a machine; return whether any was not."""
    changed = False
    for unit in units:
        link = machine.path(f"/etc/systemd/system/{unit}")
        if not os.path.islink(link) or os.readlink(link) != "/dev/null":
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink("/dev/null", link)
            changed = True
    return changed


def start(module, machine):
    """Bring the machine to what was asked for; return (changed, booted)."""
    running = machine.process() is not None
    if module.check_mode:
        return not running, not running
    changed = False
    if not machine.mounted():
        machine.mount()
        changed = True
    for entry in stale_files(machine, module.params["files"]):
        write(machine.path(entry["path"]), entry["content"], int(entry.get("mode", "0644"), 8))
        changed = True
    changed |= mask(machine, module.params["masked_units"])
    if not running:
        machine.kill()      # what a killed systemd-nspawn left holds the machine's directory and namespace
        machine.boot()
    return changed or not running, not running


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"required": True},
            "directory": {"required": True, "type": "path"},
            "rootfs": {"required": True, "type": "path"},
            "files": {"type": "list", "elements": "dict", "default": []},
            "masked_units": {"type": "list", "elements": "str", "default": []},
            "state": {"choices": ["started", "absent"], "default": "started"},
        },
        supports_check_mode=True,
    )
    machine = Machine(module.params["name"], module.params["directory"], module.params["rootfs"])
    if module.params["state"] == "absent":
        changed = machine.exists()
        if changed and not module.check_mode:
            machine.remove()
        module.exit_json(changed=changed, booted=False)
    changed, booted = start(module, machine)
    module.exit_json(changed=changed, booted=booted)


if __name__ == "__main__":
    main()
