# SPDX-License-Identifier: Apache-2.0
"""The guest_command module against a real shell behind two ptys, as QEMU and a guest's serial port are."""

import importlib.util
import os
import pty
import signal
import subprocess
import threading
import time
import tty
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "library" / "guest_command.py"
spec = importlib.util.spec_from_file_location("guest_command", SOURCE)
guest_command = importlib.util.module_from_spec(spec)
spec.loader.exec_module(guest_command)


class Guest:
    """An interactive shell on one pty, and what QEMU does: hand bytes to and from the other pty, which has a path."""

    def __init__(self, boot_seconds=0):
        self.outer, outer_end = pty.openpty()
        self.inner, self.inner_end = pty.openpty()
        tty.setraw(outer_end)
        self.path = os.ttyname(outer_end)
        self.starter = threading.Timer(boot_seconds, self.boot)
        os.write(self.outer, b"[    0.000000] Linux version\r\nready-ish begin end\r\n")
        self.starter.start()

    def boot(self):
        self.shell = subprocess.Popen(
            ["sh", "-i"], stdin=self.inner_end, stdout=self.inner_end, stderr=self.inner_end,
            start_new_session=True, preexec_fn=self.own_terminal,
        )
        for pair in (self.outer, self.inner), (self.inner, self.outer):
            threading.Thread(target=self.copy, args=pair, daemon=True).start()

    @staticmethod
    def own_terminal():
        os.close(os.open(os.ttyname(0), os.O_RDWR))
        # Whoever was started in the background by a script ignores Ctrl-C, and so would what the guest runs.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    @staticmethod
    def copy(source, target):
        while data := os.read(source, 4096):
            os.write(target, data)

    def stop(self):
        self.starter.join()
        self.shell.kill()
        self.shell.wait()


@pytest.fixture
def guest():
    guest = Guest()
    yield guest
    guest.stop()


def execute(guest, command, seconds=10, token="cafe"):
    console = guest_command.connect(lambda: guest.path, token, time.monotonic() + 30)
    assert console is not None
    try:
        return guest_command.run(console, command, token, time.monotonic() + seconds)
    finally:
        console.close()


def test_output_and_status_come_back(guest):
    assert execute(guest, "echo one; echo two >&2; exit 3") == (3, "one\ntwo")


def test_nothing_said_and_no_last_newline(guest):
    assert execute(guest, "true") == (0, "")
    assert execute(guest, "printf x") == (0, "x")


def test_quotes_and_long_lines_survive(guest):
    word = "x" * 500
    assert execute(guest, f"""echo "it's" '$HOME' {word}""") == (0, f"it's $HOME {word}")


def test_markers_in_the_echo_are_no_answer(guest):
    assert execute(guest, "echo begin cafe; echo end cafe 0; exit 5") == (5, "begin cafe\nend cafe 0")


def test_a_command_does_not_eat_the_shells_input(guest):
    assert execute(guest, "cat; echo done") == (0, "done")


def test_waits_for_a_guest_that_still_boots():
    guest = Guest(boot_seconds=1)
    assert execute(guest, "echo up") == (0, "up")
    guest.stop()


def test_a_command_that_hangs_is_ended_and_the_shell_stays_usable(guest):
    assert execute(guest, "sleep 60", seconds=1) is None
    assert execute(guest, "echo again", token="beef") == (0, "again")


def test_a_busy_console_is_left_alone(guest):
    other = guest_command.Console(guest.path)
    assert other.lock()
    assert guest_command.connect(lambda: guest.path, "cafe", time.monotonic() + 1) is None
    other.close()
    assert execute(guest, "echo free") == (0, "free")


def test_no_console_is_reported():
    assert guest_command.connect(lambda: None, "cafe", time.monotonic() + 0.1) is None
