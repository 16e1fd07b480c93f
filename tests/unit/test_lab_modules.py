# SPDX-License-Identifier: Apache-2.0
"""The parts of the lab's modules that decide something, without root and without a lab."""
import importlib.util
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

LIBRARY = Path(__file__).parents[2] / "library"


def load(name):
    """Import a module of library/ under its name."""
    spec = importlib.util.spec_from_file_location(name, LIBRARY / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def owned(monkeypatch):
    """config_files, writing as whoever runs the tests in place of root."""
    module = load("config_files")
    me = SimpleNamespace(pw_uid=os.getuid(), gr_gid=os.getgid())
    monkeypatch.setattr(module, "pwd", SimpleNamespace(getpwnam=lambda name: me))
    monkeypatch.setattr(module, "grp", SimpleNamespace(getgrnam=lambda name: me))
    return module


class TestConfigFiles:
    def test_a_written_file_is_right_and_stays_so(self, owned, tmp_path):
        file = owned.File({"path": str(tmp_path / "etc" / "a.conf"), "content": "secret\n", "mode": "0640"})
        assert not file.right()
        file.write()
        assert file.right()
        assert (tmp_path / "etc" / "a.conf").read_text() == "secret\n"
        assert (tmp_path / "etc" / "a.conf").stat().st_mode & 0o7777 == 0o640
        assert os.listdir(tmp_path / "etc") == ["a.conf"]

    @pytest.mark.parametrize("spoil", [
        lambda path: path.write_text("other\n"),
        lambda path: path.chmod(0o666),
        lambda path: path.unlink(),
    ])
    def test_content_mode_and_absence_are_seen(self, owned, tmp_path, spoil):
        file = owned.File({"path": str(tmp_path / "a.conf"), "content": "x", "mode": "0640"})
        file.write()
        spoil(tmp_path / "a.conf")
        assert not file.right()

    def test_a_link_in_place_of_the_new_file_is_not_followed(self, owned, tmp_path):
        (tmp_path / "precious").write_text("kept")
        (tmp_path / "a.conf.new").symlink_to(tmp_path / "precious")
        file = owned.File({"path": str(tmp_path / "a.conf"), "content": "x", "mode": "0640"})
        file.write()
        assert file.right()
        assert (tmp_path / "precious").read_text() == "kept"
        assert not (tmp_path / "a.conf").is_symlink()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory to somebody else")
    def test_a_directory_on_the_way_is_taken_from_the_service(self, owned, tmp_path):
        way = [tmp_path / "etc", tmp_path / "etc" / "plugins"]
        for directory in way:
            directory.mkdir(mode=0o770)
            os.chown(directory, 65534, 65534)
        file = owned.File({"path": str(way[-1] / "a.conf"), "content": "x", "mode": "0640"})
        file.write()
        assert file.right()
        for directory in way:
            found = directory.stat()
            assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, 65534, 0o750)
            os.chown(directory, 65534, -1)
            assert not file.right()
            os.chown(directory, 0, -1)


class TestSystemdUnits:
    def test_the_youngest_existing_file_counts(self, tmp_path):
        units = load("systemd_units")
        for name, when in (("old", 1000), ("young", 2000)):
            (tmp_path / name).touch()
            os.utime(tmp_path / name, (when, when))
        assert units.newest([str(tmp_path / name) for name in ("old", "young", "missing")]) == 2000
        assert units.newest([str(tmp_path / "missing")]) == 0

    def test_a_unit_that_never_ran_has_no_time(self):
        units = load("systemd_units")
        assert units.seconds("@1700000000") == 1700000000
        assert units.seconds("") == 0


class TestLabMachine:
    def test_only_files_that_differ_are_stale(self, tmp_path):
        machines = load("lab_machine")
        machine = machines.Machine("node", str(tmp_path), "/nowhere")
        machines.write(machine.path("/etc/hostname"), "node\n", 0o644)
        same = {"path": "/etc/hostname", "content": "node\n"}
        other = {"path": "/etc/hosts", "content": "127.0.0.1 localhost\n"}
        assert machines.stale_files(machine, [same, other]) == [other]
        assert machines.stale_files(machine, [{**same, "content": "else\n"}]) == [{**same, "content": "else\n"}]

    def test_masking_twice_changes_once(self, tmp_path):
        machines = load("lab_machine")
        machine = machines.Machine("node", str(tmp_path), "/nowhere")
        os.makedirs(machine.path("/etc/systemd/system"))
        (tmp_path / "root/etc/systemd/system/a.timer").write_text("[Unit]\n")
        assert machines.mask(machine, ["a.timer", "b.timer"])
        assert os.readlink(machine.path("/etc/systemd/system/a.timer")) == "/dev/null"
        assert not machines.mask(machine, ["a.timer", "b.timer"])


class Register:
    """Keeps pods as the admin API does, and what was asked of it."""

    def __init__(self, *pods):
        self.pods = {pod["pod_id"]: pod for pod in pods}
        self.asked = []

    def find(self, name):
        return next((pod for pod in self.pods.values() if pod["pod_name"] == name), None)

    def call(self, method, path, body=None):
        self.asked.append((method, path))
        pod_id = path.removeprefix("pods").strip("/") or "new"
        if method == "DELETE":
            return self.pods.pop(pod_id) and None
        self.pods[pod_id] = {**self.pods.get(pod_id, {"pod_id": pod_id}), **body["pod"]}
        return {"pod": self.pods[pod_id]}


class TestTricirclePod:
    WANTED = {"name": "Pod1", "az_name": "az1", "pod_az_name": None, "dc_name": None, "status": None,  # noqa: RUF012
              "disabled_reason": None, "state": "present"}

    def test_register_once(self):
        pods, register = load("tricircle_pod"), Register()
        assert pods.ensure(register, self.WANTED, check_mode=False)[0]
        assert register.find("Pod1")["az_name"] == "az1"
        assert pods.ensure(register, self.WANTED, check_mode=False) == (False, register.find("Pod1"))
        assert len(register.asked) == 1

    def test_only_a_named_attribute_is_corrected(self):
        pods = load("tricircle_pod")
        register = Register({"pod_id": "1", "pod_name": "Pod1", "az_name": "az9", "dc_name": "north"})
        assert pods.ensure(register, self.WANTED, check_mode=False)[0]
        assert register.find("Pod1") == {"pod_id": "1", "pod_name": "Pod1", "az_name": "az1", "dc_name": "north"}

    def test_a_pod_is_disabled_once_and_a_status_that_is_not_named_stays(self):
        pods = load("tricircle_pod")
        register = Register({"pod_id": "1", "pod_name": "Pod1", "az_name": "az1", "status": "enabled",
                             "disabled_reason": ""})
        disabled = {**self.WANTED, "status": "disabled", "disabled_reason": "disks"}
        assert pods.ensure(register, disabled, check_mode=True)[0]
        assert register.asked == []
        assert pods.ensure(register, disabled, check_mode=False)[0]
        assert pods.ensure(register, disabled, check_mode=False) == (False, register.find("Pod1"))
        assert pods.ensure(register, self.WANTED, check_mode=False)[0] is False
        assert (register.find("Pod1")["status"], len(register.asked)) == ("disabled", 1)

    def test_absent_twice(self):
        pods, register = load("tricircle_pod"), Register({"pod_id": "1", "pod_name": "Pod1"})
        absent = {**self.WANTED, "state": "absent"}
        assert pods.ensure(register, absent, check_mode=False) == (True, {})
        assert pods.ensure(register, absent, check_mode=False) == (False, {})

    def test_check_mode_asks_for_nothing(self):
        pods, register = load("tricircle_pod"), Register()
        assert pods.ensure(register, self.WANTED, check_mode=True) == (True, {})
        assert register.asked == []


def cloud(**broken):
    """A region as openstacksdk shows it, whole but for what is named."""
    nova = [SimpleNamespace(binary="nova-compute", host="n", state=broken.get("nova", "up"))]
    agents = [SimpleNamespace(binary=name, is_alive=name != broken.get("agent")) for name in ("l3", "dhcp")]
    cinder = [SimpleNamespace(binary=name, host="n", state="up") for name in
              ("cinder-scheduler", "cinder-volume") if name != broken.get("cinder")]
    return SimpleNamespace(
        compute=SimpleNamespace(services=lambda: nova, hypervisors=lambda: broken.get("hypervisors", ["n"])),
        network=SimpleNamespace(agents=lambda: agents),
        block_storage=SimpleNamespace(services=lambda: cinder, backend_pools=lambda: broken.get("pools", ["nfs"])))


@pytest.mark.parametrize(("broken", "lacking"), [
    ({}, []),
    ({"nova": "down"}, ["nova: nova-compute on n is down"]),
    ({"hypervisors": []}, ["nova: the scheduler knows no hypervisor"]),
    ({"agent": "l3"}, ["neutron: l3 is not alive"]),
    ({"pools": []}, ["cinder: the scheduler knows no pool"]),
    ({"cinder": "cinder-volume"}, ["cinder: no cinder-volume"]),
])
def test_a_pod_is_ready_when_nothing_is_missing(broken, lacking):
    assert load("pod_ready").missing(cloud(**broken), ["l3", "dhcp"]) == lacking
